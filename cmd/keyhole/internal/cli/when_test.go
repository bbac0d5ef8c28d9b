package cli

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// berlin is a zone with another offset in summer.
func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// --expires takes durations, days, weeks, dates and times. A date ends with its day where
// the person is, also on a day with another number of hours.
func TestReadExpires(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	now := time.Date(2026, 11, 28, 12, 0, 0, 300_000_000, zone)
	for text, want := range map[string]string{
		"90m": "90m", "24h": "24h", "3d": "3d", "1.5h": "1.5h", "2w": "14d", "1w": "7d",
		"2026-11-28": "11h59m58.7s", "2026-12-01": "83h59m58.7s", "2026-11-28T18:00:00+01:00": "5h59m59.7s",
		"2026-11-28T18:00:00Z": "6h59m59.7s", "2026-11-28T18:00Z": "6h59m59.7s", "2026-11-28 18:00+01:00": "5h59m59.7s",
		// Without a zone it is the time of this machine.
		"2026-11-28T18:00": "5h59m59.7s", "2026-11-28 18:00": "5h59m59.7s", "2026-11-28 18:00:30": "6h0m29.7s",
		"0w":   `! "0w" is too short`,
		"1.5w": `! "1.5w" is not a duration`, "-1d": `! "-1d" is not a duration`,
		"2W": `! "2W" is not a duration`, "99999w": `! "99999w" is not a duration`, "": `! "" is not a duration`,
		"tomorrow": `! "tomorrow" is not a duration`, "2026-13-01": `! "2026-13-01" is not a duration`,
		"2026-11-27":                "! 2026-11-27T23:59:59+01:00 is over",
		"2026-11-28T12:00:00+01:00": "! 2026-11-28T12:00:00+01:00 is over",
		"2026-12-01 25:00":          `! "2026-12-01 25:00" is not a duration`,
		"2026-12-01 6pm":            `! "2026-12-01 6pm" is not a duration`,
	} {
		got, err := readExpires(text, now, zone)
		if problem, refused := strings.CutPrefix(want, "! "); refused {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("%q: got %+v, %v, want %s", text, got, err, problem)
			}
			continue
		}
		if err != nil || got.expiresIn != want {
			t.Errorf("%q: got %+v, %v, want %s", text, got, err, want)
		}
	}
	summer := time.Date(2026, 3, 29, 0, 30, 0, 0, zone) // the day has 23 hours
	if got, err := readExpires("2026-03-29", summer, zone); err != nil || got.expiresIn != "22h29m59s" {
		t.Errorf("on the first day of summer time: %+v, %v", got, err)
	}
}

// --not-before takes the same forms. A date begins with its day, and a duration counts from
// now.
func TestReadNotBefore(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, zone)
	for text, want := range map[string]string{
		"2026-12-01T08:00:00Z": "2026-12-01T08:00:00Z", "2026-12-01T08:00:00.5+09:00": "2026-12-01T08:00:00.5+09:00",
		"2026-12-01": "2026-12-01T00:00:00+01:00", "2h": "2026-11-28T14:00:00+01:00", "1w": "2026-12-05T12:00:00+01:00",
		"tomorrow":            `! --not-before: "tomorrow" is not a time`,
		"2026-12-01T08:00:00": "2026-12-01T08:00:00+01:00", "2026-07-01 08:00": "2026-07-01T08:00:00+02:00",
		"2026-12-01T08:00Z": "2026-12-01T08:00:00Z",
	} {
		got, err := readNotBefore(text, now, zone)
		if problem, refused := strings.CutPrefix(want, "! "); refused {
			if err == nil || err.Error() != problem {
				t.Errorf("%q: got %q, %v, want %s", text, got, err, problem)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %s", text, got, err, want)
		}
	}
}

// A time in --expires and a duration in --not-before are another request with each call.
func TestMoves(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"expires 24h": false, "expires 2w": false, "expires 2026-12-01": true, "expires 2026-12-01T08:00:00Z": true,
		"not-before 2h": true, "not-before 2026-12-01": false, "not-before 2026-12-01T08:00:00Z": false,
	} {
		flag, text, _ := strings.Cut(value, " ")
		if got := moves(flag, text); got != want {
			t.Errorf("%s: got %v", value, got)
		}
	}
}

// The hints of a wrong time show the forms that the flag takes; a time that is over shows the
// clock, because it may be the mistake. Long texts are cut.
func TestHintsOfTimes(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, zone)
	const (
		ends = "write it as 90m, 24h, 3d, 2w, 2026-12-01 (until the end of that day here), " +
			"\"2026-12-01 18:00\" (here) or 2026-12-01T18:00:00+01:00"
		from = "write it as 2026-12-01T08:00:00Z, with the time zone, as \"2026-12-01 08:00\" (here), as 2026-12-01 " +
			"(from the start of that day here) or as 2h (from now)"
	)
	long := strings.Repeat("x", 90)
	for text, want := range map[string][2]string{
		"expires 2026-07-01 18:00": { // in summer the zone has another offset
			"--expires: 2026-07-01T18:00:00+02:00 is over",
			"name a time in the future; this machine's clock says 2026-11-28T12:00:00+01:00",
		},
		"expires 2026-11-28T11:59:59+01:00": {
			"--expires: 2026-11-28T11:59:59+01:00 is over",
			"name a time in the future; this machine's clock says 2026-11-28T12:00:00+01:00",
		},
		"expires 2026-11-28T12:00:00.9+01:00": { // less than a second is left
			"--expires: 2026-11-28T12:00:00+01:00 is over",
			"name a time in the future; this machine's clock says 2026-11-28T12:00:00+01:00",
		},
		"expires 0w":            {`--expires: "0w" is too short: a link lives for at least one second`, ends},
		"not-before " + long:    {`--not-before: "` + long[:40] + `" is not a time`, from},
		"not-before 2026-02-30": {`--not-before: "2026-02-30" is not a time`, from},
		"not-before 0w":         {`--not-before: "0w" is not a time`, from},
		"not-before now":        {`--not-before: "now" is not a time`, from},
		"not-before -2h":        {`--not-before: "-2h" is not a time`, from},
	} {
		flag, value, _ := strings.Cut(text, " ")
		var err error
		if flag == "expires" {
			_, err = readExpires(value, now, zone)
		} else {
			_, err = readNotBefore(value, now, zone)
		}
		code, hint := 0, ""
		if err != nil {
			code, hint = exitCodeAndHint(err)
		}
		if code != command.ExitUsage || err.Error() != want[0] || hint != want[1] {
			t.Errorf("%s: exit %d, %v\n%s\nwant %s\n%s", text, code, err, hint, want[0], want[1])
		}
	}
}

