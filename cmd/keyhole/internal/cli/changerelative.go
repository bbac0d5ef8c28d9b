package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// clicksValue is the value of --max-clicks of change: a number, or a number to add.
type clicksValue struct {
	clicks int64
	added  bool // to the present limit
}

// String returns the value as a flag shows it.
func (v *clicksValue) String() string {
	if v.added {
		return "+" + strconv.FormatInt(v.clicks, 10)
	}
	return strconv.FormatInt(v.clicks, 10)
}

// Set reads the value.
func (v *clicksValue) Set(text string) (err error) {
	v.added = strings.HasPrefix(text, "+")
	v.clicks, err = strconv.ParseInt(text, 0, 64)
	return err
}

// Type returns the type that the help shows.
func (v *clicksValue) Type() string { return "int" }

// later is the sign of an --expires that counts from the present end of the link.
const later = "+"

// readExpires reads --expires. A value that counts from the present end is checked here, and
// set when the link is known.
func (f *changeFlags) readExpires(now time.Time, zone *time.Location) (lifetime, error) {
	added, relative := strings.CutPrefix(f.expires, later)
	if !relative {
		return readExpires(f.expires, now, zone)
	}
	var err error
	if f.later, err = parseLife(added); err != nil {
		err = command.Usage("--expires: "+err.Error(), "write it as +1h, +1d or +1w")
	}
	return lifetime{}, err
}

// before returns the link as it is before the change, to tell afterwards what has changed. It
// sets the values that count from the present ones, and makes the request conditional
// then, so that two changes at once do not add twice. It returns nil if nothing needs it.
func (f *changeFlags) before(ctx context.Context, c *client.Client, id string,
	r *api.ChangeRequest,
) (*api.Link, error) {
	relative := f.later > 0 || f.maxClicks.added
	if f.json && !relative {
		return nil, nil //nolint:nilnil // JSON has the whole link.
	}
	link, err := c.Show(ctx, id)
	if err != nil {
		if relative {
			return nil, unknownLink(id, err)
		}
		return nil, nil //nolint:nilnil // A key may change links without reading them.
	}
	if !relative {
		return &link, nil
	}
	return &link, f.addToPresent(&link, r)
}

// addToPresent sets the values that count from the present ones of a link.
func (f *changeFlags) addToPresent(link *api.Link, r *api.ChangeRequest) error {
	r.IfMatch = link.ETag
	if f.later > 0 {
		r.ExpiresIn = new(gateway.FormatLife(time.Until(link.ExpiresAt).Truncate(time.Millisecond) + f.later))
	}
	if !f.maxClicks.added {
		return nil
	}
	if link.MaxClicks == nil {
		return &command.Error{
			Err:  errors.New("--max-clicks " + f.maxClicks.String() + ": the uses of this link are not limited"),
			Hint: "omit --max-clicks, or give the whole number", Code: command.ExitFailed,
		}
	}
	r.MaxClicks = new(*link.MaxClicks + f.maxClicks.clicks)
	return nil
}

// countsFrom returns the time from which the longest life of the link counts, if --expires named
// a time or added to the present end, or else zero; and the time after which an end helps: to
// extend a link means an end after the present one.
func (f *changeFlags) countsFrom(before *api.Link) (since, present time.Time) {
	present = time.Now()
	switch {
	case f.until.IsZero() && f.later == 0:
		return time.Time{}, present
	case before == nil:
		return present, present
	case f.later > 0:
		return before.CreatedAt, before.ExpiresAt
	}
	return before.CreatedAt, present
}

// changedRows returns a row for each property that a change has changed, with its values
// before and after. before is nil if it is not known.
func changedRows(before, after *api.Link, r *api.ChangeRequest, zone *time.Location) [][]string {
	if before == nil {
		return nil
	}
	var rows [][]string
	add := func(name, was, is string) {
		if was != is {
			rows = append(rows, []string{"changed", fmt.Sprintf("%s %s → %s", name, was, is)})
		}
	}
	add("expires", onClock(before.ExpiresAt, zone), onClock(after.ExpiresAt, zone))
	add("max clicks", limitOf(before), limitOf(after))
	rows = append(rows, lowerLimit(before, after)...)
	add("state", before.State, after.State)
	add("begins", startOf(before, zone), startOf(after, zone))
	add("allowed addresses", orAll(before.Allow), orAll(after.Allow))
	add("language", orNone(before.Language), orNone(after.Language))
	add("note", orNone(before.Note), orNone(after.Note))
	add("labels", labelsOf(before), labelsOf(after))
	has := map[bool]string{true: "yes", false: "none"}
	switch {
	case before.Passphrase != after.Passphrase:
		add("passphrase", has[before.Passphrase], has[after.Passphrase])
	case r.Passphrase != nil:
		rows = append(rows, []string{"changed", "passphrase replaced"})
	}
	return rows
}

// lowerLimit returns a warning if a change has lowered the limit of uses: who wants further
// uses may have typed their number, which replaces the limit.
func lowerLimit(before, after *api.Link) [][]string {
	if before.MaxClicks == nil || after.MaxClicks == nil || *after.MaxClicks >= *before.MaxClicks {
		return nil
	}
	return [][]string{{"warning", "the limit is lower than before and includes past uses; to allow more uses, write " +
		"--max-clicks +N"}}
}

// limitOf writes the limit of clicks of a link.
func limitOf(l *api.Link) string {
	if l.MaxClicks == nil {
		return "unlimited"
	}
	return strconv.FormatInt(*l.MaxClicks, 10)
}

// startOf writes when a link begins to work.
func startOf(l *api.Link, zone *time.Location) string {
	if l.NotBefore == nil {
		return "at once"
	}
	return onClock(*l.NotBefore, zone)
}

// orAll writes the addresses that may use a link.
func orAll(allow []string) string {
	if len(allow) == 0 {
		return "all"
	}
	return strings.Join(allow, ", ")
}

// orNone writes a text that may be empty.
func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return strconv.Quote(text)
}

// labelsOf writes the labels of a link in the order of their names.
func labelsOf(l *api.Link) string {
	var labels []string
	for _, name := range slices.Sorted(maps.Keys(l.Labels)) {
		labels = append(labels, name+"="+l.Labels[name])
	}
	if len(labels) == 0 {
		return "none"
	}
	return strings.Join(labels, " ")
}
