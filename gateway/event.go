package gateway

import "time"

// EventKind is what happened to a link.
type EventKind string

// The kinds of events. The first five are operators' and are never dropped
// within retention; the last four are clicks'.
const (
	EventIssued  EventKind = "issued"
	EventChanged EventKind = "changed"
	EventPaused  EventKind = "paused"
	EventResumed EventKind = "resumed"
	EventRevoked EventKind = "revoked"

	EventRedirected EventKind = "redirected"
	EventPage       EventKind = "page"
	EventRefused    EventKind = "refused"
	EventFailed     EventKind = "failed"
)

// Event says who did what to a link, when, from where, and what came of it.
// It holds no token, no signature and no URL.
type Event struct {
	// ID names the event. It is made of the stream that the store keeps the event in
	// and of its position there, so every read by every gateway returns the same ID,
	// and no two events share one. Callers must not read anything out of its text.
	// It is empty if the feed does not keep the event any more.
	ID      string
	Time    time.Time // by Redis' clock, milliseconds
	Kind    EventKind
	Link    ID
	Outcome Outcome // what the recipient was answered; empty for operators' events
	Method  string  // of a click: GET, HEAD or POST
	Actor   string  // name of the operator key, for operators' events
	Address string  // of the client, as far as audit.client_address keeps it
	Reason  string  // of a revocation
}

// EventKinds lists every EventKind.
func EventKinds() []EventKind {
	return []EventKind{
		EventIssued, EventChanged, EventPaused, EventResumed, EventRevoked,
		EventRedirected, EventPage, EventRefused, EventFailed,
	}
}

// AuditEvent is an event of the feed over all links.
type AuditEvent struct {
	Event
	// Ref is the link's object, empty once the link has been forgotten.
	Ref ObjectRef
}

// AuditQuery selects events of the feed. Empty fields select everything.
type AuditQuery struct {
	Since time.Time // not before
	Until time.Time // before
	// FromNow begins where Redis' clock is: whoever asks may have another. It goes with
	// Oldest, and without Since.
	FromNow bool
	Kind    EventKind
	Link    ID // zero: of all links
	// Oldest asks for the oldest first. Such a feed has no end: its pages always
	// have a Next, and one without More means that nothing else has happened since.
	Oldest bool
	// Match leaves out what the asking key may not see, and events of links that
	// have been forgotten; nil: nothing is left out.
	Match  func(ObjectRef) bool
	Cursor string
	Limit  int
}

// AuditPage is one page of the feed.
type AuditPage struct {
	Events []AuditEvent
	Next   string
	// More means that the page of a feed without end came before all that there is was
	// looked at.
	More bool
}

// Outcome is the last column of the table of public answers: a closed set, used
// as the code of a problem, a label of metrics and a field of events.
type Outcome string

// Every outcome of a click.
const (
	OutcomeRedirected           Outcome = "redirected"
	OutcomePage                 Outcome = "page"
	OutcomeConfirmationRequired Outcome = "confirmation_required"
	OutcomeResumed              Outcome = "resumed"
	OutcomeNotFound             Outcome = "not_found"
	OutcomeExpired              Outcome = "expired"
	OutcomeRevoked              Outcome = "revoked"
	OutcomeUsedUp               Outcome = "used_up"
	OutcomePaused               Outcome = "paused"
	OutcomeNotYet               Outcome = "not_yet"
	OutcomeAddressNotAllowed    Outcome = "address_not_allowed"
	OutcomeWrongPassphrase      Outcome = "wrong_passphrase"
	OutcomeObjectChanged        Outcome = "object_changed"
	OutcomeObjectGone           Outcome = "object_gone"
	OutcomeObjectArchived       Outcome = "object_archived"
	OutcomeRateLimited          Outcome = "rate_limited"
	OutcomeUnavailable          Outcome = "unavailable"
	OutcomeMethodNotAllowed     Outcome = "method_not_allowed"
	OutcomeBadRequest           Outcome = "bad_request"
)

// Outcomes lists every Outcome, in the order of the documentation.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeRedirected, OutcomePage, OutcomeConfirmationRequired, OutcomeResumed,
		OutcomeNotFound, OutcomeExpired, OutcomeRevoked, OutcomeUsedUp,
		OutcomePaused, OutcomeNotYet, OutcomeAddressNotAllowed, OutcomeWrongPassphrase,
		OutcomeObjectChanged, OutcomeObjectGone, OutcomeObjectArchived, OutcomeRateLimited,
		OutcomeUnavailable, OutcomeMethodNotAllowed, OutcomeBadRequest,
	}
}
