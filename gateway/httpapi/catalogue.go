package httpapi

import (
	"net/http"

	"keyhole/gateway"
)

// refusal is what a recipient is told where there is no redirect: one status and
// every sentence, in one place, so that a translation is another such table.
type refusal struct {
	status int
	title  string // what happened
	text   string // in a sentence
	help   string // what to do about it
}

// The language of every sentence, and the title of every page: the same for every
// link, because browsers and previews keep titles.
const (
	language  = "en"
	pageTitle = "File link"
)

// refusals holds the sentences in English, by outcome. None names the file, its
// bucket, or anything else about a link: an answer says only what its reader may
// know.
func refusals() map[gateway.Outcome]refusal {
	return map[gateway.Outcome]refusal{
		gateway.OutcomeNotFound: {
			http.StatusNotFound, "Link not found",
			"There is no link at this address.",
			"Check that the whole address was copied, with nothing before or after it. If it is complete, ask whoever sent it for a new one.",
		},
		gateway.OutcomeExpired: {
			http.StatusGone, "Link expired",
			"This link was valid for a limited time, and that time is over.",
			"Ask whoever sent it for a new one.",
		},
		gateway.OutcomeRevoked: {
			http.StatusGone, "Link revoked",
			"This link was withdrawn by the people who issued it.",
			"If you still need the file, ask whoever sent it.",
		},
		gateway.OutcomeUsedUp: {
			http.StatusGone, "Link used up",
			"This link could be used a limited number of times, and all of them are spent.",
			"If you did not get the file, ask whoever sent it for a new link.",
		},
		gateway.OutcomePaused: {
			http.StatusForbidden, "Link paused",
			"This link is switched off for the moment by the people who issued it.",
			"Try again later, or ask whoever sent it.",
		},
		gateway.OutcomeNotYet: {
			http.StatusForbidden, "Link not valid yet",
			"This link will work from a later time on.",
			"Try again later, or ask whoever sent it when it begins.",
		},
		gateway.OutcomeAddressNotAllowed: {
			http.StatusForbidden, "Not from this network",
			"This link works only from certain networks, and yours is not among them.",
			"Try from the network that the link was made for, or ask whoever sent it.",
		},
		gateway.OutcomeWrongPassphrase: {
			http.StatusForbidden, "Wrong passphrase",
			"The passphrase is not the one that belongs to this link.",
			"Check it and try again: every character counts, upper and lower case, and hyphens too.",
		},
		gateway.OutcomeConfirmationRequired: {
			http.StatusForbidden, "Confirmation needed",
			"This link is opened by a POST of confirm=1, so that nothing but a person spends it.",
			"Open it in a browser, or send: curl -L -d confirm=1 with the link's address, and --data-urlencode passphrase=... if it has one.",
		},
		gateway.OutcomeObjectChanged: {
			http.StatusGone, "File changed",
			"The file has changed since this link was issued for it.",
			"Ask whoever sent it for a new link.",
		},
		gateway.OutcomeObjectGone: {
			http.StatusGone, "File gone",
			"The file that this link was issued for does not exist any more.",
			"Ask whoever sent it.",
		},
		gateway.OutcomeObjectArchived: {
			http.StatusGone, "File archived",
			"The file was moved to an archive and cannot be downloaded from there.",
			"Ask the person who sent you this link to make the file available again.",
		},
		gateway.OutcomeRateLimited: {
			http.StatusTooManyRequests, "Too many tries",
			"Too many tries that led nowhere were made from your address, or with this link.",
			"Wait a while and try again: a minute, or a quarter of an hour after wrong passphrases.",
		},
		gateway.OutcomeUnavailable: {
			http.StatusServiceUnavailable, "Not available now",
			"The link cannot be checked at the moment. Nothing is lost.",
			"Try again in a few seconds.",
		},
		gateway.OutcomeMethodNotAllowed: {
			http.StatusMethodNotAllowed, "Method not allowed",
			"A link answers to GET, HEAD and POST.",
			"Open it in a browser or with any download tool.",
		},
		gateway.OutcomeBadRequest: {
			http.StatusBadRequest, "Bad request",
			"The confirmation did not arrive in the expected form.",
			"Open the link in a browser and press the button there. A program sends confirm=1 as application/x-www-form-urlencoded: curl -L -d confirm=1 with the link's address.",
		},
	}
}

// prefetchRefusal is what OutcomeBadRequest says to a client that loads a link ahead of
// its user.
func prefetchRefusal() refusal {
	return refusal{
		http.StatusBadRequest, "Not opened yet",
		"This link was loaded ahead of time. That does not count as opening it.",
		"Open the link itself.",
	}
}
