package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ChangeRequest asks for a change of a link. Nil fields stay as they are.
type ChangeRequest struct {
	ExpiresIn *string // from now on: Go duration, or days
	MaxClicks *int64
	Note      *string
	Labels    *map[string]string // replaced whole
	Paused    *bool
	// IfMatch are the revisions of which the link must have one, or be as asked for
	// already; nil: it may have any.
	IfMatch []string
}

// madeAlready tells whether a link is as the request wants it, as it is when an earlier
// try was not answered or not confirmed. A life from now on is never made already.
func (r *ChangeRequest) madeAlready(link *Link) bool {
	return r.ExpiresIn == nil &&
		(r.MaxClicks == nil || *r.MaxClicks == link.MaxClicks) &&
		(r.Note == nil || *r.Note == link.Note) &&
		(r.Labels == nil || maps.Equal(*r.Labels, link.Labels)) &&
		(r.Paused == nil || *r.Paused == (link.State == StatePaused))
}

// Change changes a live link. Pausing and resuming needs what revoking does,
// everything else what issuing does: the policy in force is asked anew.
func (s *Service) Change(ctx context.Context, actor *Actor, id ID, req *ChangeRequest) (Link, error) {
	if err := allowedToChange(actor, req); err != nil {
		return Link{}, err
	}
	if fields := checkChange(req); len(fields) > 0 {
		return Link{}, invalidFields(fields...)
	}
	link, err := s.find(ctx, actor, id)
	switch {
	case err != nil:
		return Link{}, err
	case link.Ended():
		return Link{}, storeError(ErrEnded)
	case req.IfMatch != nil && !slices.Contains(req.IfMatch, link.Revision) && !req.madeAlready(&link):
		// RFC 9110 section 13.1.1: what is in force already may be answered like the
		// first, and is then written again, so that a repeat is confirmed.
		return Link{}, storeError(ErrChanged)
	case req.MaxClicks != nil && !link.NeedsConfirmation():
		return Link{}, Invalid("max_clicks", "not_limited", "this link was issued without confirmation, so its clicks cannot be limited; issue another")
	}
	change := Change{Note: req.Note, Labels: req.Labels, Paused: req.Paused, Window: s.resumeWindow}
	if req.MaxClicks != nil {
		change.MaxClicks = *req.MaxClicks
	}
	if req.IfMatch != nil {
		change.Revision = link.Revision
	}
	if req.ExpiresIn != nil {
		if change.Life, change.Longest, err = s.policy.Load().extend(actor, &link, *req.ExpiresIn); err != nil {
			return Link{}, err
		}
	}
	changed, err := s.store.Change(ctx, id, change, actor.origin())
	var refused *ChangeError
	switch {
	case errors.As(err, &refused) && refused.Limit == LimitLife:
		return Link{}, invalidBecause(err, "expires_in", "over_policy", fmt.Sprintf(
			"a link's whole life is %s at most, from its issue on: %s", FormatLife(change.Longest), leftOf(refused)))
	case errors.As(err, &refused) && refused.Limit == LimitClicks:
		return Link{}, invalidBecause(err, "max_clicks", "below_clicks", fmt.Sprintf(
			"%d clicks are spent already; max_clicks cannot be below that", refused.Clicks))
	case errors.Is(err, ErrNeverValid):
		return Link{}, invalidBecause(err, "expires_in", "invalid", "the link would end before its not_before")
	case err != nil:
		return Link{}, storeError(err)
	}
	return changed, nil
}

// leftOf says what a life can still be given.
func leftOf(refused *ChangeError) string {
	if refused.Longest < minLife {
		return "nothing is left to give"
	}
	return fmt.Sprintf("%s is left to give", FormatLife(refused.Longest.Truncate(minLife)))
}

// allowedToChange returns a CodeForbidden error unless the actor can do all that
// is asked for. A request that asks for nothing is one for what issuing does.
func allowedToChange(actor *Actor, req *ChangeRequest) error {
	rest := req.ExpiresIn != nil || req.MaxClicks != nil || req.Note != nil || req.Labels != nil
	if req.Paused != nil && !rest {
		return actor.Allowed(ActionRevoke)
	}
	return actor.Allowed(ActionIssue)
}

// checkChange names every field that cannot be.
func checkChange(req *ChangeRequest) []FieldError {
	var found []FieldError
	if req.ExpiresIn == nil && req.MaxClicks == nil && req.Note == nil && req.Labels == nil && req.Paused == nil {
		found = append(found, FieldError{"expires_in", "required", "say what to change: expires_in, max_clicks, note, labels or paused"})
	}
	if req.MaxClicks != nil {
		found = append(found, checkMaxClicks(*req.MaxClicks)...)
	}
	if req.Note != nil {
		found = append(found, checkText("note", *req.Note)...)
	}
	if req.Labels != nil {
		found = append(found, checkLabels(*req.Labels)...)
	}
	return found
}
