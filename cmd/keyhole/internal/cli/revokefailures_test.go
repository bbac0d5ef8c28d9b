package cli

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// A bulk revocation that fails says how many links it has revoked, because those stay
// revoked. The hint is that of the failure.
func TestRevokeFailsMidway(t *testing.T) {
	t.Parallel()
	const first = `{"matched":2,"revoked":2,"done":false,"next":"1"}`
	for name, tt := range map[string]struct {
		answers []wireAnswer
		want    string
	}{
		"at once": {
			[]wireAnswer{{429, `{"status":429,"code":"rate_limited","detail":"too many failures"}`, false}},
			"keyhole: too many failures\n  try again in a minute; if the key is refused, check it\n",
		},
		"after some": {
			[]wireAnswer{{body: first}, {503, `{"status":503,"code":"unavailable","detail":"Redis is away"}`, false}},
			"keyhole: after 2 links revoked: Redis is away\n  try again in a few seconds; " +
				"keyhole health and, where the service runs, keyhole doctor find the cause\n",
		},
		"cut": {
			[]wireAnswer{{body: first}, {body: `{"matched":1`, cut: true}},
			"keyhole: after 2 links revoked: the answer broke off: unexpected EOF\n" +
				"  the request may have succeeded: check before you repeat it\n",
		},
		"refused fields": {
			[]wireAnswer{{422, `{"status":422,"code":"invalid","detail":"see errors","errors":[` +
				`{"field":"ends_within","code":"invalid","message":"is too long"},` +
				`{"field":"labels.team","code":"invalid","message":"is unknown"}]}`, false}},
			"keyhole: --ends-within: is too long; --label.team: is unknown\n  correct the values named above and try again\n",
		},
	} {
		for _, format := range [][]string{nil, {"--json"}, {"--ndjson"}, {"--quiet"}} {
			service := &inTurn{answers: tt.answers}
			got := runAgainst(t, service, append([]string{"revoke", "--bucket", "reports", "--reason", "leak"}, format...)...)
			if got != (result{command.ExitFailed, "", tt.want}) || len(service.requests) != len(tt.answers) {
				t.Errorf("%s %q: %+v after %d requests", name, format, got, len(service.requests))
			}
			for _, request := range service.requests {
				if request.body["reason"] != "leak" || request.body["bucket"] != "reports" || request.body["dry_run"] != nil {
					t.Errorf("%s %q: sent %v", name, format, request.body)
				}
			}
		}
	}
}

// Of several links each failure has a line of its own, in the order of the arguments, and
// the reason goes with each request.
func TestRevokeEachNamesFailures(t *testing.T) {
	t.Parallel()
	one, two := strings.Repeat("b", 25)+"a", strings.Repeat("c", 25)+"a"
	f := &fakeAPI{answers: map[string]any{
		"DELETE /api/v1/links/" + one: api.Problem{Status: 403, Code: "forbidden", Detail: "this key may not revoke"},
		"DELETE /api/v1/links/" + two: api.Problem{Status: 409, Code: "not_active", Detail: "the link has expired"},
		"DELETE /api/v1/links/" + testID(): api.Link{
			ID: testID(), State: "revoked", Bucket: "reports", Key: "a\u202eb",
		},
	}}
	wantErr := "keyhole: cannot revoke " + one + ": this key may not revoke\ncannot revoke " + two +
		": the link has expired\n  use a key that allows this, " +
		"or ask the operator of the service to extend this key's \"can\"\n"
	for format, want := range map[string]string{
		"":        testID() + ` revoked s3://reports/a\u202eb` + "\n",
		"--quiet": "",
	} {
		args := append([]string{"revoke", one, testID(), two, "--reason", "wrong & old"}, strings.Fields(format)...)
		if got := runOver(t, f, args...); got != (result{command.ExitFailed, want, wantErr}) {
			t.Errorf("%q: %+v", format, got)
		}
	}
	var sent []string
	for _, request := range f.requests[:3] {
		sent = append(sent, strings.TrimPrefix(request.line, "DELETE /api/v1/links/"))
	}
	const reason = "?reason=wrong+%26+old"
	if !slices.Equal(sent, []string{one + reason, testID() + reason, two + reason}) {
		t.Errorf("sent %q", sent)
	}
	got := runOver(t, f, "revoke", one, testID(), "--ndjson")
	var line map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &line); err != nil || line["state"] != "revoked" ||
		strings.Count(got.stdout, "\n") != 1 || got.code != command.ExitFailed {
		t.Errorf("--ndjson: %v, %+v", err, got)
	}
	got = runOver(t, f, "revoke", one, two, "--json")
	if got.stdout != "{\n  \"items\": []\n}\n" || got.code != command.ExitFailed {
		t.Errorf("--json without a revoked link: %+v", got)
	}
}

