package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// Mistakes in the flags of resend are found before the other link is read.
func TestResendRefusesFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                        "one link, by ID or URL",
		"-":                       "",
		testID() + " " + testID(): "one link, by ID or URL",
		"s3://reports/q3.pdf":     "this is an object or a prefix, not a link\n",
		testID() + " --preset business --expires 1h": "--preset and --expires cannot be combined\n",
		testID() + " --sensitive --not-sensitive":    "--sensitive and --not-sensitive cannot be combined\n",
		testID() + " --no-passphrase --passphrase-file x": "--no-passphrase cannot be combined with " +
			"--make-passphrase or --passphrase-file\n  use one of them\n",
		testID() + " --reveal after --no-passphrase": "--reveal after needs a passphrase\n",
		testID() + " --make-passphrase --idempotency-key k": "--make-passphrase and --idempotency-key cannot be " +
			"combined, because each passphrase is another request\n",
		testID() + " --expires 2026-12-01 --idempotency-key k": "--expires 2026-12-01 and --idempotency-key cannot",
		testID() + " --max-clicks -1":                          "--max-clicks must be at least 1\n",
		testID() + " --message --json":                         "--message and --json cannot be combined\n",
		testID() + " --copy":                                   "there is no clipboard that --copy can set\n",
		testID() + " --partial":                                "unknown flag: --partial",
		testID() + " --qr-file " + filepath.Join("a", "b.gif"): "",
	} {
		f := resending(endedLink())
		got := runOver(t, f, append([]string{"resend"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || got.stdout != "" || len(f.requests) > 0 {
			t.Errorf("%s: %+v after %q", args, got, f.lines())
		}
		has(t, got.stderr, want)
	}
}

// If the other link cannot be read, nothing is issued; what the issue refuses names the object
// of that link.
func TestResendIsRefused(t *testing.T) {
	t.Parallel()
	const read, issue = "GET /api/v1/links/", "POST /api/v1/links"
	for name, tt := range map[string]struct {
		at       string
		problem  api.Problem
		requests int
		want     string
	}{
		"unknown": {
			read,
			api.Problem{Status: 404, Code: "not_found", Detail: "there is no such link"},
			1,
			"keyhole: link " + testID() + ": there is no such link\n  check the ID of the link; " +
				"keyhole list shows the links that this key may see\n",
		},
		"ambiguous": {
			read,
			api.Problem{Status: 409, Code: "ambiguous", Detail: "two links begin so"},
			1,
			"keyhole: two links begin so\n  give more characters of the ID\n",
		},
		"unreadable": {
			read,
			api.Problem{Status: 503, Code: "unavailable", Detail: "Redis is unreachable"},
			1,
			"keyhole: Redis is unreachable\n  try again in a few seconds; keyhole health and, where the service runs, " +
				"keyhole doctor find the cause\n",
		},
		"deleted": {
			issue, missing(), 2,
			"keyhole: s3://reports/q3.pdf: there is no such object in the bucket\n" +
				"  list the objects: keyhole objects s3://reports/\n",
		},
		"lost": {
			issue,
			api.Problem{Status: 500, Code: "internal", Detail: "it failed"},
			2,
			"keyhole: it failed\n  repeat the command with --idempotency-key k: this issues no second link\n",
		},
		"over the limit": {
			issue, api.Problem{Status: 422, Code: "invalid", Errors: []api.FieldError{
				{Field: "expires_in", Code: "too_long", Message: "expires_in is 2d; the limit is 24h"},
			}}, 2, "keyhole: --expires: --expires is 2d; the limit is 24h\n  correct the values named above and try again\n",
		},
	} {
		f := resending(endedLink())
		if tt.at == read {
			f.answers[read+testID()] = tt.problem
		} else {
			f.answers[issue] = tt.problem
		}
		got := runOver(t, f, "resend", testID(), "--idempotency-key", "k")
		if got.code != command.ExitFailed || got.stdout != "" || got.stderr != tt.want || len(f.requests) != tt.requests {
			t.Errorf("%s: after %q: %+v\nwant %s", name, f.lines(), got, tt.want)
		}
	}
}

// resend takes the preset or the whole life of the other link, and at least one second. A
// flag overrides it, and another sensitivity has its own default.
func TestResendTakesTheLife(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change          func(*api.Link)
		args            string
		preset, expires any
	}{
		"custom":     {func(*api.Link) {}, "", nil, "2d"},
		"a preset":   {func(l *api.Link) { l.Preset = "business" }, "", "business", nil},
		"no life":    {func(l *api.Link) { l.ExpiresAt = l.CreatedAt }, "", nil, "1s"},
		"extended":   {func(l *api.Link) { l.ExpiresAt = l.CreatedAt.Add(75 * time.Hour) }, "", nil, "75h"},
		"the flag":   {func(l *api.Link) { l.Preset = "business" }, "--expires 90m", nil, "90m"},
		"by preset":  {func(*api.Link) {}, "--preset handoff", "handoff", nil},
		"not stated": {func(l *api.Link) { l.Sensitive = nil }, "", nil, "2d"},
		"now stated": {func(l *api.Link) { l.Sensitive = nil }, "--not-sensitive", nil, nil},
		"the same":   {func(l *api.Link) { l.Sensitive = new(true) }, "--sensitive", nil, "2d"},
		"a new one":  {func(l *api.Link) { l.Sensitive = new(true) }, "--not-sensitive", nil, nil},
	} {
		link := endedLink()
		tt.change(&link)
		f := resending(link)
		got := runOver(t, f, append([]string{"resend", testID(), "--quiet"}, strings.Fields(tt.args)...)...)
		if got.code != command.ExitOK || len(f.requests) != 2 {
			// The answer is the ended link, of which share warns.
			t.Fatalf("%s: %+v after %q", name, got, f.lines())
		}
		if sent := f.requests[1].body; sent["preset"] != tt.preset || sent["expires_in"] != tt.expires {
			t.Errorf("%s: sent %v and %v, want %v and %v", name, sent["preset"], sent["expires_in"], tt.preset, tt.expires)
		}
		has(t, got.stderr, "warning: an earlier request issued this link, and it is revoked\n")
	}
}

// A link without a passphrase gets one by a flag, and its page hides the file as the service
// decides. A pin by version becomes the default, unless a flag states another.
func TestResendAddsAPassphraseAndAPin(t *testing.T) {
	t.Parallel()
	link := endedLink()
	link.Pin, link.Reveal = gateway.PinVersion, gateway.RevealBefore
	for args, want := range map[string]map[string]any{
		"--passphrase-file " + secretFile(t, "a b"):                   {"passphrase": "a b", "reveal": nil, "pin": nil},
		"--passphrase-file " + secretFile(t, "c") + " --reveal after": {"passphrase": "c", "reveal": "after", "pin": nil},
		"--no-passphrase --pin none":                                  {"passphrase": nil, "pin": "none"},
		"--version-id v7":                                             {"version_id": "v7", "pin": nil},
		"--storage other --inline --confirm":                          {"storage": "other", "disposition": "inline"},
		"--not-before 2099-01-01T00:00:00Z --expires 1h":              {"not_before": "2099-01-01T00:00:00Z"},
		"--idempotency-key again":                                     {"passphrase": nil, "storage": "main"},
	} {
		f := resending(link)
		got := runOver(t, f, append([]string{"resend", testID()}, strings.Fields(args)...)...)
		if got.code != command.ExitOK || len(f.requests) != 2 {
			t.Fatalf("%s: %+v after %q", args, got, f.lines())
		}
		for field, value := range want {
			if sent := f.requests[1].body[field]; sent != value {
				t.Errorf("%s: %s is %v, want %v", args, field, sent, value)
			}
		}
		if key := f.requests[1].retry; key == "" || strings.Contains(args, "again") != (key == "again") {
			t.Errorf("%s: the key is %q", args, key)
		}
	}
}

// On a terminal resend asks about the sensitivity only if the other link does not state it.
func TestResendOnATerminal(t *testing.T) {
	t.Parallel()
	for stated, typed := range map[string]string{"": "n\n", "not sensitive": "\x04"} {
		link := endedLink()
		link.Passphrase = true
		if stated == "" {
			link.Sensitive = nil
		}
		f := resending(link)
		f.answers["GET /api/v1/objects"] = objectPage(false)
		got := runAt(t, f, typed, false, "resend", testID(), "--no-passphrase")
		if got.code != command.ExitOK || strings.Contains(got.stderr, "Is the object sensitive") != (stated == "") {
			t.Errorf("%q: %+v", stated, got)
		}
		if sent := f.requests[len(f.requests)-1].body["sensitive"]; sent != false {
			t.Errorf("%q: sent %v", stated, sent)
		}
	}
	open := endedLink()
	open.Sensitive = nil
	f := resending(open)
	f.answers["GET /api/v1/objects"] = objectPage(false)
	got := runAt(t, f, "\x04", false, "resend", testID())
	if got.code != command.ExitFailed || len(f.requests) != 2 {
		t.Errorf("without an answer: %+v after %q", got, f.lines())
	}
	has(t, got.stderr, "nothing was shared, because there was no answer")
}

// Before the question resend says how long the new link will live and until when. Any answer
// keeps that length, and the checklist says why.
func TestResendSaysTheLife(t *testing.T) {
	t.Parallel()
	operator := api.Operator{Name: "ci", Presets: []api.Preset{{Name: "handoff", ExpiresIn: "1h"}, {
		Name:      "business",
		ExpiresIn: "12h",
	}}}
	for name, tt := range map[string]struct {
		preset, args string
		operator     any
		want, why    string
		life         time.Duration
	}{
		"custom": {
			gateway.PresetCustom, "", operator, ", in 2d (as long as the other link; --expires changes it)",
			"(as long as the other link)", 48 * time.Hour,
		},
		"a preset": {
			"business", "", operator, ", in 12h (business, like the other link; --expires changes it)",
			"(business, like the other link)", 12 * time.Hour,
		},
		"another preset":  {"extended", "", operator, "business", "(extended, like the other link)", 0},
		"an old service":  {"business", "", nil, "", "(business, like the other link)", 0},
		"the flag":        {"business", "--expires 3h", operator, "", "(as requested)", 0},
		"the preset flag": {"business", "--preset handoff", operator, "", "(business)", 0},
	} {
		for typed, sensitive := range map[string]any{"y\n": true, "n\n": false, "\n": nil} {
			link := endedLink()
			link.Sensitive, link.Preset, link.State = nil, tt.preset, "active"
			f := resending(link)
			f.answers["GET /api/v1/objects"], f.answers["GET /api/v1/operator"] = objectPage(false), tt.operator
			before := time.Now().Truncate(time.Second)
			got := runAt(t, f, typed, false, append([]string{"resend", testID()}, strings.Fields(tt.args)...)...)
			question, after, _ := strings.Cut(got.stderr, "Is the object sensitive")
			if got.code != command.ExitOK || !strings.Contains(after, tt.why) {
				t.Errorf("%s: %+v", name, got)
			}
			_, row, said := strings.Cut(question, "  expires   ")
			if said != (tt.args == "") {
				t.Errorf("%s: before the question: %q", name, question)
			}
			if tt.life > 0 {
				end, err := time.Parse(time.RFC3339, row[:len("2026-11-25T08:00:00Z")])
				if late := end.Sub(before.Add(tt.life)); err != nil || late < 0 || late > time.Minute ||
					!strings.Contains(row, tt.want) {
					t.Errorf("%s: %q, %v, want %q", name, row, err, tt.want)
				}
			}
			sent := f.requests[len(f.requests)-1].body
			if sent["sensitive"] != sensitive || tt.args == "" && sent["preset"] == nil && sent["expires_in"] != "2d" {
				t.Errorf("%s, %q: sent %v", name, typed, sent)
			}
		}
	}
}

// If the life of the other link is refused, the hint has the longest one that is allowed, for
// the sensitivity that the policy sees.
func TestResendOffersTheLongestLife(t *testing.T) {
	t.Parallel()
	caps := api.Operator{Name: "ci", Caps: api.Caps{Sensitive: "6h", NotStated: "24h", NotSensitive: "30h"}}
	old := api.Problem{Status: 404, Code: "not_found", Detail: "there is no such path"}
	refusal := func(code, field string) api.Problem {
		return api.Problem{Status: 422, Code: code, Errors: []api.FieldError{
			{Field: field, Code: "over_policy", Message: "2d is over the limit of 24h"},
		}}
	}
	for name, tt := range map[string]struct {
		stated, decided *bool
		problem         api.Problem
		operator        any
		args, want      string // want is the hint
	}{
		"not stated":      {nil, nil, refusal("invalid", "expires_in"), caps, "", "--expires 24h, "},
		"not sensitive":   {new(false), new(false), refusal("invalid", "expires_in"), caps, "", "--expires 30h, "},
		"by the policy":   {nil, new(true), refusal("invalid", "preset"), caps, "", "--expires 6h, "},
		"of the key":      {nil, nil, refusal("out_of_scope", "expires_in"), caps, "", "--expires 24h, "},
		"an old service":  {nil, nil, refusal("invalid", "expires_in"), old, "", ""},
		"another field":   {nil, nil, refusal("invalid", "note"), caps, "", ""},
		"the flag":        {nil, nil, refusal("invalid", "expires_in"), caps, "--expires 2d", ""},
		"without answers": {nil, nil, refusal("invalid", "expires_in"), api.Operator{Name: "ci"}, "", ""},
	} {
		link := endedLink()
		link.Sensitive = tt.stated
		f := resending(link)
		checked := link
		checked.Sensitive = tt.decided
		f.answers["POST /api/v1/links"], f.answers["GET /api/v1/operator"] = tt.problem, tt.operator
		f.answers["POST /api/v1/links:batch"] = func(body map[string]any) any {
			if body["dry_run"] != true {
				t.Errorf("%s: the check issues a link", name)
			}
			return api.Batch{Results: []api.BatchResult{{Status: 200, Link: &checked}}}
		}
		got := runOver(t, f, append([]string{"resend", testID(), "--yes"}, strings.Fields(tt.args)...)...)
		hint := "the other link lived for 2d; repeat the command with " + tt.want + "the longest life that is allowed"
		if got.code != command.ExitFailed || got.stdout != "" || strings.Contains(got.stderr, hint) != (tt.want != "") {
			t.Errorf("%s: %+v, want %s", name, got, hint)
		}
		if tt.want == "" && strings.Contains(got.stderr, "the longest life") {
			t.Errorf("%s: %s", name, got.stderr)
		}
	}
}
