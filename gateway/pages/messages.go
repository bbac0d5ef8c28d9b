package pages

import (
	"maps"
	"strconv"
	"time"

	"keyhole/gateway"
)

// Messages are the texts of pages in one language. No text has facts about a link.
type Messages struct {
	Language string // BCP 47 tag, for the lang attribute of pages
	// PageTitle is the title of every page. It is the same for every link, because
	// browsers and chat previews store titles.
	PageTitle string
	// Refusals has a message for each outcome that refuses a click.
	Refusals map[gateway.Outcome]Message
	// Prefetched replaces the message of gateway.OutcomeBadRequest if a browser loaded
	// the link before the user opened it.
	Prefetched   Message
	Confirmation ConfirmationMessages
}

// Message explains a refusal to a recipient.
type Message struct {
	Title    string // what happened, in a few words
	Text     string // what happened, in a sentence
	Help     string // what to do
	Programs string // what a program can do; "" if nothing. Pages do not show it.
}

// Detail returns the message without its title, for programs and people who read their
// output.
func (m *Message) Detail() string {
	detail := m.Text + " " + m.Help
	if m.Programs != "" {
		detail += " " + m.Programs
	}
	return detail
}

// ConfirmationMessages are the texts of confirmation pages. They must not contain "{{".
type ConfirmationMessages struct {
	Heading, WrongPassphrase      string
	File, Size, Type, Until, Note string                  // labels of the facts about the file
	Passphrase, Download          string                  // labels of the form
	TimeLayout                    string                  // of the expiry, for time.Time.Format
	Bytes                         string                  // the unit of sizes below 1000
	Uses                          func(left int64) string // a sentence with the remaining uses
	Help                          func(limited bool, resume time.Duration) string
}

// English returns the messages in English.
func English() Messages {
	return Messages{
		Language: "en", PageTitle: "File link",
		Refusals: englishRefusals(),
		Prefetched: Message{
			Title: "Not opened yet",
			Text:  "This link was loaded ahead of time. That does not count as opening it.",
			Help:  "Open the link itself.",
		},
		Confirmation: ConfirmationMessages{
			Heading:         "Someone shared a file with you",
			WrongPassphrase: "That passphrase is not the right one. Upper and lower case matter.",
			File:            "File", Size: "Size", Type: "Type", Until: "Until", Note: "Note",
			Passphrase: "Passphrase", Download: "Download",
			TimeLayout: "2 January 2006, 15:04 MST", Bytes: "bytes",
			Uses: englishUses, Help: englishHelp,
		},
	}
}

// englishUses returns a sentence with the remaining uses of a link.
func englishUses(left int64) string {
	if left <= 1 {
		return "This link can be used once."
	}
	return "This link can be used " + strconv.FormatInt(left, 10) + " times."
}

// englishHelp explains the effect of viewing and downloading on the link.
func englishHelp(limited bool, resume time.Duration) string {
	later := "the download starts again from this page."
	if limited {
		later = "the download counts as another use."
	}
	return "Viewing this page does not use up the link. Downloading does. " +
		"If the download is interrupted, open the link again in this browser within " + englishWindow(resume) +
		" to resume it. Later, or in another browser, " + later
}

// englishWindow returns the time in which a download can be resumed, rounded to minutes
// from a minute on.
func englishWindow(d time.Duration) string {
	switch minutes := int(d.Round(time.Minute) / time.Minute); {
	case d/time.Second == 1:
		return "a second"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " seconds"
	case minutes == 1:
		return "a minute"
	default:
		return strconv.Itoa(minutes) + " minutes"
	}
}

// englishRefusals returns the English messages of refusals. Recipients are laymen; only
// Programs may use technical words.
func englishRefusals() map[gateway.Outcome]Message {
	messages := englishRefusalsOfRequests()
	maps.Copy(messages, englishRefusalsOfLinks())
	return messages
}

