package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// ChangeRequest asks for a change of a link. Nil fields stay unchanged.
type ChangeRequest struct {
	ExpiresIn *string // from now on: Go duration, or days
	MaxClicks *int64
	Language  *string // one of Languages; empty: the browser decides
	Note      *string
	Labels    *map[string]string // replaces all labels
	Paused    *bool
	// Allow replaces all addresses and networks that may use the link.
	Allow      *[]string
	Passphrase *string
	NotBefore  *string // RFC 3339
	// Remove lists the restrictions to remove: RemoveAllow, RemovePassphrase and
	// RemoveNotBefore. An empty value does not remove a restriction, because an unset
	// variable of a script must not open a link.
	Remove []string
	// IfMatch lists revisions. The link must have one of them, or already have the
	// requested values; nil: any revision.
	IfMatch []string
}

// The restrictions that a change can remove, by the names of their fields.
const (
	RemoveAllow      = "allow"
	RemovePassphrase = "passphrase"
	RemoveNotBefore  = "not_before"
)

// Removable lists the values of ChangeRequest.Remove.
func Removable() []string { return []string{RemoveAllow, RemovePassphrase, RemoveNotBefore} }

// madeAlready reports whether the link already has all requested values. It does if an
// earlier request made the change but got no answer or was not confirmed. A requested
// life counts from now on, and a passphrase cannot be compared here, so a request with one
// of them is never made already.
func (r *ChangeRequest) madeAlready(link *Link, change *Change) bool {
	return r.ExpiresIn == nil && r.Passphrase == nil &&
		(r.MaxClicks == nil || *r.MaxClicks == link.MaxClicks) &&
		(r.Language == nil || *r.Language == link.Language) &&
		(r.Note == nil || *r.Note == link.Note) &&
		(r.Labels == nil || maps.Equal(*r.Labels, link.Labels)) &&
		(r.Paused == nil || *r.Paused == (link.State == StatePaused)) &&
		(change.Allow == nil || slices.Equal(*change.Allow, link.Allow)) &&
		(change.NotBefore == nil || change.NotBefore.Equal(link.NotBefore)) &&
		(change.Passphrase == nil || !link.Passphrase)
}

// Change changes a live link. Pausing and resuming need the right to revoke, all other
// changes the right to issue. The current policy limits a new life and a new passphrase. A
// link that has ended gets CodeNotActive, another revision CodePrecondition. The answer has
// a warning if more people can use the link than before.
func (s *Service) Change(ctx context.Context, actor *Actor, id ID, req *ChangeRequest) (Link, error) {
	if err := allowedToChange(actor, req); err != nil {
		return Link{}, err
	}
	policy := s.policy.Load() // the same for the whole request, also during a reload
	change, fields := readChange(req)
	if fields = append(fields, policy.checkPassphrase(req.Passphrase)...); len(fields) > 0 {
		return Link{}, invalidFields(fields...)
	}
	link, err := s.find(ctx, actor, id)
	switch {
	case err != nil:
		return Link{}, err
	case link.Ended():
		return Link{}, storeError(ErrEnded)
	case req.IfMatch != nil && !slices.Contains(req.IfMatch, link.Revision) && !req.madeAlready(&link, &change):
		// RFC 9110 section 13.1.1 allows answering the repeat like the first request. The
		// change is written again, so that the repeat is confirmed too.
		return Link{}, storeError(ErrChanged)
	case req.MaxClicks != nil && !link.NeedsConfirmation() && req.Passphrase == nil:
		return Link{}, Invalid("max_clicks", "not_limited",
			"this link was issued without confirmation, so its clicks cannot be limited; issue another link")
	}
	change.Window = s.resumeWindow
	if req.IfMatch != nil {
		change.Revision = link.Revision
	}
	if req.ExpiresIn != nil {
		if change.Life, change.Longest, err = policy.extend(actor, &link, *req.ExpiresIn); err != nil {
			return Link{}, err
		}
	}
	secrets, err := s.secretsFor(ctx, req.Passphrase)
	if err != nil {
		return Link{}, err
	}
	change.Key = secrets.Key
	if req.Passphrase != nil {
		change.Passphrase = &secrets.Passphrase
	}
	changed, err := s.store.Change(ctx, id, change, actor.origin())
	if err != nil {
		return Link{}, changeError(err, req, &change, link.CreatedAt)
	}
	changed.Warnings = widened(&link, &changed)
	if changed.Passphrase && !link.Passphrase && changed.Note != "" {
		changed.Notes = []Note{{
			NoteNoteHidden, "recipients no longer see the note: the page hides everything about the file until the " +
				"passphrase is entered, and then the download starts",
		}}
	}
	return changed, nil
}

