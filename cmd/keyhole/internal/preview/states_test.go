package preview

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"keyhole/gateway"
	"keyhole/gateway/pages"
	"keyhole/gateway/pages/pagetest"
)

// sampleNow returns the time of pages whose times a test compares.
func sampleNow() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) }

// locales returns the locales of an organization with a contact, English first.
func locales(t *testing.T) []*pages.Locale {
	t.Helper()
	renderer, err := pages.New(pages.Options{
		Branding: pages.Branding{Organization: "ACME", Contact: "mailto:help@example.org"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return renderer.Locales()
}

// mainOf renders a state and returns the element main of its page.
func mainOf(t *testing.T, s state, locale *pages.Locale) *html.Node {
	t.Helper()
	page, err := s.render(locale, sampleNow())
	if err != nil {
		t.Fatal(err)
	}
	return pagetest.One(t, pagetest.Parse(t, page), "main")
}

// facts returns the facts of a page as "label: value".
func facts(page *html.Node) []string {
	var rows []string
	labels, values := pagetest.Elements(page, "dt"), pagetest.Elements(page, "dd")
	for i := range min(len(labels), len(values)) {
		rows = append(rows, pagetest.Text(labels[i])+": "+pagetest.Text(values[i]))
	}
	return rows
}

// alert returns the text of the alert of a page, or "".
func alert(page *html.Node) string {
	for _, div := range pagetest.Elements(page, "div") {
		if pagetest.Attribute(div, "role") == "alert" {
			return strings.TrimSpace(pagetest.Text(div))
		}
	}
	return ""
}

// TestConfirmations expects on each confirmation page the facts, the fields, the alert and
// the sentences of its state.
func TestConfirmations(t *testing.T) {
	t.Parallel()
	const (
		once      = "You can download this file once."
		viewing   = "Opening this page does not count as a download."
		always    = "press the button again or reopen this link."
		limited   = "Within 10 minutes of the first attempt, this does not count as another download."
		incorrect = "This passphrase is not correct. Every character counts, including upper and lower case, " +
			"spaces and hyphens.\n"
		left = "When you opened this page, 3 downloads were left."
	)
	tests := map[string]struct {
		button, alert string
		hidden        bool // nothing about the file is shown
		passphrase    bool
		sentences     []string
		without       []string
	}{
		"confirm":         {button: "Download file", sentences: []string{always}, without: []string{once, viewing, limited}},
		"confirm_once":    {button: "Download file", sentences: []string{once, viewing, limited}, without: []string{always}},
		"confirm_limited": {button: "Download file", sentences: []string{left, viewing, limited}, without: []string{once}},
		"confirm_inline": {
			button: "Open file", sentences: []string{"The button opens the file in your browser.", always},
			without: []string{"downloads the file"},
		},
		"confirm_passphrase": {
			button: "Get the file", hidden: true, passphrase: true,
			sentences: []string{"If the passphrase is correct, the file opens or downloads immediately."},
		},
		"confirm_revealed": {
			button: "Download file", passphrase: true, sentences: []string{"The button downloads the file to your device."},
		},
		"wrong_passphrase": {
			button: "Get the file", hidden: true, passphrase: true, alert: incorrect + "You have 4 attempts left.",
		},
		"wrong_passphrase_last": {
			button: "Get the file", hidden: true, passphrase: true,
			alert: incorrect + "You have no attempts left for now. Try again later.",
		},
	}
	for _, s := range confirmations() {
		want, known := tests[s.name]
		if !known {
			t.Errorf("state %s has no test", s.name)
			continue
		}
		delete(tests, s.name)
		page := mainOf(t, s, locales(t)[0])
		text := pagetest.Text(page)
		if got := pagetest.Text(pagetest.One(t, page, "h1")); got != "ACME shared a file with you" {
			t.Errorf("%s: the heading is %q", s.name, got)
		}
		if got := pagetest.Text(pagetest.One(t, page, "button")); got != want.button {
			t.Errorf("%s: the button is %q", s.name, got)
		}
		if got := alert(page); got != want.alert {
			t.Errorf("%s: the alert is %q", s.name, got)
		}
		if got := facts(page); !slices.Equal(got, sampleRows(want.hidden)) {
			t.Errorf("%s: the facts are %q", s.name, got)
		}
		checkForm(t, s.name, page, want.passphrase, want.alert != "")
		if strings.Contains(text, "protected with a passphrase") != want.passphrase {
			t.Errorf("%s: the page says about a passphrase: %s", s.name, text)
		}
		for _, sentence := range want.sentences {
			if !strings.Contains(text, sentence) {
				t.Errorf("%s: the page lacks %q", s.name, sentence)
			}
		}
		for _, sentence := range want.without {
			if strings.Contains(text, sentence) {
				t.Errorf("%s: the page has %q", s.name, sentence)
			}
		}
	}
	for name := range tests {
		t.Errorf("there is no state %s", name)
	}
}

// sampleRows returns the facts of confirmation pages. Pages that hide the file show only
// its expiry and the reference.
func sampleRows(hidden bool) []string {
	rows := []string{
		"File name: Quarterly report 2026-Q3.pdf", "Type: PDF document", "Size: 2.4 MB",
		"Comes from: reports.s3.eu-central-1.amazonaws.com", "Available until: 28 November 2026, 14:00 UTC in 2 days",
		"Message: Figures as approved on Monday.\nPlease do not forward them before the meeting.",
		"Reference: " + gateway.IDOf("a sample").Reference(),
	}
	if hidden {
		return []string{rows[4], rows[6]}
	}
	return rows
}

// checkForm fails the test unless the form has the hidden fields, and a field for the
// passphrase exactly if the link has one. After a wrong passphrase, the field says so.
func checkForm(t *testing.T, name string, page *html.Node, passphrase, wrong bool) {
	t.Helper()
	form := pagetest.One(t, page, "form")
	if method := pagetest.Attribute(form, "method"); method != "post" {
		t.Errorf("%s: the form is sent by %q", name, method)
	}
	want := map[string]string{"confirm": "hidden", "nonce": "hidden"}
	if passphrase {
		want["passphrase"] = "password"
	}
	inputs := pagetest.Elements(form, "input")
	if len(inputs) != len(want) {
		t.Errorf("%s: the form has %d fields, want %d", name, len(inputs), len(want))
	}
	for _, input := range inputs {
		field, kind := pagetest.Attribute(input, "name"), pagetest.Attribute(input, "type")
		if want[field] != kind || field == "nonce" && pagetest.Attribute(input, "value") == "" {
			t.Errorf("%s: the form has a field %v", name, input.Attr)
		}
		if (pagetest.Attribute(input, "aria-invalid") == "true") != (wrong && field == "passphrase") {
			t.Errorf("%s: the field %s has the attributes %v", name, field, input.Attr)
		}
	}
}

// TestRefusals expects on the pages without a file the facts of the state, and no form. In
// every language the page says what the catalogue says.
func TestRefusals(t *testing.T) {
	t.Parallel()
	known := map[string]string{
		"expired":             "Expired: 26 November 2026, 09:00 UTC 3 hours ago",
		"revoked":             "Withdrawn: 24 November 2026, 10:00 UTC 2 days ago",
		"not_yet":             "Available from: 27 November 2026, 08:00 UTC in 20 hours",
		"rate_limited":        "Try again from: 26 November 2026, 12:15 UTC in 15 minutes",
		"address_not_allowed": "Your IP address: 203.0.113.7",
	}
	// The service has found no link, or has not looked for one.
	unknown := []string{"not_found", "method_not_allowed", "bad_request", "prefetched"}
	reference := gateway.IDOf("a sample").Reference()
	for _, s := range states()[len(confirmations()):] {
		for i, locale := range locales(t) {
			page, name := mainOf(t, s, locale), s.name+"."+locale.Tag
			text := pagetest.Text(page)
			if len(pagetest.Elements(page, "form"))+len(pagetest.Elements(page, "input")) > 0 || alert(page) != "" {
				t.Errorf("%s: the page has a form or an alert", name)
			}
			for _, hidden := range []string{"Quarterly", "Figures", "maria", "amazonaws"} {
				if strings.Contains(text, hidden) {
					t.Errorf("%s: the page contains %s", name, hidden)
				}
			}
			texts := catalogue(t, locale.Tag)
			paragraphs := pagetest.Elements(page, "p")
			if pagetest.Text(pagetest.One(t, page, "h1")) != texts[s.name+".title"] || len(paragraphs) < 2 ||
				pagetest.Text(paragraphs[0]) != texts[s.name+".text"] || pagetest.Text(paragraphs[1]) != texts[s.name+".help"] {
				t.Errorf("%s: the page says %s", name, text)
			}
			if i > 0 {
				continue
			}
			var want []string
			if fact := known[s.name]; fact != "" {
				want = append(want, fact)
			}
			if !slices.Contains(unknown, s.name) {
				want = append(want, "Reference: "+reference)
			}
			if got := facts(page); !slices.Equal(got, want) {
				t.Errorf("%s: the facts are %q, want %q", name, got, want)
			}
			if strings.Contains(text, "give the reference "+reference) != !slices.Contains(unknown, s.name) {
				t.Errorf("%s: the page asks for the reference: %s", name, text)
			}
		}
	}
}

// catalogue returns the texts of a language.
func catalogue(t *testing.T, language string) (texts map[string]string) {
	t.Helper()
	path := filepath.Join("..", "..", "..", "..", "gateway", "pages", "catalogues", language+".json")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &texts); err != nil {
		t.Fatal(err)
	}
	return texts
}

// TestNoPage reports a refusal that package pages cannot render, and leaves no empty file.
func TestNoPage(t *testing.T) {
	t.Parallel()
	renderer, err := pages.New(pages.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files := &pageFiles{
		renderer: renderer, states: []state{{"no_such_outcome", refusal(pages.Refusal{Outcome: "no_such_outcome"})}},
		locales: locales(t)[:1], directory: t.TempDir(), now: sampleNow(),
	}
	if err := files.write(); err == nil || err.Error() != "there is no page for no_such_outcome" {
		t.Errorf("got %v", err)
	}
	for name := range contents(t, files.directory) {
		if strings.HasSuffix(name, ".html") {
			t.Errorf("%s is written", name)
		}
	}
}
