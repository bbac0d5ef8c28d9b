package cli

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// endedLink is a link with every setting that resend takes.
func endedLink() api.Link {
	l := testLink()
	l.Key, l.State, l.Preset = "q3.pdf", "revoked", gateway.PresetCustom
	l.CreatedAt, l.ExpiresAt = time.Now().Add(-50*time.Hour), time.Now().Add(-2*time.Hour)
	l.Filename, l.Disposition, l.Language, l.Note = "figures.pdf", "inline", "de", "a note"
	l.Labels, l.Allow, l.MaxClicks = map[string]string{"team": "a"}, []string{"192.0.2.0/24"}, new(int64(3))
	l.NotBefore, l.Sensitive, l.Confirm = new(l.CreatedAt.Add(time.Hour)), new(false), true
	return l
}

// resending answers for a link and the issue of another.
func resending(link api.Link) *fakeAPI {
	return &fakeAPI{answers: map[string]any{
		"GET /api/v1/links/" + testID(): link, "POST /api/v1/links": link,
	}}
}

// resend issues a link with the settings of another one, without its start in the past.
// Flags override settings.
func TestResend(t *testing.T) {
	t.Parallel()
	f := resending(endedLink())
	got := runOver(t, f, "resend", testID())
	if got.code != command.ExitOK || got.stdout != testLink().URL+"\n" {
		t.Fatalf("got %+v", got)
	}
	want := map[string]any{
		"storage": "main", "bucket": "reports", "key": "q3.pdf", "expires_in": "2d", "sensitive": false,
		"max_clicks": 3.0, "filename": "figures.pdf", "disposition": "inline", "confirm": true, "pin": "etag",
		"allow": []any{"192.0.2.0/24"}, "language": "de", "note": "a note", "labels": map[string]any{"team": "a"},
	}
	if sent := f.requests[1].body; !reflect.DeepEqual(sent, want) {
		t.Errorf("sent %v, want %v", sent, want)
	}

	live := endedLink()
	live.State, live.Preset, live.Pin, live.Filename = "not_yet", "business", gateway.PinVersion, "q3.pdf"
	live.NotBefore, live.MaxClicks, live.Sensitive = new(time.Now().Add(time.Hour)), nil, nil
	f = resending(live)
	got = runOver(t, f, "resend", testLink().URL, "--expires", "1w", "--note", "another", "--allow", "198.51.100.7",
		"--label", "case=7", "--sensitive", "--max-clicks", "1", "--pin", "none", "--filename", "b.pdf", "--language", "fr")
	if got.code == command.ExitOK {
		t.Errorf("the URL names another link: %+v", got)
	}
	got = runOver(t, f, "resend", testID(), "--expires", "1w", "--note", "another", "--allow", "198.51.100.7",
		"--label", "case=7", "--sensitive", "--max-clicks", "1", "--filename", "b.pdf", "--language", "fr")
	want = map[string]any{
		"storage": "main", "bucket": "reports", "key": "q3.pdf", "expires_in": "7d", "sensitive": true,
		"max_clicks": 1.0, "filename": "b.pdf", "disposition": "inline", "confirm": true,
		"allow": []any{"198.51.100.7"}, "language": "fr", "note": "another", "labels": map[string]any{"case": "7"},
		"not_before": live.NotBefore.Format(time.RFC3339Nano),
	}
	if sent := f.requests[len(f.requests)-1].body; !reflect.DeepEqual(sent, want) {
		t.Errorf("sent %v, want %v\n%+v", sent, want, got)
	}
}

// Another sensitivity has other limits, so the life is its default then.
func TestResendWithAnotherSensitivity(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]any{"--sensitive": nil, "--not-sensitive": "2d"} {
		f := resending(endedLink())
		runOver(t, f, "resend", testID(), flag)
		if got := f.requests[1].body["expires_in"]; got != want {
			t.Errorf("%s: %v, want %v", flag, got, want)
		}
	}
}

