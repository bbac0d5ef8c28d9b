package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ChangeRequest asks for a change of a link. Nil fields stay unchanged.
type ChangeRequest struct {
	ExpiresIn *string // from now on: Go duration, or days
	MaxClicks *int64
	Language  *string // one of Languages; empty: the browser decides
	Note      *string
	Labels    *map[string]string // replaces all labels
	Paused    *bool
	// IfMatch lists revisions. The link must have one of them, or already have the
	// requested values; nil: any revision.
	IfMatch []string
}

// madeAlready reports whether the link already has all requested values. It does if an
// earlier request made the change but got no answer or was not confirmed. A requested
// life counts from now on, so such a request is never made already.
func (r *ChangeRequest) madeAlready(link *Link) bool {
	return r.ExpiresIn == nil &&
		(r.MaxClicks == nil || *r.MaxClicks == link.MaxClicks) &&
		(r.Language == nil || *r.Language == link.Language) &&
		(r.Note == nil || *r.Note == link.Note) &&
		(r.Labels == nil || maps.Equal(*r.Labels, link.Labels)) &&
		(r.Paused == nil || *r.Paused == (link.State == StatePaused))
}

// Change changes a live link. Pausing and resuming need the right to revoke, all other
// changes the right to issue. The current policy limits a new life. A link that has ended
// gets CodeNotActive, another revision CodePrecondition.
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
		// RFC 9110 section 13.1.1 allows answering the repeat like the first request. The
		// change is written again, so that the repeat is confirmed too.
		return Link{}, storeError(ErrChanged)
	case req.MaxClicks != nil && !link.NeedsConfirmation():
		return Link{}, Invalid("max_clicks", "not_limited",
			"this link was issued without confirmation, so its clicks cannot be limited; issue another link")
	}
	change := Change{
		Language: req.Language, Note: req.Note, Labels: req.Labels, Paused: req.Paused, Window: s.resumeWindow,
	}
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
			"a link lives at most %s from its issue; %s", FormatLife(change.Longest), extensionOf(refused)))
	case errors.As(err, &refused) && refused.Limit == LimitClicks:
		return Link{}, invalidBecause(err, "max_clicks", "below_clicks", fmt.Sprintf(
			"%d clicks are spent already; max_clicks must not be lower", refused.Clicks))
	case errors.Is(err, ErrNeverValid):
		return Link{}, invalidBecause(err, "expires_in", "invalid", "the link would end before its not_before")
	case err != nil:
		return Link{}, storeError(err)
	}
	return changed, nil
}

// extensionOf returns a text that states the longest possible life from now on.
func extensionOf(refused *ChangeError) string {
	if refused.Longest < minLife {
		return "it cannot be extended"
	}
	return fmt.Sprintf("it can be extended by up to %s", FormatLife(refused.Longest.Truncate(minLife)))
}

// allowedToChange returns a CodeForbidden error if the actor lacks a right that the
// request needs. A request without a change needs the right to issue.
func allowedToChange(actor *Actor, req *ChangeRequest) error {
	rest := *req
	rest.Paused, rest.IfMatch = nil, nil
	if req.Paused != nil && rest.empty() {
		return actor.Allowed(ActionRevoke)
	}
	return actor.Allowed(ActionIssue)
}

// empty reports whether the request changes nothing.
func (r *ChangeRequest) empty() bool {
	return r.ExpiresIn == nil && r.MaxClicks == nil && r.Language == nil && r.Note == nil && r.Labels == nil &&
		r.Paused == nil
}

// checkChange returns the errors in all fields.
func checkChange(req *ChangeRequest) []FieldError {
	var found []FieldError
	if req.empty() {
		found = append(found, FieldError{
			"expires_in", "required", "send at least one of expires_in, max_clicks, language, note, labels and paused",
		})
	}
	if req.MaxClicks != nil {
		found = append(found, checkMaxClicks(*req.MaxClicks)...)
	}
	if req.Language != nil {
		found = append(found, checkLanguage(*req.Language)...)
	}
	if req.Note != nil {
		found = append(found, checkText("note", *req.Note)...)
	}
	if req.Labels != nil {
		found = append(found, checkLabels(*req.Labels)...)
	}
	return found
}
