package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// referenceLength is the length of a link's reference in characters. People can read out 8
// characters. They have 40 bits, so a million links rarely share a reference.
const referenceLength = 8

// Facts are the facts about a link that the page of a refusal may show. They contain
// nothing about the file, the note or the operator, because the client may have no right
// to use the link.
type Facts struct {
	Reference string    // the first 8 characters of the ID
	Language  string    // of the link's pages, a BCP 47 tag; empty: the browser decides
	ExpiresAt time.Time // all times are zero if unknown
	NotBefore time.Time // zero also if the link is valid from the issue on
	RevokedAt time.Time // zero also if the link is not revoked
}

// Reference returns the first characters of the ID, which recipients and operators use to
// talk about a link. A reference is no secret, and it opens nothing.
func (id ID) Reference() string { return id.String()[:referenceLength] }

// FactsOf returns the facts about a link.
func FactsOf(l *Link) *Facts {
	return &Facts{
		Reference: l.ID.Reference(), Language: l.Language,
		ExpiresAt: l.ExpiresAt, NotBefore: l.NotBefore, RevokedAt: l.RevokedAt,
	}
}

// showsFacts reports whether the answer to an outcome may show facts about the link. The
// answer of OutcomeNotFound must not show that a link ever existed. Redirects have no
// page, and the confirmation page gets the whole link.
func showsFacts(outcome Outcome) bool {
	switch outcome {
	case OutcomeRedirected, OutcomeResumed, OutcomePage, OutcomeNotFound:
		return false
	}
	return true
}

// facts returns the facts about a link whose click was refused because of cause. Most
// refusals already contain the facts. If a click on a plain link fails after its admission,
// facts reads the link. If this read fails, the answer still has the reference, which
// comes from the ID.
func (s *Service) facts(ctx context.Context, id ID, admission *Admission, cause error) (*Facts, error) {
	switch {
	case admission.Facts != nil:
		return admission.Facts, nil
	case admission.Link != nil:
		return FactsOf(admission.Link), nil
	case admission.Outcome != OutcomeRedirected, errors.Is(cause, errRecheck):
		// The history is unreadable, or the store has just failed to answer. Waiting for the
		// store again would exceed the time in which recipients get an answer.
		return &Facts{Reference: id.Reference()}, nil
	}
	link, err := s.store.Get(ctx, id)
	if err != nil {
		return &Facts{Reference: id.Reference()}, fmt.Errorf("read the facts of the link: %w", err)
	}
	return FactsOf(&link), nil
}