// A duration names no point in time; a date or time does, which the command compares with the
// end of the link.
func TestReadExpiresNamesAPoint(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, zone)
	for text, want := range map[string]string{
		"24h": "", "2w": "", "9999w": "",
		"2026-03-28":           "2026-03-28T23:59:59+01:00",
		"2026-03-29":           "2026-03-29T23:59:59+02:00", // summer time has begun
		"2026-10-25":           "2026-10-25T23:59:59+01:00", // and has ended
		"2028-02-29":           "2028-02-29T23:59:59+01:00",
		"2026-04-01T08:00:00Z": "2026-04-01T08:00:00Z",
	} {
		got, err := readExpires(text, now, zone)
		named := ""
		if !got.until.IsZero() {
			named = got.until.Format(time.RFC3339)
		}
		if err != nil || named != want {
			t.Errorf("%s: got %q, %v, want %q", text, named, err, want)
		}
		life, err := gateway.ParseLife(got.expiresIn)
		if err != nil || want != "" && !now.Add(life).Equal(got.until) {
			t.Errorf("%s: the service gets %s, %v", text, got.expiresIn, err)
		}
	}
	// A start by date or duration has the offset of its own day.
	for text, want := range map[string]string{
		"2026-03-29": "2026-03-29T00:00:00+01:00", "2026-03-30": "2026-03-30T00:00:00+02:00",
		"1d": "2026-03-29T13:00:00+02:00", "1.5h": "2026-03-28T13:30:00+01:00", "9999w": "2217-11-15T12:00:00+01:00",
	} {
		if got, err := readNotBefore(text, now, zone); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}

// A refused time has the latest one as its hint, in the zone of the person and as a flag. A
// refused duration names the limit already.
func TestLatestEnd(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	now := time.Date(2026, 11, 28, 12, 0, 30, 0, zone)
	for message, want := range map[string][2]string{ // with a time, and with a duration
		"60h is over the limit of 24h (sensitivity was not stated)": {
			"the latest is 2026-11-29 12:00 (UTC+01:00): --expires '2026-11-29 12:00'", "",
		},
		"a link lives at most 24h from its issue; the latest end is 2026-11-29T00:26:01Z": {
			"the latest is 2026-11-29 01:25 (UTC+01:00): --expires '2026-11-29 01:25'",
			"the latest is 2026-11-29 01:25 (UTC+01:00): --expires '2026-11-29 01:25'",
		},
		"a link lives at most 24h from its issue; it cannot be extended":   {},
		"a link lives at most 24h; the latest end is 2026-11-28T11:00:40Z": {}, // less than a minute is left
		"60h is over the limit of ever":                                    {},
	} {
		for i, named := range []bool{true, false} {
			err := withLatest(&client.Error{Problem: api.Problem{Code: "invalid", Errors: []api.FieldError{
				{Field: "--note", Message: "has 2000 characters"}, {Field: "--expires", Message: message},
			}}}, named, now, zone)
			if got := hintOf(err); got != want[i] || !strings.Contains(err.Error(), message) {
				t.Errorf("%s: got %q, want %q", message, got, want[i])
			}
		}
	}
	if err := withLatest(io.ErrUnexpectedEOF, true, now, zone); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("another error: %v", err)
	}
}

// share shows the end in the second that was asked for, and counts the life again right before
// the request, whose time must not make the link end later than asked for.
func TestEndThatWasAskedFor(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	end := time.Date(2026, 12, 4, 18, 0, 0, 0, zone)
	for _, off := range []time.Duration{-400 * time.Millisecond, 0, 400 * time.Millisecond} {
		if got := onClock(end.Add(off).UTC(), zone); got != "2026-12-04T18:00:00+01:00" {
			t.Errorf("%v: got %s", off, got)
		}
	}
	f := &shareFlags{until: end}
	for left, want := range map[time.Duration]string{
		time.Hour: "59m59.6s", 1500 * time.Millisecond: "1.1s", 1200 * time.Millisecond: "1.2s", 0: "0s", -time.Hour: "0s",
	} {
		f.expiryToSend(nil, end.Add(-left))
		if f.request.ExpiresIn != want {
			t.Errorf("%v left: got %s, want %s", left, f.request.ExpiresIn, want)
		}
	}
	f = &shareFlags{request: api.IssueRequest{ExpiresIn: "2h"}}
	if f.expiryToSend(nil, end); f.request.ExpiresIn != "2h" {
		t.Errorf("a duration became %s", f.request.ExpiresIn)
	}
}
