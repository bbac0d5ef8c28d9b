package cli

import (
	"fmt"
	"strings"
	"time"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// messageOf returns a text for the recipient of a link, with times in zone. Its last line is
// the URL. It is in English, like the answers to programs. It contains no passphrase. If the
// page of the link hides the file name, the message omits the name too, because people who
// read the message may not have the passphrase.
func messageOf(link *api.Link, zone *time.Location) string {
	var b strings.Builder
	if hidesFile(link) {
		b.WriteString("A file for you\n")
	} else {
		fmt.Fprintf(&b, "%s\n", term.Plain(link.Filename))
	}
	// Each time has an offset, because the recipient may be in another zone.
	until := "The link works until " + readable(link.ExpiresAt, zone) + "."
	if link.NotBefore != nil && link.NotBefore.After(link.CreatedAt) {
		until = "The link works from " + readable(*link.NotBefore, zone) + " until " + readable(link.ExpiresAt, zone) + "."
	}
	fmt.Fprintln(&b, until)
	switch {
	case link.MaxClicks == nil:
	case *link.MaxClicks == 1:
		fmt.Fprintln(&b, "It can be used once.")
	default:
		fmt.Fprintf(&b, "It can be used %d times.\n", *link.MaxClicks)
	}
	if link.Passphrase {
		fmt.Fprintln(&b, "You need a passphrase, which you get separately.")
	}
	fmt.Fprintln(&b, term.Plain(link.URL))
	return b.String()
}

// hidesFile tells whether the page of a link shows nothing about the file before the
// passphrase.
func hidesFile(link *api.Link) bool { return link.Passphrase && link.Reveal == gateway.RevealAfter }

// readable writes a time for people, with its offset from UTC, because a name such as CST is
// used by several zones.
func readable(at time.Time, zone *time.Location) string {
	at = at.In(zone)
	offset := at.Format("-07:00")
	if offset == "+00:00" {
		return at.Format("2006-01-02 15:04") + " UTC"
	}
	return at.Format("2006-01-02 15:04") + " (UTC" + offset + ")"
}
