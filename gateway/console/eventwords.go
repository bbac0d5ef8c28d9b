package console

import (
	"strings"

	"keyhole/gateway"
)

// eventText says in words what an event records.
func eventText(e *gateway.Event) string {
	switch e.Kind {
	case gateway.EventIssued:
		return "The link was created"
	case gateway.EventChanged:
		return "The link was changed"
	case gateway.EventPaused:
		return "The link was paused"
	case gateway.EventResumed:
		return "The link was resumed"
	case gateway.EventRevoked:
		return "The link was revoked"
	case gateway.EventErased:
		return "Addresses were erased"
	case gateway.EventSignedIn:
		return "Signed in to the console"
	case gateway.EventSignedOut:
		return "Signed out of the console"
	case gateway.EventPage:
		return "The page was shown"
	case gateway.EventRedirected:
		if e.Outcome == gateway.OutcomeResumed {
			return "The download was resumed"
		}
		return "The download started"
	case gateway.EventRefused:
		return "Refused: " + refusalText(e.Outcome)
	case gateway.EventFailed:
		return "Failed: " + refusalText(e.Outcome)
	}
	// During an update, a newer replica may record kinds that this version does not know.
	return string(e.Kind)
}

// refusalText says in words why a click was refused.
func refusalText(o gateway.Outcome) string {
	switch o {
	case gateway.OutcomeExpired:
		return "the link had expired"
	case gateway.OutcomeRevoked:
		return "the link was revoked"
	case gateway.OutcomeUsedUp:
		return "all downloads were used up"
	case gateway.OutcomePaused:
		return "the link was paused"
	case gateway.OutcomeNotYet:
		return "the link was not valid yet"
	case gateway.OutcomeAddressNotAllowed:
		return "the address is not one of those that the link allows"
	case gateway.OutcomeWrongPassphrase:
		return "the passphrase was wrong"
	case gateway.OutcomeObjectChanged:
		return "the object has changed since the link was created"
	case gateway.OutcomeObjectGone:
		return "the object was deleted"
	case gateway.OutcomeObjectArchived:
		return "the object is archived"
	case gateway.OutcomeRateLimited:
		return "too many attempts"
	case gateway.OutcomeConfirmationRequired:
		return "a program did not press the button of the page"
	case gateway.OutcomeUnavailable:
		return "the storage or Redis did not answer"
	}
	return strings.ReplaceAll(string(o), "_", " ")
}