// A passphrase is not stored, so a new one is needed, or the wish for none.
func TestResendWithAPassphrase(t *testing.T) {
	t.Parallel()
	locked := endedLink()
	locked.Passphrase, locked.Reveal = true, gateway.RevealBefore
	f := resending(locked)
	got := runOver(t, f, "resend", testID())
	if got.code != command.ExitUsage || len(f.requests) != 1 {
		t.Errorf("got %+v after %q", got, f.lines())
	}
	has(t, got.stderr, "the link has a passphrase, which is stored nowhere", "--make-passphrase or --passphrase-file")
	runOver(t, f, "resend", testID(), "--make-passphrase")
	if sent := f.requests[2].body; sent["passphrase"] == nil || sent["reveal"] != "before" {
		t.Errorf("sent %v", sent)
	}
	runOver(t, f, "resend", testID(), "--no-passphrase")
	if sent := f.requests[4].body; sent["passphrase"] != nil || sent["reveal"] != nil {
		t.Errorf("sent %v", sent)
	}
	got = runOver(t, f, "resend", testID(), "--no-passphrase", "--make-passphrase")
	if got.code != command.ExitUsage {
		t.Errorf("got %+v", got)
	}
}

// resend says that the object is another one than the earlier link had.
func TestResendOfAReplacedObject(t *testing.T) {
	t.Parallel()
	f := resending(endedLink())
	replaced := testLink()
	replaced.Object.ETag = `"other"`
	f.answers["POST /api/v1/links"] = replaced
	has(t, runOver(t, f, "resend", testID()).stderr, "the object was replaced since the other link was issued")
}

// change sends what its flags say about access, and prints a generated passphrase and the
// warnings of the service.
func TestChangeAccess(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]map[string]any{
		"--allow 192.0.2.0/24 --allow 192.0.2.7":        {"allow": []any{"192.0.2.0/24", "192.0.2.7"}},
		"--not-before 2026-12-01T08:00:00Z":             {"not_before": "2026-12-01T08:00:00Z"},
		"--not-before now --no-allow --no-passphrase":   {"remove": []any{"allow", "not_before", "passphrase"}},
		"--expires 1w --no-passphrase":                  {"expires_in": "7d", "remove": []any{"passphrase"}},
		"--passphrase-file " + secretFile(t, "a b c d"): {"passphrase": "a b c d"},
	} {
		f := &fakeAPI{answers: map[string]any{"PATCH /api/v1/links/" + testID(): testLink()}}
		got := runOver(t, f, append([]string{"change", testID()}, strings.Fields(args)...)...)
		if got.code != command.ExitOK || !reflect.DeepEqual(f.requests[len(f.requests)-1].body, want) {
			t.Errorf("%s: %+v, sent %v", args, got, f.requests)
		}
		has(t, got.stderr, "warning: the link lives long (long)")
	}
	for args, want := range map[string]string{
		"--allow 192.0.2.0/24 --no-allow":                           "--allow and --no-allow cannot be combined",
		"--allow 192.0.2.0/33":                                      "neither an address nor a network",
		"--no-passphrase --make-passphrase":                         "--no-passphrase cannot be combined",
		"--make-passphrase --passphrase-file " + secretFile(t, "p"): "cannot be combined",
		"--not-before soon":                                         `"soon" is not a time`,
	} {
		f := &fakeAPI{}
		got := runOver(t, f, append([]string{"change", testID()}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || len(f.requests) != 0 {
			t.Errorf("%s: %+v", args, got)
		}
		has(t, got.stderr, want)
	}
	got := runOver(t, &fakeAPI{}, "change", testID(), "--expires", "soon")
	if got.code != command.ExitUsage {
		t.Errorf("an expiry that is none: %+v", got)
	}
	has(t, got.stderr, `keyhole: --expires: "soon" is not a duration`)
}

// The help of resend names no default of a first link: the other link has the settings.
func TestHelpOfResend(t *testing.T) {
	t.Parallel()
	help := runOver(t, &fakeAPI{}, "resend", "--help").stdout
	has(t, help, "with the\nsame settings and the same life", "(default: as long as the other link)",
		"(default: that of the other link)")
	for _, text := range []string{
		"lives 15m", "lives 24h", "without it, the sensitivity decides", "the last part of the key", "auto (default)",
		"after the passphrase (default)", "several links",
	} {
		if strings.Contains(help, text) {
			t.Errorf("it says %q", text)
		}
	}
	has(t, runOver(t, &fakeAPI{}, "audit", "--help").stdout, "redirected means that the recipient was sent to the file")
}
