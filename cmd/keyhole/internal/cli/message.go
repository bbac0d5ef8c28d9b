package cli

import (
	"time"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/gateway/api"
	"keyhole/gateway/explain"
)

// messageOf returns a text for the recipient of a link, as explain.MessageFor does, in
// characters that are safe on a terminal.
func messageOf(link *api.Link, zone *time.Location) string {
	shown := *link
	shown.Filename, shown.URL = term.Plain(link.Filename), term.Plain(link.URL)
	return explain.MessageFor(&shown, zone)
}
