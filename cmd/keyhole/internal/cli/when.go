package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
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

// parsePoint reads a date, or a time with its zone. A date is endOfDay or the start of the
// day in zone. ok is false if text is neither. If text looks like a time, wrong then says what
// is missing.
func parsePoint(text string, zone *time.Location, endOfDay bool) (point time.Time, wrong string, ok bool) {
	if date, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		if endOfDay {
			date = time.Date(date.Year(), date.Month(), date.Day(), 23, 59, 59, 0, zone)
		}
		return date, "", true
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, "", true
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		// The person probably means the zone of this machine, but a script may run elsewhere.
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return time.Time{}, "has no time zone; did you mean " + at.Format(time.RFC3339) + "?", false
		}
	}
	return time.Time{}, "", false
}

// lifetime is the value of --expires.
type lifetime struct {
	expiresIn string    // for the service, which takes durations and days
	until     time.Time // the time that --expires names; zero: --expires is a duration
}

// readExpires reads --expires. A date means the end of that day in zone. A time becomes the
// duration until then by this machine's clock, rounded down to seconds, because the service
// takes durations only.
func readExpires(text string, now time.Time, zone *time.Location) (lifetime, error) {
	const forms = "write it as 90m, 24h, 3d, 2w, 2026-12-01 (until the end of that day here) or " +
		"2026-12-01T18:00:00+01:00"
	life, err := parseLife(text)
	if err == nil {
		if strings.HasSuffix(text, "w") {
			text = gateway.FormatLife(life)
		}
		return lifetime{expiresIn: text}, nil
	}
	until, wrong, ok := parsePoint(text, zone, true)
	switch {
	case wrong != "":
		return lifetime{}, command.Usage(fmt.Sprintf("--expires: %.40q %s", text, wrong), forms)
	case !ok:
		return lifetime{}, command.Usage("--expires: "+err.Error(), forms)
	}
	life = until.Sub(now).Truncate(time.Second)
	if life < time.Second {
		return lifetime{}, command.Usage(fmt.Sprintf("--expires: %s is over", until.Format(time.RFC3339)),
			"name a time in the future; this machine's clock says "+now.In(zone).Format(time.RFC3339))
	}
	return lifetime{expiresIn: gateway.FormatLife(life), until: until}, nil
}

// readNotBefore reads --not-before as a time in RFC 3339. A duration counts from now, and a
// date means the start of that day in zone.
func readNotBefore(text string, now time.Time, zone *time.Location) (string, error) {
	if life, err := parseLife(text); err == nil {
		return now.Add(life).In(zone).Format(time.RFC3339), nil
	}
	start, wrong, ok := parsePoint(text, zone, false)
	if !ok {
		if wrong == "" {
			wrong = "is not a time"
		}
		return "", command.Usage(fmt.Sprintf("--not-before: %.40q %s", text, wrong),
			"write it as 2026-12-01T08:00:00Z, with the time zone, as 2026-12-01 (from the start of that day here) or as 2h "+
				"(from now)")
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
