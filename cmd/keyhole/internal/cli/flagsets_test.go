package cli

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// The flags of each command, by name. A flag that is renamed breaks scripts, so it must not
// happen by accident.
func TestFlagsOfCommands(t *testing.T) {
	t.Parallel()
	const operator = "context key-file operator-url "
	want := map[string]string{
		"audit": operator + "actor address bucket follow json kind label limit ndjson object oldest outcome prefix since " +
			"until",
		"audit erase": operator + "address dry-run json link reason yes",
		"change": operator + "allow expires json label language make-passphrase max-clicks no-allow no-labels " +
			"no-passphrase not-before note passphrase-file pause resume",
		"events":  operator + "follow json limit ndjson",
		"health":  "context live url",
		"key new": "can display-name max-expiry name objects", "key check": operator + "json",
		"list": operator + "bucket created-by ends-after ends-within json key label limit ndjson " +
			"prefix quiet since state used wide",
		"objects": operator + "json limit ndjson search storage",
		"revoke": operator + "all bucket created-by dry-run ends-after ends-within json key label ndjson prefix quiet " +
			"reason since state used yes",
		"share": operator + "allow confirm copy dry-run ndjson expires filename idempotency-key inline json label language " +
			"make-passphrase max-clicks message not-before not-sensitive note partial passphrase-file pin " +
			"preset qr qr-file quiet reveal sensitive storage version-id yes",
		"resend": operator + "allow confirm copy expires filename idempotency-key inline json label language " +
			"make-passphrase max-clicks message no-passphrase not-before not-sensitive note passphrase-file pin preset qr " +
			"qr-file quiet reveal sensitive storage version-id yes",
		"show":        operator + "json",
		"context add": "key-file replace url", "context list": "json", "context use": "", "context remove": "",
		"completion": "", "context": "", "key": "", "man": "", "version": "",
	}
	got := map[string]string{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			var names []string
			for _, f := range collect(sub.LocalNonPersistentFlags().VisitAll) {
				names = append(names, f.Name)
			}
			slices.Sort(names)
			got[strings.TrimPrefix(sub.CommandPath(), "keyhole ")] = strings.Join(names, " ")
			walk(sub)
		}
	}
	walk(NewRoot(&command.Env{}))
	for name, flags := range want {
		sorted := strings.Fields(flags)
		slices.Sort(sorted)
		if got[name] != strings.Join(sorted, " ") {
			t.Errorf("%s has the flags %s, want %s", name, got[name], sorted)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is not in the list of this test", name)
		}
	}
}

// Every flag of share reaches the service in its own field, and a flag that was omitted
// leaves its field out.
func TestShareRequest(t *testing.T) {
	t.Parallel()
	passphrase := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(passphrase, []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]map[string]any{
		"":                     {},
		"--storage main":       {"storage": "main"},
		"--preset handoff":     {"preset": "handoff"},
		"--expires 15m":        {"expires_in": "15m"},
		"--sensitive":          {"sensitive": true},
		"--not-sensitive":      {"sensitive": false},
		"--inline":             {"disposition": "inline"},
		"--confirm":            {"confirm": true},
		"--max-clicks 1":       {"max_clicks": 1.0},
		"--filename größe.pdf": {"filename": "größe.pdf"},
		"--reveal before --passphrase-file " + passphrase: {"reveal": "before", "passphrase": "open sesame"},
		"--pin version --version-id v1":                   {"pin": "version", "version_id": "v1"},
		"--language pl":                                   {"language": "pl"},
		"--note hello":                                    {"note": "hello"},
		"--not-before 2026-12-01T08:00:00Z":               {"not_before": "2026-12-01T08:00:00Z"},
		"--allow 192.0.2.7 --allow 2001:db8::/32": {
			"allow": []any{"192.0.2.7", "2001:db8::/32"},
		},
		"--label team=a --label url=a=b --label empty=": {
			"labels": map[string]any{"team": "a", "url": "a=b", "empty": ""},
		},
	} {
		f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
		got := runOver(t, f, append([]string{"share", "s3://reports/a b%2F.pdf"}, strings.Fields(args)...)...)
		if got.code != command.ExitOK || len(f.requests) != 1 {
			t.Errorf("%s: %+v after %d requests", args, got, len(f.requests))
			continue
		}
		// Nothing in the key is unescaped.
		want = maps.Clone(want)
		want["bucket"], want["key"] = "reports", "a b%2F.pdf"
		if sent := f.requests[0].body; fmt.Sprint(sent) != fmt.Sprint(want) {
			t.Errorf("%s: sent %v, want %v", args, sent, want)
		}
	}
}

