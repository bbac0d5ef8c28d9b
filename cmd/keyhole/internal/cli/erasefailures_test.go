package cli

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// Mistakes in an erasure, of the user or found by the service, have exact messages. The
// service names fields, and the message names the flags that were typed.
func TestEraseMistakes(t *testing.T) {
	t.Parallel()
	const usage = "  usage: keyhole audit erase --link ID|URL | [--address] ADDRESS [flags]\n"
	f := &fakeAPI{}
	for args, want := range map[string]string{
		"":                 "keyhole: neither --link nor --address was given\n" + usage,
		"--yes --reason x": "keyhole: neither --link nor --address was given\n" + usage,
		"--address 1.2.3.4 " + testID(): "" +
			"keyhole: keyhole audit erase takes only flags, or one address, not 1 argument\n" + usage,
		"--address 1.2.3.4 --link " + testID(): "keyhole: --link and --address cannot be combined\n" +
			"  run the command once for each\n",
		"--reason= --address 1.2.3.4": "keyhole: --reason is empty; omit it or give it a value\n" +
			"  is the variable in it unset?\n",
		"--address": "keyhole: flag needs an argument: --address\n  see: keyhole audit erase --help\n",
		"--ndjson --address 1.2.3.4": "keyhole: unknown flag: --ndjson\n" +
			"  did you mean --json? see: keyhole audit erase --help\n",
	} {
		got := runOver(t, f, append([]string{"audit", "erase"}, strings.Fields(args)...)...)
		if got != (result{command.ExitUsage, "", want}) {
			t.Errorf("%q: %+v, want %s", args, got, want)
		}
	}
	if len(f.requests) > 0 {
		t.Errorf("sent %v", f.requests)
	}
	for field, want := range map[string]string{
		"address": "--address", "link": "--link", "reason": "--reason", "cursor": "cursor",
	} {
		f := &fakeAPI{answers: map[string]any{"POST /api/v1/audit/erasures": api.Problem{
			Status: 422, Code: "invalid", Detail: "see errors",
			Errors: []api.FieldError{{Field: field, Code: "invalid", Message: "is wrong"}},
		}}}
		want = "keyhole: " + want + ": is wrong\n  correct the values named above and try again\n"
		got := runOver(t, f, "audit", "erase", "--address", "here")
		if got != (result{command.ExitFailed, "", want}) {
			t.Errorf("%s: %+v, want %s", field, got, want)
		}
	}
}

// An erasure that the service refuses or that breaks off reports no numbers. What cannot be
// read is a failure, whose numbers are printed.
func TestEraseFails(t *testing.T) {
	t.Parallel()
	first := wireAnswer{body: `{"feed_events":2,"link_events":1,"next":"c1","remains":[]}`}
	const unread = "keyhole: 2 events could not be read and may still have addresses: a newer version of the service " +
		"wrote them\n  repeat the command with a service of that version\n"
	for name, tt := range map[string]struct {
		answers []wireAnswer
		args    []string
		want    result
	}{
		"not allowed": {
			[]wireAnswer{{403, `{"status":403,"code":"forbidden","detail":"this key may not revoke"}`, false}},
			nil,
			result{command.ExitFailed, "", "keyhole: this key may not revoke\n  use a key that allows this, " +
				"or ask the operator of the service to extend this key's \"can\"\n"},
		},
		"an unknown link": {
			[]wireAnswer{{404, `{"status":404,"code":"not_found","detail":"there is no such link"}`, false}},
			[]string{"--json"},
			result{command.ExitFailed, "", "keyhole: link " + testID() + ": there is no such link\n" +
				"  check the ID of the link; " +
				"keyhole list shows the links that this key may see\n"},
		},
		"an outage later": {
			[]wireAnswer{first, {503, `{"status":503,"code":"unavailable","detail":"Redis is away"}`, false}},
			nil,
			result{command.ExitFailed, "", "keyhole: Redis is away\n  try again in a few seconds; keyhole health and, " +
				"where the service runs, keyhole doctor find the cause\n"},
		},
		"a cut answer": {
			[]wireAnswer{first, {body: `{"feed_events"`, cut: true}},
			[]string{"--json"},
			result{command.ExitFailed, "", "keyhole: the answer broke off: unexpected EOF\n" +
				"  the request may have succeeded: check before you repeat it\n"},
		},
		"unreadable in two calls": {
			[]wireAnswer{
				{body: `{"feed_events":0,"link_events":1,"unreadable":1,"next":"c1","remains":[]}`},
				{body: `{"feed_events":1,"link_events":0,"unreadable":1,"remains":[{"code":"log","message":"the log"}]}`},
			},
			nil,
			result{command.ExitFailed, "erased 1 address from the audit feed and 1 address from the events of links\n" +
				"What remains:\n- the log\n", unread},
		},
		"unreadable, as JSON": {
			[]wireAnswer{{body: `{"feed_events":0,"link_events":0,"unreadable":2,"done":false,"remains":[]}`}},
			[]string{"--json"},
			result{command.ExitFailed, "{\n  \"feed_events\": 0,\n  \"link_events\": 0,\n  \"unreadable\": 2,\n" +
				"  \"done\": false,\n  \"remains\": []\n}\n", unread},
		},
	} {
		service := &inTurn{answers: tt.answers}
		args := append([]string{"audit", "erase", "--link", testID(), "--reason", "asked"}, tt.args...)
		got := runAgainst(t, service, args...)
		if got != tt.want || len(service.requests) != len(tt.answers) {
			t.Errorf("%s: %+v after %d requests, want %+v", name, got, len(service.requests), tt.want)
		}
		for _, request := range service.requests {
			if request.body["link"] != testID() || request.body["reason"] != "asked" || request.body["address"] != nil {
				t.Errorf("%s: sent %v", name, request.body)
			}
		}
	}
}

