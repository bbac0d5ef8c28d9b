package gateway

import "time"

// EventKind is what happened to a link.
type EventKind string

// The kinds of events. The first five are changes by operators, which are never dropped
// within the retention. The last four are clicks.
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

// Event is one thing that happened to a link. It holds no token, no signature and no URL.
type Event struct {
	// ID names the event. It is made of the stream that the store keeps the event in
	// and of its position there, so every read by every gateway returns the same ID,
	// and no two events share one. Callers must not read anything out of its text.
	// It is empty if the feed does not keep the event any more.
	ID      string
	Time    time.Time // by the clock of Redis, in milliseconds
	Kind    EventKind
	Link    ID
	Outcome Outcome // of a click; empty for events of operators
	Method  string  // of a click: GET, HEAD or POST
	Actor   string  // name of the operator key, for events of operators
	Address string  // of the client, in the form that audit.client_address allows
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
	// Ref is the link's object; empty if the link has been forgotten.
	Ref ObjectRef
}

// AuditQuery selects events of the feed. Empty fields select everything.
type AuditQuery struct {
	Since time.Time // not before
	Until time.Time // before
	// FromNow begins at the current time of Redis, because the clock of the client may
	// differ. It needs Oldest, and excludes Since.
	FromNow bool
	Kind    EventKind
	Link    ID // zero: of all links
	// Oldest returns the oldest events first. Such a feed has no end: every page has a
	// Next, and a page without More means that it has all events so far.
	Oldest bool
	// Match selects the objects in the operator's scope, and leaves out the events of
	// forgotten links; nil: all events.
	Match  func(ObjectRef) bool
	Cursor string
	Limit  int
}

// AuditPage is one page of the feed.
type AuditPage struct {
	Events []AuditEvent
	Next   string // cursor of the next page; empty: this is the last page
	// More says that the feed has more events than this page, if the query has Oldest.
	More bool
}

// Outcome is the result of a click. It is a closed set, which is used as the code of a
// problem, as a label of metrics and as a field of events.
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