// Each request to issue a link has an Idempotency-Key: the one that was given, or one that
// no other request has.
func TestShareIdempotencyKey(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
	for range 2 {
		runOver(t, f, "share", "s3://reports/a")
	}
	runOver(t, f, "share", "s3://reports/a", "--idempotency-key", "ticket 7")
	drawn, again, given := f.requests[0].retry, f.requests[1].retry, f.requests[2].retry
	if len(drawn) < 26 || drawn == again || given != "ticket 7" {
		t.Errorf("sent %q, %q and %q", drawn, again, given)
	}
}

// query runs a command and returns the query of its first request.
func query(t *testing.T, answer any, path string, args ...string) url.Values {
	t.Helper()
	f := &fakeAPI{answers: map[string]any{"GET " + path: answer}}
	if got := runOver(t, f, args...); got.code != command.ExitOK || len(f.requests) == 0 {
		t.Fatalf("%q: %+v after %d requests", args, got, len(f.requests))
	}
	sent, err := url.Parse(strings.Fields(f.requests[0].line)[1])
	if err != nil || sent.Path != path {
		t.Fatalf("%q: sent %s, %v", args, f.requests[0].line, err)
	}
	return sent.Query()
}

// Every filter of audit reaches the service, an age as a time.
func TestAuditFilters(t *testing.T) {
	t.Parallel()
	got := query(t, api.EventPage{}, "/api/v1/audit", "audit", "--since", "2026-11-01T00:00:00Z", "--until",
		"2026-11-02", "--kind", "refused", "--oldest", "--limit", "7")
	for name, want := range map[string]string{
		"since": "2026-11-01T00:00:00Z", "until": "2026-11-02T00:00:00Z", "kind": "refused", "limit": "7", "cursor": "",
		"link": "", "order": "oldest",
	} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
	since := query(t, api.EventPage{}, "/api/v1/audit", "audit", "--since", "7d").Get("since")
	if !strings.HasSuffix(since, "Z") {
		t.Errorf("an age is sent as %q", since)
	}
}

// Every flag of objects reaches the service, and the prefix as it was typed.
func TestObjectsFilters(t *testing.T) {
	t.Parallel()
	got := query(t, api.ObjectPage{}, "/api/v1/objects", "objects", "s3://reports/2026/a%2F b", "--search", "Q3",
		"--storage", "main", "--limit", "7")
	for name, want := range map[string]string{
		"bucket": "reports", "prefix": "2026/a%2F b", "search": "Q3", "storage": "main", "limit": "7", "cursor": "",
	} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
	if bucket := query(t, api.ObjectPage{}, "/api/v1/objects", "objects", "s3://reports"); bucket.Get("prefix") != "" {
		t.Errorf("a bucket without a prefix sends %v", bucket)
	}
}

// A value outside of a closed set is refused with the nearest one, or with all.
func TestOneOf(t *testing.T) {
	t.Parallel()
	set := []string{"active", "paused", "revoked"}
	for value, want := range map[string]string{
		"": "", "active": "", "revoked": "",
		"actve":  "did you mean active? use one of active, paused, revoked",
		"zzzzzz": "use one of active, paused, revoked",
		"ACTIVE": "use one of active, paused, revoked",
	} {
		err := oneOf("state", value, set)
		hint := ""
		if known, ok := err.(*command.Error); ok { //nolint:errorlint // It is what oneOf itself returns.
			hint = known.Hint
		}
		if (err == nil) != (want == "") || !strings.HasSuffix(hint, want) {
			t.Errorf("%q: got %v, %q, want %q", value, err, hint, want)
		}
	}
}

// Filters that select nothing, or something else than they seem to, are refused.
func TestCheckFilters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		bucket, prefix, key, label string
		must                       bool
		want                       string // empty: the filters are valid
	}{
		{},
		{must: true},
		{bucket: "b", prefix: "p/"},
		{bucket: "b", key: "k", label: "team=a", must: true},
		{prefix: "p/"},
		{key: "k"},
		{label: "team="},
		{prefix: "p/", must: true, want: "need a bucket"},
		{key: "k", must: true, want: "need a bucket"},
		{bucket: "b", prefix: "p", key: "k", want: "cannot be combined"},
		{bucket: "b/p", want: "only the name of a bucket"},
		{bucket: "s3://b", want: "only the name of a bucket"},
		{prefix: "s3://b/p", want: "without its bucket"},
		{bucket: "b", key: "s3://b/k", want: "without its bucket"},
		{label: "team", want: "is not a label"},
		{label: "=a", want: "is not a label"},
	} {
		err := checkFilters(tt.bucket, tt.prefix, tt.key, tt.label, tt.must)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v", tt, err)
		}
	}
}
