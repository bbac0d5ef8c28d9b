package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// runRaw runs a command against an answer. Messages have URL in place of the address.
func runRaw(t *testing.T, answer http.Handler, key string, args ...string) result {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	got := runAs(t, "", []string{"KEYHOLE_KEY=" + key, "KEYHOLE_OPERATOR_URL=" + server.URL}, args...)
	got.stdout = strings.ReplaceAll(got.stdout, server.URL, "URL")
	got.stderr = strings.ReplaceAll(got.stderr, server.URL, "URL")
	return got
}

// Each failure of the service is reported with its own advice, for keys and for tokens.
// Standard output stays empty, so a script cannot take an error for an answer.
func TestKeyCheckFailures(t *testing.T) {
	t.Parallel()
	const (
		key, token = "khk_canary", "ey.can.ary"
		address    = "\n  is this the operator address (--operator-url, KEYHOLE_OPERATOR_URL or the context), " +
			"not the address for recipients?\n"
	)
	for name, tt := range map[string]struct {
		answer wireAnswer
		key    string
		want   string
	}{
		"401 of a token": {
			wireAnswer{status: 401, body: `{"status":401,"code":"unauthorized","detail":"the token has expired"}`},
			token,
			"the token has expired\n  get a new token for this service from the identity provider; pass it in KEYHOLE_KEY " +
				"or with --key-file\n",
		},
		"403 of a key": {
			wireAnswer{status: 403, body: `{"status":403,"code":"forbidden","detail":"this key cannot read"}`},
			key,
			"this key cannot read\n  use a key that allows this, or ask the operator of the service to extend " +
				"this key's \"can\"\n",
		},
		"403 of a token": {
			wireAnswer{status: 403, body: `{"status":403,"code":"forbidden","detail":"no grant"}`},
			token,
			"no grant\n  use a token whose grant allows this, or ask the operator of the service to extend " +
				"operator.oidc.grants\n",
		},
		"422": {
			wireAnswer{status: 422, body: `{"status":422,"code":"invalid","detail":"see errors","errors":[` +
				`{"field":"a","code":"x","message":"is wrong"},{"field":"b\u001b","code":"y","message":"too"}]}`},
			key,
			"a: is wrong; b\\x1b: too\n  correct the values named above and try again\n",
		},
		"429": {
			wireAnswer{status: 429, body: `{"status":429,"code":"rate_limited","detail":"too many requests"}`},
			key,
			"too many requests\n  try again in a minute; if the key is refused, check it\n",
		},
		"503": {
			wireAnswer{status: 503, body: `{"status":503,"code":"unavailable","detail":"Redis failed","request_id":"r1"}`},
			key,
			"Redis failed\n  try again in a few seconds; keyhole health and, where the service runs, keyhole doctor " +
				"find the cause\n  request id: r1 (the log of the service has it)\n",
		},
		"a code of a newer service": {
			wireAnswer{status: 409, body: `{"status":409,"code":"newer","detail":"something new"}`},
			key,
			"something new\n  try again; if it fails again, see the service's log\n",
		},
		"an old service": {
			wireAnswer{status: 404, body: `{"status":404,"code":"not_found","detail":"there is no such path"}`},
			key,
			"the service is older than this client and cannot answer this request\nthere is no such path\n" +
				"  update the service, or use the command of its version\n",
		},
		"404 of another server": {
			wireAnswer{status: 404, body: "404 page not found"},
			key,
			"URL answers 404 Not Found: the answer is not from Keyhole's operator API" + address,
		},
		"a proxy": {
			wireAnswer{status: 502, body: "<html>"},
			key,
			"URL answers 502 Bad Gateway: the answer is not from Keyhole's operator API but from a proxy " +
				"in front of it" + address,
		},
		"a redirect": {
			wireAnswer{status: 302},
			key,
			"URL answers 302 Found: the answer is not from Keyhole's operator API" + address,
		},
		"an empty object": {
			wireAnswer{status: 200, body: "{}"},
			key,
			"URL answers 200 OK: the answer is not from Keyhole's operator API" + address,
		},
		"no JSON": {
			wireAnswer{status: 200, body: "<html>"},
			key,
			"the answer is not from Keyhole's operator API: invalid character '<' looking for beginning of value" + address,
		},
		"a cut answer": {
			wireAnswer{status: 200, body: `{"name":"ci"`, cut: true},
			key,
			"the answer broke off: unexpected EOF\n  the request may have succeeded: check before you repeat it\n",
		},
	} {
		for _, args := range []string{"key check", "key check --json"} {
			got := runRaw(t, tt.answer, tt.key, strings.Fields(args)...)
			if want := (result{command.ExitFailed, "", "keyhole: " + tt.want}); got != want {
				t.Errorf("%s, %s:\ngot  %+v\nwant %+v", name, args, got, want)
			}
		}
	}
}