// Mistakes in the selection of links have exact messages, and no request is sent.
func TestRevokeMistakes(t *testing.T) {
	t.Parallel()
	const usage = "  usage: keyhole revoke ID|URL... | s3://BUCKET/KEY | s3://BUCKET/PREFIX/ | FILTERS | --all [flags]\n"
	f := &fakeAPI{}
	for args, want := range map[string]string{
		"":                               "keyhole: no links were named\n" + usage,
		"--yes":                          "keyhole: --dry-run and --yes need filters\n" + usage,
		"--yes " + testID():              "keyhole: --dry-run and --yes need filters\n" + usage,
		"--dry-run " + testID():          "keyhole: --dry-run and --yes need filters\n" + usage,
		"--used never " + testID():       "keyhole: links and filters cannot be combined\n" + usage,
		"--all --dry-run x":              "keyhole: links and filters cannot be combined\n" + usage,
		"--all --json --ndjson --bucket": "keyhole: flag needs an argument: --bucket\n  see: keyhole revoke --help\n",
		"--all --state active": "keyhole: --all cannot be combined with other filters\n" +
			"  omit --all or the others\n",
		"--state expired": "keyhole: --state expired selects links that cannot be revoked\n" +
			"  use active, paused, not_yet or used_up\n",
		"--key a": "keyhole: --prefix and --key need a bucket\n  name the bucket with --bucket\n",
		"--bucket s3://reports/2026/": "keyhole: --bucket takes only the name of a bucket\n" +
			"  did you mean --bucket reports --prefix 2026/?\n",
		"--bucket /reports": "keyhole: --bucket takes only the name of a bucket\n" +
			"  write it without s3:// and without a key\n",
		"--bucket reports/": "keyhole: --bucket takes only the name of a bucket\n" +
			"  write it without s3:// and without a key\n",
		"--reason= --all": "keyhole: --reason is empty; omit it or give it a value\n  is the variable in it unset?\n",
		"--al":            "keyhole: unknown flag: --al\n  did you mean --all? see: keyhole revoke --help\n",
	} {
		got := runOver(t, f, append([]string{"revoke"}, strings.Fields(args)...)...)
		if got != (result{command.ExitUsage, "", want}) {
			t.Errorf("%q: %+v, want %s", args, got, want)
		}
	}
	if len(f.requests) > 0 {
		t.Errorf("sent %v", f.requests)
	}
}