// The question names what is erased, without control characters that could hide a part of
// it. A person who cannot read the question must not answer it.
func TestEraseQuestion(t *testing.T) {
	t.Parallel()
	answers := []wireAnswer{{body: `{"feed_events":1,"done":true,"remains":[]}`}}
	for _, tt := range []struct{ flag, value, want string }{
		{"--link", testID(), "all addresses from the events of link " + testID()},
		{"--address", "192.0.2.0/24", "the address 192.0.2.0/24 from the events of all links"},
		{"--address", "1.2.3.4\x1b[8m", `the address 1.2.3.4\x1b[8m from the events of all links`},
	} {
		for typed, erases := range map[string]bool{
			"y\n": true, " YES \n": true, "yes please\n": false, "ja\n": false, "y\x04\x04": false,
		} {
			got, service := runOnScreen(t, typed, answers, "audit", "erase", tt.flag, tt.value)
			has(t, got.stderr, "Erase "+tt.want+"? This cannot be undone. [y/N] ")
			if (got.code == command.ExitOK) != erases || len(service.requests) > 0 != erases ||
				strings.Contains(got.stderr, "keyhole: nothing was erased\n") == erases || (got.stdout != "") != erases {
				t.Errorf("%s, %q: %+v after %d requests", tt.value, typed, got, len(service.requests))
			}
		}
	}
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/audit/erasures": api.Erasure{Done: true}}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	at := newTerminal(t, "y\n")
	var stderr strings.Builder
	code := runCLI(t.Context(), []string{"audit", "erase", "--address", "192.0.2.7"}, command.Env{
		Stdin: at.tty, Stdout: at.tty, Stderr: &stderr,
		Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
	})
	at.close(t)
	const want = "keyhole: cannot ask for confirmation, because standard error is not a terminal\n" +
		"  add --yes, or leave standard error on the terminal\n"
	if code != command.ExitUsage || stderr.String() != want || len(f.requests) > 0 {
		t.Errorf("a hidden question: exit %d after %d requests, %s", code, len(f.requests), stderr.String())
	}
}

// Erasures are changes by operators, so they can be selected by the actor. They have no
// outcome.
func TestAuditOfErasures(t *testing.T) {
	t.Parallel()
	erased := api.Event{
		Time: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Kind: "erased", Actor: "dpo", Reason: "asked",
	}
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/audit": api.EventPage{Events: []api.Event{erased}}}}
	got := runOver(t, f, "audit", "--kind", "erased", "--actor", "dpo")
	want := []string{"2026-11-01T00:00:00Z", "erased", "-", "-", "dpo", "-", "-", "-"}
	lines := strings.Split(got.stdout, "\n")
	if got.code != command.ExitOK || len(lines) != 3 || !slices.Equal(strings.Fields(lines[1]), want) {
		t.Fatalf("%+v", got)
	}
	sent, err := url.Parse(strings.Fields(f.requests[0].line)[1])
	if err != nil || sent.RawQuery != "actor=dpo&kind=erased&limit=50" {
		t.Errorf("%v, sent %s", err, f.requests[0].line)
	}
	got = runOver(t, f, "audit", "--kind", "erased", "--outcome", "expired")
	if got.code != command.ExitUsage || !strings.Contains(got.stderr, "no event matches --kind, --actor and --outcome") {
		t.Errorf("with an outcome: %+v", got)
	}
	got = runOver(t, f, "audit", "--kind", "erased", "--ndjson")
	var line map[string]any
	err = json.Unmarshal([]byte(got.stdout), &line)
	if err != nil || line["actor"] != "dpo" || line["reason"] != "asked" {
		t.Errorf("--ndjson: %v, %+v", err, got)
	}
}