// The JSON of key check has the names of the API. An empty list is a list, and a missing
// limit is null, so that programs need no special case.
func TestKeyCheckJSON(t *testing.T) {
	t.Parallel()
	bob := api.Operator{
		Name: "oidc:bob", AdmittedBy: api.AdmittedByToken, Grant: "staff", Can: []string{}, Objects: []string{"*"},
		Presets: []api.Preset{{Name: "handoff", ExpiresIn: "10m"}}, Version: "1.2.3",
		Caps: api.Caps{Sensitive: "1h", NotStated: "2h", NotSensitive: "3h"},
	}
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/operator": bob}}
	got := runOver(t, f, "key", "check", "--json")
	var compact strings.Builder
	if err := json.NewEncoder(&compact).Encode(json.RawMessage(got.stdout)); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	want := `{"name":"oidc:bob","admitted_by":"token","grant":"staff","can":[],"objects":["*"],"max_expiry":null,` +
		`"caps":{"sensitive":"1h","not_stated":"2h","not_sensitive":"3h"},` +
		`"presets":[{"name":"handoff","expires_in":"10m"}],"version":"1.2.3"}` + "\n"
	if got.code != command.ExitOK || got.stderr != "" || compact.String() != want {
		t.Errorf("got  %swant %s", compact.String(), want)
	}
	got = runOver(t, f, "key", "check")
	has(t, got.stdout, "oidc:bob, a token with the grant staff\n", "objects   all\n", "at most 1h for sensitive objects, "+
		"2h if sensitivity is not stated, 3h for objects that are not sensitive\n", "preset    handoff 10m\n")
	if strings.Contains(got.stdout, "max_expiry") || strings.Contains(got.stdout, "sender") {
		t.Errorf("a property without a value is printed:\n%s", got.stdout)
	}
}

