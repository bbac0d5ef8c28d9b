package preview

import (
	"strings"
	"testing"
	"time"

	"keyhole/gateway/pages"
	"keyhole/gateway/pages/pagetest"
)

// now is the time of the pages in these tests.
func now() time.Time { return time.Date(2026, 11, 28, 21, 0, 0, 0, time.UTC) }

// english renders a state in English, without branding.
func english(t *testing.T, name string) string {
	t.Helper()
	renderer, err := pages.New(pages.Options{Languages: []string{"en"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states() {
		if s.name == name {
			html, err := s.render(renderer.Locales()[0], now())
			if err != nil {
				t.Fatal(err)
			}
			return pagetest.Text(pagetest.One(t, pagetest.Parse(t, html), "main"))
		}
	}
	t.Fatalf("there is no state %s", name)
	return ""
}

// TestSamples expects that each page shows what is special about its state.
func TestSamples(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"confirm":               {"Quarterly report 2026-Q3.pdf", "PDF document", "2.4 MB", "30 November 2026, 23:00 UTC"},
		"confirm_once":          {"You can download this file once."},
		"confirm_limited":       {"3 downloads were left"},
		"confirm_inline":        {"Open file"},
		"confirm_passphrase":    {"Passphrase for this file"},
		"confirm_revealed":      {"Passphrase for this file", "Quarterly report 2026-Q3.pdf"},
		"wrong_passphrase":      {"This passphrase is not correct.", "You have 4 attempts left."},
		"wrong_passphrase_last": {"This passphrase is not correct.", "You have no attempts left"},
		"expired":               {"Link expired", "28 November 2026, 18:00 UTC", "3 hours ago"},
		"revoked":               {"Link withdrawn", "26 November 2026, 19:00 UTC", "2 days ago"},
		"not_yet":               {"not available yet", "29 November 2026, 17:00 UTC", "in 20 hours"},
		"rate_limited":          {"Too many attempts", "in 15 minutes"},
		"address_not_allowed":   {sampleAddress},
		"downloaded":            {"You have downloaded this file"},
		"prefetched":            {"Not opened yet"},
	} {
		page := english(t, name)
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s has no %q: %s", name, text, page)
			}
		}
	}
}

// TestReferences expects the reference on the pages about a link that was found, and only
// there.
func TestReferences(t *testing.T) {
	t.Parallel()
	reference := sampleFacts(now()).Reference
	for _, s := range states() {
		want := true
		switch s.name {
		case "not_found", "method_not_allowed", "bad_request", "prefetched":
			want = false
		}
		if page := english(t, s.name); strings.Contains(page, reference) != want {
			t.Errorf("%s, with the reference %v: %s", s.name, want, page)
		}
	}
}

// TestNoPage expects an error for a refusal that has no page.
func TestNoPage(t *testing.T) {
	t.Parallel()
	renderer, err := pages.New(pages.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if html, err := refusal(pages.Refusal{Outcome: "unknown"})(renderer.Locales()[0], now()); err == nil {
		t.Errorf("a page for an unknown outcome: %s", html)
	}
}

// TestNamesAreUnique expects one file for each state.
func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, name := range names(states()) {
		if seen[name] || strings.ContainsAny(name, "./ ") {
			t.Errorf("the name %q", name)
		}
		seen[name] = true
	}
}