// With --json and --ndjson the numbers of a bulk revocation are complete, also if links
// could not be read or none was selected. Messages go to standard error.
func TestRevokeNumbers(t *testing.T) {
	t.Parallel()
	const unread = "keyhole: 1 link could not be read and may be live: a newer version of the service issued them\n" +
		"  repeat the command with a service of that version\n"
	const none = "warning: the filters select no live link; see keyhole list with the same filters\n"
	for name, tt := range map[string]struct {
		answer string
		args   []string
		want   result
	}{
		"unreadable": {
			`{"matched":3,"revoked":3,"unreadable":1,"done":false}`,
			[]string{"--ndjson"},
			result{command.ExitFailed, `{"matched":3,"revoked":3,"unreadable":1,"done":false}` + "\n", unread},
		},
		"unreadable, quiet": {
			`{"matched":3,"revoked":3,"unreadable":1,"done":false}`,
			[]string{"--quiet"},
			result{command.ExitFailed, "", unread},
		},
		"unreadable, only counted": {
			`{"matched":3,"revoked":0,"unreadable":1,"done":true}`,
			[]string{"--dry-run"},
			result{command.ExitFailed, "", unread},
		},
		"none": {
			`{"matched":0,"revoked":0,"done":true}`,
			[]string{"--ndjson"},
			result{command.ExitOK, `{"matched":0,"revoked":0,"done":true}` + "\n", none},
		},
		"none, as a document": {
			`{"matched":0,"revoked":0,"done":true}`,
			[]string{"--json"},
			result{command.ExitOK, "{\n  \"matched\": 0,\n  \"revoked\": 0,\n  \"done\": true\n}\n", none},
		},
		"none, only counted": {
			`{"matched":0,"revoked":0,"done":true}`,
			[]string{"--dry-run"},
			result{command.ExitOK, "0 links would be revoked\n", none},
		},
		"one": {
			`{"matched":1,"revoked":1,"done":true}`, nil, result{command.ExitOK, "1 link revoked\n", ""},
		},
		"matched more than revoked": {
			`{"matched":2,"revoked":1,"done":true}`, nil, result{command.ExitOK, "1 link revoked\n", ""},
		},
	} {
		service := &inTurn{answers: []wireAnswer{{body: tt.answer}}}
		if got := runAgainst(t, service, append([]string{"revoke", "--all"}, tt.args...)...); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// runOnScreen is runAt against a service that is given as its answers.
func runOnScreen(t *testing.T, typed string, answers []wireAnswer, args ...string) (result, *inTurn) {
	t.Helper()
	service := &inTurn{answers: answers}
	server := httptest.NewServer(service)
	defer server.Close()
	at := newTerminal(t, typed)
	var stdout strings.Builder
	code := runCLI(t.Context(), args, command.Env{
		Stdin: at.tty, Stdout: &stdout, Stderr: at.tty,
		Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
	})
	return result{code, stdout.String(), at.close(t)}, service
}

// The count before the question follows cursors until it finds a link, and begins the
// revocation from the start. If it fails, there is no question.
func TestRevokeCountsBeforeItAsks(t *testing.T) {
	t.Parallel()
	got, service := runOnScreen(t, "y\n", []wireAnswer{
		{body: `{"matched":0,"revoked":0,"unreadable":1,"done":false,"next":"c1"}`},
		{body: `{"matched":4,"revoked":0,"done":false,"next":"c2"}`},
		{body: `{"links":[]}`},
		{body: `{"matched":4,"revoked":4,"done":false,"next":"c3"}`},
		{body: `{"matched":1,"revoked":1,"done":true}`},
	}, "revoke", "--label", "team=a")
	if got.code != command.ExitOK || got.stdout != "5 links revoked\n" || len(service.requests) != 5 {
		t.Fatalf("%+v after %d requests", got, len(service.requests))
	}
	has(t, got.stderr, "Revoke at least 4 links, with the label team=a? [y/N] ",
		"\r\x1b[K4 links revoked, continuing\r\x1b[K")
	for i, want := range []struct {
		cursor any
		counts any
	}{{nil, true}, {"c1", true}, {nil, nil}, {nil, nil}, {"c3", nil}} {
		if body := service.requests[i].body; body["cursor"] != want.cursor || body["dry_run"] != want.counts {
			t.Errorf("request %d is %v, want %+v", i+1, body, want)
		}
	}
	got, service = runOnScreen(t, "y\n", []wireAnswer{{422, `{"status":422,"code":"invalid","errors":[` +
		`{"field":"created_by","code":"invalid","message":"is too long"}]}`, false}}, "revoke", "--created-by", "x")
	if got.code != command.ExitFailed || len(service.requests) != 1 || strings.Contains(got.stderr, "[y/N]") {
		t.Errorf("%+v after %d requests", got, len(service.requests))
	}
	has(t, got.stderr, "keyhole: --created-by: is too long\n")
	// --quiet leaves the question, which is no message, and omits the progress.
	got, _ = runOnScreen(t, "y\n", []wireAnswer{
		{body: `{"matched":1,"revoked":0,"done":true}`},
		{body: `{"links":[]}`},
		{body: `{"matched":1,"revoked":1,"done":false,"next":"c"}`},
		{body: `{"matched":0,"revoked":0,"done":true}`},
	}, "revoke", "--all", "--quiet")
	if got.code != command.ExitOK || got.stdout != "" || strings.Contains(got.stderr, "continuing") {
		t.Errorf("--quiet: %+v", got)
	}
	has(t, got.stderr, "Revoke 1 link? [y/N] ")
}