// Mistakes in the key and in the arguments of key check are found before a request.
func TestKeyCheckMistakes(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"check x":                   "takes only flags, not 1 argument",
		"check --key khk_canary123": "unknown flag: --key\n  an operator key is never an argument",
		"check --key-file gone":     "cannot read the key file: no such file or directory\n  name a readable file",
		"check --key-file .":        "cannot read the key file: is a directory\n  name a readable file",
		"check --json=maybe":        `--json is "maybe"; it must be true or false`,
		"check --operator-url x":    `--operator-url is "x": not the address of a service`,
		"whoami":                    `unknown command "whoami"` + "\n  did you mean: keyhole key check",
		"generate":                  "did you mean: keyhole key new",
		"new --can write":           "--name is missing",
		"new --name=null -- ci":     "takes only flags, not 1 argument",
	} {
		f := &fakeAPI{answers: map[string]any{"GET /api/v1/operator": aOperator()}}
		got := runOver(t, f, append([]string{"key"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || got.stdout != "" || !strings.Contains(got.stderr, want) ||
			strings.Contains(got.stderr, "canary") || len(f.requests) > 0 {
			t.Errorf("%s: %+v after %d requests, want %q", args, got, len(f.requests), want)
		}
	}
	got := runAs(t, "", []string{"KEYHOLE_KEY=two canary"}, "key", "check")
	if got.code != command.ExitUsage || strings.Contains(got.stderr, "canary") ||
		!strings.HasPrefix(got.stderr, "keyhole: KEYHOLE_KEY does not contain exactly one operator key\n  it must contain "+
			"only the line that keyhole key new prints to standard output, such as khk_...\n") {
		t.Errorf("two words: %+v", got)
	}
}

// An unusual answer of a health check is an error, and its advice names --url. --live
// asks only for the status, so it prints nothing of the answer.
func TestHealthFailures(t *testing.T) {
	t.Parallel()
	const address = "\n  set --url to the operator address or, if it is set, to metrics.listen; the recipients' address " +
		"has no health check\n"
	for name, tt := range map[string]struct {
		answer wireAnswer
		want   string
		live   string // empty: as want
	}{
		"a proxy": {
			wireAnswer{status: 502, body: "<html>"},
			"URL answers 502 Bad Gateway: the answer is not from Keyhole's operator API but from a proxy " +
				"in front of it" + address,
			"",
		},
		"503 of a proxy": {
			wireAnswer{status: 503, body: "{}"}, "URL answers 503 Service Unavailable: the answer is not from Keyhole's " +
				"operator API but from a proxy in front of it" + address, "",
		},
		"a login page": {
			wireAnswer{status: 302}, "URL answers 302 Found: the answer is not from Keyhole's operator API" + address, "",
		},
		"a refusal": {
			wireAnswer{status: 401, body: `{"status":401,"code":"unauthorized","detail":"canary"}`},
			"URL answers 401 Unauthorized: the answer is not from Keyhole's operator API" + address, "",
		},
		"a cut answer": {
			wireAnswer{status: 200, body: `{"ready":true,`, cut: true},
			"the answer broke off: unexpected EOF\n  try again; if it fails again, see the service's log\n", "alive",
		},
		"a number for Redis": {
			wireAnswer{status: 200, body: `{"ready":true,"redis":1}`}, "the answer is not from Keyhole's operator API: json: " +
				"cannot unmarshal number into Go struct field Readiness.redis of type string" + address, "alive",
		},
	} {
		got := runRaw(t, tt.answer, "khk_canary", "health")
		if want := (result{command.ExitFailed, "", "keyhole: " + tt.want}); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
		live, want := runRaw(t, tt.answer, "khk_canary", "health", "--live"), result{command.ExitFailed, "", got.stderr}
		if tt.live != "" {
			want = result{command.ExitOK, tt.live + "\n", ""}
		}
		if live != want {
			t.Errorf("%s with --live:\ngot  %+v\nwant %+v", name, live, want)
		}
	}
}

// A service that is not ready still prints the state of each part, in a fixed order and
// without control characters.
func TestHealthOfAnOutage(t *testing.T) {
	t.Parallel()
	got := runRaw(t, wireAnswer{status: 503, body: `{"ready":false,"redis":"unavailable\u001b[2J","storages":` +
		`{"z":"ok","b":"denied","a\n":"ok"}}`}, "khk_test", "health")
	want := result{
		command.ExitFailed,
		"redis    unavailable\\x1b[2J\nstorage  a\\n: ok\nstorage  b: denied\nstorage  z: ok\n",
		"warning: while a storage fails, clicks that have to check its objects get 503; see keyhole doctor\n" +
			"keyhole: the service is not ready: Redis is unavailable\\x1b[2J\n" +
			"  see the service's log; the service recovers when Redis responds\n",
	}
	if got != want {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	for args, want := range map[string]string{
		"health http://127.0.0.1:8081":   "takes only flags, not 1 argument",
		"health --url=":                  "--url is empty",
		"health --operator-url http://h": "unknown flag: --operator-url",
		"health --key-file x":            "unknown flag: --key-file",
		"health --live=2":                `--live is "2"; it must be true or false`,
		"health --context prod":          "neither HOME nor XDG_CONFIG_HOME is set",
	} {
		got := runRaw(t, wireAnswer{status: 200, body: `{"ready":true,"redis":"ok"}`}, "", strings.Fields(args)...)
		if got.code != command.ExitUsage || got.stdout != "" || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v, want %q", args, got, want)
		}
	}
}

// An interrupted health check says so: the service may be running.
func TestHealthInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	var stdout, stderr strings.Builder
	code := runCLI(ctx, []string{"health", "--url", server.URL}, command.Env{Stdout: &stdout, Stderr: &stderr})
	if code != command.ExitFailed || stdout.Len() > 0 || !strings.HasSuffix(stderr.String(), ": context canceled\n"+
		"  the command was interrupted\n") {
		t.Errorf("exit %d, %s%s", code, stdout.String(), stderr.String())
	}
}
