package explain

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"keyhole/gateway"
)

// Plural writes a number with a noun, which gets an s unless the number is 1. The nouns of
// Keyhole, such as link and object, are all regular.
func Plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Number writes a number with separators: 12,345.
func Number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return sign + b.String()
}

// Size writes a number of bytes in binary units (IEC 80000-13), as tools of operators do,
// with one digit after the point, and the exact number. It returns "" for nil, because
// some storages do not report the size. Pages for recipients use decimal units, like browsers.
func Size(known *int64) string {
	const unit = 1024
	if known == nil {
		return ""
	}
	n := *known
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < len("KMGTPE")-1 {
		value /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %ciB (%d bytes)", value, "KMGTPE"[prefix], n)
}

// Timestamp writes a time like Moment. It returns "" for nil, because some
// storages do not report when an object was modified.
func Timestamp(known *time.Time) string {
	if known == nil {
		return ""
	}
	return Moment(*known)
}

// Moment writes a time in RFC 3339, with its zone, rounded to the nearest second. Every text
// for people rounds in this way, because a link that is to end at 18:00 may end a part of a
// second before or after: the request takes time.
func Moment(at time.Time) string { return at.Round(time.Second).Format(time.RFC3339) }

// Language writes the language of a link's pages: its English name and its tag. For a
// language that this version does not know, it returns only the tag.
func Language(tag string) string {
	for i, known := range gateway.Languages() {
		if known == tag {
			return languageNames()[i] + " (" + tag + ")"
		}
	}
	return tag
}

// languageNames returns the English names of gateway.Languages, in the same order.
func languageNames() []string {
	return []string{
		"English", "German", "French", "Spanish", "Portuguese", "Italian", "Dutch", "Polish", "Japanese", "Chinese",
		"Arabic",
	}
}

// Outcome says why a click was refused, and the code of the outcome. It returns the code
// alone for an outcome that this version does not know.
func Outcome(code string) string {
	words := OutcomeWords(code)
	if words == code {
		return code
	}
	return words + " (" + code + ")"
}

// OutcomeWords says why a click was refused. It returns the code for an outcome that this
// version does not know.
func OutcomeWords(code string) string {
	// Past tense: the link may have changed since the click.
	words := map[gateway.Outcome]string{
		gateway.OutcomeNotFound:             "there was no such link",
		gateway.OutcomeExpired:              "the link had expired",
		gateway.OutcomeRevoked:              "the link was revoked",
		gateway.OutcomeUsedUp:               "the link had been used as often as it can be",
		gateway.OutcomePaused:               "the link was paused",
		gateway.OutcomeNotYet:               "the link had not begun to work",
		gateway.OutcomeAddressNotAllowed:    "the link is not for this address",
		gateway.OutcomeWrongPassphrase:      "the passphrase was wrong",
		gateway.OutcomeConfirmationRequired: "the page was not confirmed",
		gateway.OutcomeObjectChanged:        "the object was replaced after the issue",
		gateway.OutcomeObjectGone:           "the object was deleted",
		gateway.OutcomeObjectArchived:       "the object was archived",
		gateway.OutcomeRateLimited:          "there were too many attempts",
		gateway.OutcomeUnavailable:          "the service could not reach Redis or the storage",
		gateway.OutcomeMethodNotAllowed:     "the program used another method than GET, HEAD or POST",
		gateway.OutcomeBadRequest:           "the form did not arrive completely",
	}[gateway.Outcome(code)]
	return cmp.Or(words, code)
}
