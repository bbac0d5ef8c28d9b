package cli

import (
	"fmt"
	"io"
	"time"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/explain"
)

// repeatTolerance is the age from which a link was issued by an earlier request. The service
// tells the time of an answer in whole seconds, and its clock may differ from that of Redis.
const repeatTolerance = 5 * time.Second

// repeated returns the age of a link that an earlier command with the same --idempotency-key
// has issued, by the clocks of the service only.
func (f *shareFlags) repeated(link *api.Link) (age time.Duration, is bool) {
	if f.drawnKey || link.Answered.IsZero() {
		return 0, false
	}
	age = link.Answered.Sub(link.CreatedAt)
	unit := time.Second
	if age > time.Hour/2 {
		unit = time.Minute // the seconds of a long time tell nobody anything
	}
	return age.Round(unit), age > repeatTolerance
}

// tellRepeated says that a link is not new, so that nobody takes it for a second one.
func (f *shareFlags) tellRepeated(w io.Writer, link *api.Link) {
	if age, is := f.repeated(link); is {
		fmt.Fprintf(w, "  note      the link %s was issued %s ago by an earlier request with this --idempotency-key\n",
			term.Plain(link.ID), gateway.SpellLife(age))
	}
}

// warnOfEnded warns of a URL that does not work. The warning is the last line: the URL is
// about to be sent to someone, and the lines above it may have scrolled away.
func warnOfEnded(w io.Writer, name string, link *api.Link) {
	if !explain.Usable(link) {
		fmt.Fprintf(w, "warning: an earlier request issued %s, and it is %s\n", name, term.Plain(link.State))
	}
}
