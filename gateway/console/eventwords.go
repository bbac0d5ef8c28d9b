package console

import (
	"strings"

	"keyhole/gateway"
	"keyhole/gateway/explain"
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

// refusalText says in words why a click was refused, as the commands do.
func refusalText(o gateway.Outcome) string {
	// During an update, a newer gateway may record outcomes that this version does not know.
	return strings.ReplaceAll(explain.OutcomeWords(string(o)), "_", " ")
}
