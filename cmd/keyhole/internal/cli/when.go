package cli

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// wholeWeeks matches a number of weeks that a duration can hold.
var wholeWeeks = regexp.MustCompile(`^([0-9]{1,4})w$`)

// parseLife reads a duration such as 90m, 24h, 3d or 2w.
func parseLife(text string) (time.Duration, error) {
	if weeks := wholeWeeks.FindStringSubmatch(text); weeks != nil {
		n, err := strconv.Atoi(weeks[1])
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, fmt.Errorf("%q is too short: a link lives for at least one second", text)
		}
		text = strconv.Itoa(7*n) + "d"
	}
	return gateway.ParseLife(text)
}

// parsePoint reads a date, or a time with or without its zone. A date is endOfDay or the
// start of the day. A date, and a time without a zone, are those of this machine's zone.
func parsePoint(text string, zone *time.Location, endOfDay bool) (point time.Time, ok bool) {
	if date, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		if endOfDay {
			date = time.Date(date.Year(), date.Month(), date.Day(), 23, 59, 59, 0, zone)
		}
		return date, true
	}
	const toMinute, toSecond = "T15:04", "T15:04:05"
	// People write a space for the T, and leave out the seconds.
	spelled := strings.Replace(text, " ", "T", 1)
	for _, layout := range []string{toSecond + "Z07:00", toMinute + "Z07:00", toSecond, toMinute} {
		if at, err := time.ParseInLocation(time.DateOnly+layout, spelled, zone); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// lifetime is the value of --expires.
type lifetime struct {
	expiresIn string    // for the service, which takes durations and days
	until     time.Time // the time that --expires names; zero: --expires is a duration
}

// readExpires reads --expires. A date means the end of that day in zone. A time becomes the
// duration until then by this machine's clock, because the service takes durations only.
// Rounded down to milliseconds, it ends the link in the second that was named and never
// exceeds a limit that the time itself keeps.
func readExpires(text string, now time.Time, zone *time.Location) (lifetime, error) {
	const forms = "write it as 90m, 24h, 3d, 2w, 2026-12-01 (until the end of that day here), " +
		"\"2026-12-01 18:00\" (here) or 2026-12-01T18:00:00+01:00"
	life, err := parseLife(text)
	if err == nil {
		if strings.HasSuffix(text, "w") {
			text = gateway.FormatLife(life)
		}
		return lifetime{expiresIn: text}, nil
	}
	until, ok := parsePoint(text, zone, true)
	if !ok {
		return lifetime{}, command.Usage("--expires: "+err.Error(), forms)
	}
	expiresIn := lifeUntil(until, now)
	if expiresIn == "" {
		return lifetime{}, command.Usage(fmt.Sprintf("--expires: %s is over", until.Format(time.RFC3339)),
			"name a time in the future; this machine's clock says "+now.In(zone).Format(time.RFC3339))
	}
	return lifetime{expiresIn: expiresIn, until: until}, nil
}

// lifeUntil returns the duration from now until a time, as the service takes it. It is empty
// if less than a second is left, the shortest life of a link.
func lifeUntil(until, now time.Time) string {
	life := until.Sub(now).Truncate(time.Millisecond)
	if life < time.Second {
		return ""
	}
	return gateway.FormatLife(life)
}

// sendTime is subtracted from the life until a time that was named, so that the link ends
// before that time although the request takes a while. It is less than half a second, so
// that the end still rounds to the second that was named.
const sendTime = 400 * time.Millisecond

// lifeToSend returns the life until a time for a request that is sent now. It is "0s", which
// the service refuses, if the time has passed meanwhile.
func lifeToSend(until, now time.Time) string {
	return cmp.Or(lifeUntil(until, now.Add(sendTime)), lifeUntil(until, now), "0s")
}

// overLimit matches the limit in a refusal of a life that is too long, and latestEnd the
// latest end in a refusal of a change.
var (
	overLimit = regexp.MustCompile(`is over the limit of (\S+)`)
	latestEnd = regexp.MustCompile(`the latest end is (\S+)`)
)

// withLatest adds to the refusal of a life that is too long the latest end that --expires can
// name. named tells that --expires named a time: a duration can be compared with the limit
// without help. The texts of the service may change, so without a match err stays as it is.
func withLatest(err error, named bool, now time.Time, zone *time.Location) error {
	if !named {
		return withLatestSince(err, time.Time{}, now, zone)
	}
	return withLatestSince(err, now, now, zone)
}

// withLatestSince is withLatest with the time from which the limit counts: from now for a new
// link, and from its issue for a change; zero: the limit alone is clear enough. It adds only an
// end after the time after.
func withLatestSince(err error, since, after time.Time, zone *time.Location) error {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err
	}
	for _, f := range refused.Errors {
		// The request takes time, so the flag names a time just before the latest.
		latest := latestOf(&f, since).Add(-2 * time.Second).Truncate(time.Minute)
		if latest.After(after) {
			const form = "2006-01-02 15:04"
			return &command.Error{
				Err: err, Code: command.ExitFailed,
				Hint: fmt.Sprintf("the latest is %s: --expires %s", explain.ReadableTime(latest, zone),
					term.ShellWord(latest.In(zone).Format(form))),
			}
		}
	}
	return err
}

// latestOf returns the latest end that a refusal of a field allows, or zero.
func latestOf(f *api.FieldError, since time.Time) time.Time {
	if match := latestEnd.FindStringSubmatch(f.Message); match != nil {
		if latest, err := time.Parse(time.RFC3339, match[1]); err == nil {
			return latest
		}
	}
	match := overLimit.FindStringSubmatch(f.Message)
	if match == nil || since.IsZero() || f.Field != "--expires" {
		return time.Time{}
	}
	limit, err := gateway.ParseLife(match[1])
	if err != nil {
		return time.Time{}
	}
	return since.Add(limit)
}

// onClock writes a time in the zone of a person.
func onClock(at time.Time, zone *time.Location) string { return explain.Moment(at.In(zone)) }

// readNotBefore reads --not-before as a time in RFC 3339. A duration counts from now, and a
// date means the start of that day in zone.
func readNotBefore(text string, now time.Time, zone *time.Location) (string, error) {
	if life, err := parseLife(text); err == nil {
		return now.Add(life).In(zone).Format(time.RFC3339), nil
	}
	start, ok := parsePoint(text, zone, false)
	if !ok {
		return "", command.Usage(fmt.Sprintf("--not-before: %.40q is not a time", text),
			"write it as 2026-12-01T08:00:00Z, with the time zone, as \"2026-12-01 08:00\" (here), as 2026-12-01 (from the "+
				"start of that day here) or as 2h (from now)")
	}
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		return text, nil // as it was typed, with its fraction of a second
	}
	return start.Format(time.RFC3339), nil
}

// moves reports whether the request for a value of --expires or --not-before changes with
// the time of the call.
func moves(flag, text string) bool {
	_, err := parseLife(text)
	if flag == "not-before" {
		return err == nil
	}
	return err != nil
}