// englishRefusalsOfLinks returns the messages about the link or its file.
func englishRefusalsOfLinks() map[gateway.Outcome]Message {
	return map[gateway.Outcome]Message{
		gateway.OutcomeNotFound: {
			Title: "Link not found",
			Text:  "There is no link at this address.",
			Help: "Check that you copied the whole address, with nothing before or after it. " +
				"If it is complete, ask the person who sent it to you for a new one.",
		},
		gateway.OutcomeExpired: {
			Title: "Link expired",
			Text:  "This link has expired.",
			Help:  "Ask the person who sent you this link for a new one.",
		},
		gateway.OutcomeRevoked: {
			Title: "Link revoked",
			Text:  "The people who shared this file have withdrawn the link.",
			Help:  "If you still need the file, ask the person who sent you this link.",
		},
		gateway.OutcomeUsedUp: {
			Title: "Link used up",
			Text:  "This link has already been used the maximum number of times.",
			Help:  "If you did not get the file, ask the person who sent you this link for a new one.",
		},
		gateway.OutcomePaused: {
			Title: "Link paused",
			Text:  "The people who shared this file have switched the link off for the moment.",
			Help:  "Try again later, or ask the person who sent you this link.",
		},
		gateway.OutcomeNotYet: {
			Title: "Link not valid yet",
			Text:  "This link does not work yet.",
			Help:  "Try again later, or ask the person who sent you this link when it starts to work.",
		},
		gateway.OutcomeObjectChanged: {
			Title: "File changed",
			Text:  "The file has changed since this link was made.",
			Help:  "Ask the person who sent you this link for a new one.",
		},
		gateway.OutcomeObjectGone: {
			Title: "File gone",
			Text:  "The file does not exist any more.",
			Help:  "Ask the person who sent you this link.",
		},
		gateway.OutcomeObjectArchived: {
			Title: "File archived",
			Text:  "The file was moved to an archive and cannot be downloaded from there.",
			Help:  "Ask the person who sent you this link to make the file available again.",
		},
	}
}

// englishRefusalsOfRequests returns the messages about the request, the client or the
// service.
func englishRefusalsOfRequests() map[gateway.Outcome]Message {
	return map[gateway.Outcome]Message{
		gateway.OutcomeAddressNotAllowed: {
			Title: "Not from this network",
			Text:  "This link works only from certain networks, and your network is not one of them.",
			Help:  "Open it from one of those networks, or ask the person who sent you this link.",
		},
		gateway.OutcomeWrongPassphrase: {
			Title: "Wrong passphrase",
			Text:  "That passphrase is not the right one.",
			Help:  "Check it and try again. Every character counts: upper and lower case, and hyphens too.",
		},
		gateway.OutcomeConfirmationRequired: {
			Title: "Confirmation needed",
			Text:  "This link needs a confirmation before the download starts.",
			Help:  "Open it in a browser and press the button there.",
			Programs: "A program sends a POST: curl -fL -d confirm=1 with the link's address, " +
				"and --data-urlencode passphrase=... if the link has a passphrase.",
		},
		gateway.OutcomeRateLimited: {
			Title: "Too many attempts",
			Text:  "Too many failed attempts from your network or with this link.",
			Help:  "Try again in a minute (15 minutes after wrong passphrases).",
		},
		gateway.OutcomeUnavailable: {
			Title: "Not available now",
			Text:  "The link cannot be checked at the moment. Nothing is lost.",
			Help:  "Try again in a few seconds.",
		},
		gateway.OutcomeMethodNotAllowed: {
			Title:    "Method not allowed",
			Text:     "This link cannot be opened in this way.",
			Help:     "Open it in a browser or with any download tool.",
			Programs: "A link accepts GET, HEAD and POST.",
		},
		gateway.OutcomeBadRequest: {
			Title: "Bad request",
			Text:  "The confirmation did not arrive in the expected form.",
			Help:  "Open the link in a browser and press the button there.",
			Programs: "A program sends confirm=1 as application/x-www-form-urlencoded: " +
				"curl -fL -d confirm=1 with the link's address.",
		},
	}
}
