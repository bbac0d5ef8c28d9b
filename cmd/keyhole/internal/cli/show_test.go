package cli

import (
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// A link is shown by the first characters of its ID too. The other commands refuse them,
// because they may name another link later.
func TestShowByReference(t *testing.T) {
	t.Parallel()
	for _, reference := range []string{
		testID()[:8], testID()[:25], " (" + testID()[:8] + "). ", strings.ToUpper(testID()[:8]), strings.ToUpper(testID()),
	} {
		sent := strings.ToLower(strings.Trim(reference, " ()."))
		f := &fakeAPI{answers: map[string]any{"GET /api/v1/links/" + sent: testLink()}}
		got := runOver(t, f, "show", reference)
		if got.code != command.ExitOK {
			t.Errorf("%q: %+v", reference, got)
		}
		has(t, got.stdout, testID())
	}
	for _, args := range [][]string{
		{"show", testID()[:7]},
		{"show", "aAaAaAaA"}, // perhaps a mistyped token, which must not leave this process
		{"events", testID()[:7]},
		{"change", testID()[:7], "--pause"},
	} {
		f := &fakeAPI{}
		got := runOver(t, f, args...)
		if got.code != command.ExitUsage || len(f.requests) != 0 {
			t.Errorf("%q: %+v after %d requests", args, got, len(f.requests))
		}
	}
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/links/" + testID()[:8]: api.Problem{
		Status: 409, Code: "ambiguous", Detail: "2 links have IDs that begin with aaaaaaaa; send more characters of the ID",
	}}}
	got := runOver(t, f, "show", testID()[:8])
	if got.code != command.ExitFailed {
		t.Errorf("several links: %+v", got)
	}
	has(t, got.stderr, "2 links have IDs", "give more characters of the ID")
}

// A command that changes something needs the whole ID, and names it if one link has the
// reference. Without a key it only says what is wrong.
func TestReferenceIsNotEnough(t *testing.T) {
	t.Parallel()
	path := "GET /api/v1/links/" + testID()[:8]
	for _, args := range [][]string{
		{"change", testID()[:8], "--pause"}, {"revoke", testID(), testID()[:8]}, {"resend", strings.ToUpper(testID()[:8])},
	} {
		for name, tt := range map[string]struct {
			answer any
			want   string
		}{
			"one": {testLink(), `the reference is of the link to s3://reports/q3\x1b.pdf: keyhole ` + args[0] + " " + testID()},
			"several": {
				api.Problem{Status: 409, Code: "ambiguous"}, "several links have this reference: keyhole list shows their IDs",
			},
			"none":    {nil, "no link that this key may see has this reference; check it"},
			"failure": {api.Problem{Status: 503, Code: "unavailable"}, "an ID has 26 letters and digits"},
		} {
			f := &fakeAPI{answers: map[string]any{path: tt.answer}}
			got := runOver(t, f, args...)
			if got.code != command.ExitUsage || got.stdout != "" || len(f.requests) != 1 {
				t.Errorf("%q, %s: %+v after %q", args, name, got, f.lines())
			}
			has(t, got.stderr, strings.ReplaceAll(tt.want, `\x1b`, `\x1b`))
		}
		got := runAs(t, "", nil, args...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, "neither the ID") {
			t.Errorf("%q without a key: %+v", args, got)
		}
	}
	for _, name := range []string{"show", "events"} {
		has(t, runOver(t, &fakeAPI{}, name, "x").stderr, "a reference of 8 characters begins an ID")
	}
}

// events finds the link of a reference first, because only one route takes references.
func TestEventsByReference(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/links/" + testID()[:8]:         testLink(),
		"GET /api/v1/links/" + testID() + "/events": api.EventPage{Events: []api.Event{testEvent("redirected")}},
	}}
	got := runOver(t, f, "events", strings.ToUpper(testID()[:8]))
	if got.code != command.ExitOK || !strings.Contains(got.stdout, "redirected") {
		t.Errorf("%+v after %q", got, f.lines())
	}
}

// show says why the link was refused last, and how to see all events.
func TestShowLastRefusal(t *testing.T) {
	t.Parallel()
	refused := testEvent("refused")
	refused.Outcome, refused.Address = "address_not_allowed", "192.0.2.7"
	older := refused
	older.Outcome = "expired"
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/links/" + testID(): testLink(),
		"GET /api/v1/links/" + testID() + "/events": api.EventPage{
			Events: []api.Event{testEvent("redirected"), refused, older},
		},
	}}
	got := runOver(t, f, "show", testID())
	has(t, got.stdout, "refused    "+refused.Time.Format(time.RFC3339)+
		", from 192.0.2.7: the link is not for this address (address_not_allowed)", "events     keyhole events "+testID())
	if strings.Contains(got.stdout, "(expired)") {
		t.Errorf("%+v", got)
	}
	delete(f.answers, "GET /api/v1/links/"+testID()+"/events")
	if got := runOver(t, f, "show", testID()); got.code != command.ExitOK || got.stderr != "" ||
		strings.Contains(got.stdout, "refused") {
		t.Errorf("without events: %+v", got)
	}
}

// list and show write the same second as share and change, also for an end just before it.
func TestTimesAreRounded(t *testing.T) {
	t.Parallel()
	link := testLink()
	link.ExpiresAt = time.Date(2026, 12, 4, 17, 59, 59, 864_000_000, time.UTC)
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/links": api.LinkPage{Links: []api.Link{link}}, "GET /api/v1/links/" + testID(): link,
	}}
	for _, args := range []string{"list", "list --wide", "show " + testID()} {
		if got := runOver(t, f, strings.Fields(args)...); !strings.Contains(got.stdout, "2026-12-04T18:00:00Z") {
			t.Errorf("%s: %+v", args, got)
		}
	}
}