// changeError returns the Error for the operator if the store has not made a change.
func changeError(err error, req *ChangeRequest, change *Change, issued time.Time) error {
	var refused *ChangeError
	switch {
	case errors.As(err, &refused) && refused.Limit == LimitLife:
		return invalidBecause(err, "expires_in", "over_policy", fmt.Sprintf(
			"a link lives at most %s from its issue; %s", FormatLife(change.Longest),
			extensionOf(refused, issued.Add(change.Longest))))
	case errors.As(err, &refused) && refused.Limit == LimitClicks:
		return invalidBecause(err, "max_clicks", "below_clicks", fmt.Sprintf(
			"%d clicks are spent already; max_clicks must not be lower", refused.Clicks))
	case errors.Is(err, ErrNeverValid) && req.NotBefore != nil:
		return invalidBecause(err, "not_before", "invalid", "the link would end before it begins")
	case errors.Is(err, ErrNeverValid):
		return invalidBecause(err, "expires_in", "invalid", "the link would end before its not_before")
	}
	return storeError(err)
}

// widened returns a warning if people can use the changed link who could not use it before.
func widened(before, after *Link) []Warning {
	var found []Warning
	if before.Passphrase && !after.Passphrase {
		found = append(found, Warning{
			WarnAccessWidened, "recipients no longer need a passphrase: the link is enough to get the file",
		})
	}
	switch {
	case len(before.Allow) == 0:
	case len(after.Allow) == 0:
		found = append(found, Warning{WarnAccessWidened, "the link can be used from every address now"})
	default:
		var more []string
		for _, prefix := range after.Allow {
			within := func(p netip.Prefix) bool { return p.Bits() <= prefix.Bits() && p.Contains(prefix.Addr()) }
			if !slices.ContainsFunc(before.Allow, within) {
				more = append(more, prefix.String())
			}
		}
		if len(more) > 0 {
			found = append(found, Warning{
				WarnAccessWidened, "the link can be used from more addresses now: " + strings.Join(more, ", "),
			})
		}
	}
	return found
}

// extensionOf returns a text that states the latest possible end of a link, in UTC and
// rounded down to a second.
func extensionOf(refused *ChangeError, latest time.Time) string {
	if refused.Longest < minLife {
		return "it cannot be extended"
	}
	return "the latest end is " + latest.UTC().Truncate(minLife).Format(time.RFC3339)
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
		r.Paused == nil && r.Allow == nil && r.Passphrase == nil && r.NotBefore == nil && len(r.Remove) == 0
}

// readChange parses a request and returns the errors in all fields. It leaves out what
// needs the link, the policy or a hash: the life, the window, the revision and a new
// passphrase.
func readChange(req *ChangeRequest) (Change, []FieldError) {
	change := Change{Language: req.Language, Note: req.Note, Labels: req.Labels, Paused: req.Paused}
	var found []FieldError
	if req.empty() {
		found = append(found, FieldError{
			"expires_in", "required", "send at least one of expires_in, max_clicks, language, note, labels, paused, " +
				"allow, passphrase, not_before and remove",
		})
	}
	if req.MaxClicks != nil {
		change.MaxClicks = *req.MaxClicks
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
	return change, append(found, readAccess(req, &change)...)
}

// readAccess sets the changed restrictions of a request, except for a new passphrase, and
// returns the errors in them.
func readAccess(req *ChangeRequest, change *Change) []FieldError {
	found := checkPassphrase(req.Passphrase)
	if len(found) > 0 && *req.Passphrase == "" {
		found[0].Message = `the passphrase is empty; to remove the passphrase, send "remove": ["passphrase"]`
	}
	switch {
	case req.Allow == nil:
	case len(*req.Allow) == 0:
		found = append(found, FieldError{
			"allow", "empty", `the list is empty; to allow every address, send "remove": ["allow"]`,
		})
	default:
		allow, refused := readAllow(*req.Allow)
		change.Allow, found = &allow, append(found, refused...)
	}
	if req.NotBefore != nil {
		start, refused := readNotBefore(*req.NotBefore)
		change.NotBefore, found = &start, append(found, refused...)
	}
	for _, name := range req.Remove {
		set := false
		switch name {
		case RemoveAllow:
			set, change.Allow = req.Allow != nil, new([]netip.Prefix{})
		case RemovePassphrase:
			set, change.Passphrase = req.Passphrase != nil, new("")
		case RemoveNotBefore:
			set, change.NotBefore = req.NotBefore != nil, &time.Time{}
		default:
			found = append(found, FieldError{"remove", "invalid", fmt.Sprintf(
				"%.64q cannot be removed; send any of %s", name, strings.Join(Removable(), ", "))})
		}
		if set {
			found = append(found, FieldError{"remove", "conflict", "send either " + name + " or its removal, not both"})
		}
	}
	return found
}
