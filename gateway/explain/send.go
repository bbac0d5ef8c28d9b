package explain

import (
	"strconv"
	"strings"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// MessageFor returns a text for the recipient of a link, with times in zone. Its last line
// is the URL of the link, which the caller fills in. It is in the language of the link, else
// in English. It contains no passphrase. If the page of the link hides the file name, the
// message omits the name too, because people who read the message may not have the
// passphrase.
func MessageFor(link *api.Link, zone *time.Location) string {
	texts := MessageIn(link.Language)
	lines := []string{link.Filename}
	if HidesFile(link) {
		lines[0] = texts.File
	}
	// Each time has an offset, because the recipient may be in another zone.
	end := ReadableTime(link.ExpiresAt, zone)
	if link.NotBefore != nil && link.NotBefore.After(link.CreatedAt) {
		lines = append(lines, strings.NewReplacer("{start}", ReadableTime(*link.NotBefore, zone), "{end}", end).
			Replace(texts.FromUntil))
	} else {
		lines = append(lines, strings.ReplaceAll(texts.Until, "{end}", end))
	}
	switch {
	case link.MaxClicks == nil:
	case *link.MaxClicks == 1:
		lines = append(lines, texts.Once)
	default:
		lines = append(lines, strings.ReplaceAll(texts.Times, "{n}", strconv.FormatInt(*link.MaxClicks, 10)))
	}
	if link.Passphrase {
		lines = append(lines, texts.Passphrase)
	}
	return strings.Join(append(lines, link.URL), "\n") + "\n"
}

// HidesFile tells whether the page of a link shows nothing about the file before the
// passphrase.
func HidesFile(link *api.Link) bool {
	return link.Passphrase && link.Reveal == gateway.RevealAfter
}

// ReadableTime writes a time for people, with its offset from UTC, because a name such as CST is
// used by several zones.
func ReadableTime(at time.Time, zone *time.Location) string {
	at = at.Round(time.Second).In(zone) // an end just before 18:00 is 18:00, as in other outputs
	offset := at.Format("-07:00")
	if offset == "+00:00" {
		return at.Format("2006-01-02 15:04") + " UTC"
	}
	return at.Format("2006-01-02 15:04") + " (UTC" + offset + ")"
}
