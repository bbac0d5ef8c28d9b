package gateway

import "time"

// EventKind names the kind of an event.
type EventKind string

// The kinds of events. The last four are clicks; the store keeps a limited number of
// them. The others are events of operators; the store keeps them for the whole retention.
const (
	EventIssued  EventKind = "issued"
	EventChanged EventKind = "changed"
	EventPaused  EventKind = "paused"
	EventResumed EventKind = "resumed"
	EventRevoked EventKind = "revoked"
	// EventErased records an erasure of client addresses. Its Link is zero if the erasure
	// was not limited to one link.
	EventErased EventKind = "erased"
	// EventSignedIn and EventSignedOut record the beginning and the end of a session of the
	// console by the operator. Their Link is zero.
	EventSignedIn  EventKind = "signed_in"
	EventSignedOut EventKind = "signed_out"

	EventRedirected EventKind = "redirected"
	EventPage       EventKind = "page"
	EventRefused    EventKind = "refused"
	EventFailed     EventKind = "failed"
)

// Event records one change of a link or one click on it. It holds no token, no signature
// and no URL.
type Event struct {
	// ID names the event. The store makes the ID from the event's stream and the position
	// in it, so every gateway always returns the same ID, and no two events share an ID.
	// Callers must not interpret the text. ID is empty if the feed no longer holds the
	// event.
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
		EventIssued, EventChanged, EventPaused, EventResumed, EventRevoked, EventErased, EventSignedIn, EventSignedOut,
		EventRedirected, EventPage, EventRefused, EventFailed,
	}
}

// AuditEvent is an event of the feed over all links.
type AuditEvent struct {
	Event
	// Ref is the link's object; empty if the retention of the link is over.
	Ref ObjectRef
}

// Outcome is the result of a click. The set is closed. Outcomes are the codes of
// problems, a label of metrics and a field of events.
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
