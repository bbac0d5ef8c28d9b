package pages

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"keyhole/gateway"
	"keyhole/gateway/pages/pagetest"
)

// aPage is the page of a link with a limit, a note and a passphrase.
func aPage() *gateway.Page {
	return &gateway.Page{
		Link: gateway.Link{
			Ref: gateway.ObjectRef{Bucket: "reports", Key: "2026/q3 <draft>.pdf"}, Note: "for <you>\nand me",
			Object:    gateway.ObjectInfo{Size: 1_234_567, ContentType: "application/pdf"},
			ExpiresAt: time.Date(2026, 11, 1, 14, 0, 0, 0, time.FixedZone("", 3600)),
			MaxClicks: 3, Clicks: 1, Passphrase: true, Reveal: gateway.RevealBefore, CreatedBy: "oidc:alice",
		},
		Origin: "https://reports.s3.example.com", Nonce: "the-nonce", ResumeWindow: 10 * time.Minute,
	}
}

// confirm renders and parses a confirmation page.
func confirm(t *testing.T, locale *Locale, view Confirmation) *html.Node {
	t.Helper()
	view.Now = now()
	rendered, err := locale.Confirmation(view)
	if err != nil {
		t.Fatal(err)
	}
	page := pagetest.Parse(t, rendered)
	pagetest.WantConfined(t, page)
	return page
}

// english renders and parses a confirmation page in English, without branding.
func english(t *testing.T, page *gateway.Page) *html.Node {
	t.Helper()
	return confirm(t, newRenderer(t).Locales()[0], Confirmation{Page: page})
}

func TestConfirmationTellsAboutTheFile(t *testing.T) {
	t.Parallel()
	view := aPage()
	page := english(t, view)
	const want = "File name=q3 <draft>.pdf|Type=PDF document|Size=1.2 MB|Comes from=reports.s3.example.com|" +
		"Available until=1 November 2026, 13:00 UTC in 1 hour|Message=for <you>\nand me|Reference=" + "aaaaaaaa"
	if got := rows(page); got != want {
		t.Errorf("the page tells %q, want %q", got, want)
	}
	if at := pagetest.Attribute(pagetest.One(t, page, "time"), "datetime"); at != "2026-11-01T13:00:00Z" {
		t.Errorf("the time for programs is %q", at)
	}
	name := pagetest.Elements(page, "bdi")[0]
	if name.Parent.Data != "dd" || pagetest.Text(name) != "q3 <draft>.pdf" {
		t.Errorf("the file name stands in %s: %q", name.Parent.Data, pagetest.Text(name))
	}
	text := pagetest.Text(pagetest.One(t, page, "main"))
	for _, sentence := range []string{
		"You will never be asked to sign in or pay here.", "The button downloads the file to your device.",
		"When you opened this page, 2 downloads were left.",
	} {
		if !strings.Contains(text, sentence) {
			t.Errorf("the page does not say %q: %s", sentence, text)
		}
	}
}

// The form sends itself to the link, and its field is made for passphrases.
func TestFormOfConfirmation(t *testing.T) {
	t.Parallel()
	page := english(t, aPage())
	inputs := map[string]*html.Node{}
	for _, input := range pagetest.Elements(page, "input") {
		inputs[pagetest.Attribute(input, "name")] = input
	}
	if len(inputs) != 3 || pagetest.Attribute(inputs["confirm"], "value") != "1" ||
		pagetest.Attribute(inputs["nonce"], "value") != "the-nonce" {
		t.Errorf("the form has %d fields", len(inputs))
	}
	for name, want := range map[string]string{
		"type": "password", "value": "", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false",
		"id": pagetest.Attribute(pagetest.One(t, page, "label"), "for"), "data-show": "Show passphrase", "onpaste": "",
	} {
		if got := pagetest.Attribute(inputs["passphrase"], name); got != want {
			t.Errorf("the field has %s=%q, want %q", name, got, want)
		}
	}
	form := pagetest.One(t, page, "form")
	if pagetest.Attribute(form, "method") != "post" || pagetest.Attribute(form, "action") != "" ||
		pagetest.Attribute(form, "target") != "" {
		t.Errorf("the form is %v", form.Attr)
	}
	// Without a passphrase the page does not ask for one.
	view := aPage()
	view.Link.Passphrase = false
	if fields := pagetest.Elements(english(t, view), "input"); len(fields) != 2 {
		t.Errorf("the form has %d fields", len(fields))
	}
}

// Unknown facts and an empty note have no row.
func TestConfirmationLeavesOutWhatIsUnknown(t *testing.T) {
	t.Parallel()
	view := aPage()
	view.Link.Note, view.Link.Object, view.Origin = "", gateway.ObjectInfo{Size: gateway.UnknownSize}, ""
	view.Link.Ref.Key = "q3"
	const want = "File name=q3|Available until=1 November 2026, 13:00 UTC in 1 hour|Reference=aaaaaaaa"
	if got := rows(english(t, view)); got != want {
		t.Errorf("the page tells %q", got)
	}
}

// A link that reveals its file after the passphrase shows nothing about it, whatever the
// view holds.
func TestConfirmationHidesTheFile(t *testing.T) {
	t.Parallel()
	for _, locale := range branded(t, nil).Locales() {
		view := aPage()
		view.Link.Reveal, view.Link.Note = gateway.RevealAfter, ""
		rendered, err := locale.Confirmation(Confirmation{Page: view, Now: now()})
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"q3", "draft", "1.2", "1,2", "PDF", "s3.example.com", "alice", "reports"} {
			if strings.Contains(string(rendered), secret) {
				t.Errorf("%s: the page has %q", locale.Tag, secret)
			}
		}
	}
}

// A wrong passphrase is an alert with the attempts that are left.
func TestConfirmationAfterAWrongPassphrase(t *testing.T) {
	t.Parallel()
	locale := newRenderer(t).Locales()[0]
	for left, want := range map[int]string{
		3: "You have 3 attempts left.", 1: "You have 1 attempt left.",
		0:                       "You have no attempts left for now. Try again later.",
		gateway.AttemptsUnknown: "not correct",
	} {
		page := confirm(t, locale, Confirmation{Page: aPage(), WrongPassphrase: true, AttemptsLeft: left})
		alerts := 0
		for _, div := range pagetest.Elements(page, "div") {
			if pagetest.Attribute(div, "role") == "alert" {
				alerts++
				text := pagetest.Text(div)
				if !strings.Contains(text, "not correct") || !strings.Contains(text, want) ||
					strings.Contains(text, "attempt") != (left >= 0) {
					t.Errorf("%d left: the alert says %q", left, text)
				}
			}
		}
		if alerts != 1 {
			t.Errorf("%d left: %d alerts", left, alerts)
		}
	}
	if strings.Contains(pagetest.Text(confirm(t, locale, Confirmation{Page: aPage()})), "not correct") {
		t.Error("the first page says that the passphrase is wrong")
	}
}

// The texts beside the button are right before the click and after it.
func TestTextsBesideTheButton(t *testing.T) {
	t.Parallel()
	const viewing = "Opening this page does not count as a download.\n"
	const again = "If the download does not start or stops early, press the button again or reopen this link"
	for _, tt := range []struct {
		maxClicks, clicks int64
		resume            time.Duration
		want              string
	}{
		{1, 0, 10 * time.Minute, "You can download this file once.\n" + viewing + again +
			" in this browser. Within 10 minutes of the first attempt, this does not count as another download."},
		{3, 1, 90 * time.Second, "When you opened this page, 2 downloads were left.\n" + viewing + again +
			" in this browser. Within 1 minute of the first attempt, this does not count as another download."},
		{3, 2, 59 * time.Second, "When you opened this page, 1 download was left.\n" + viewing + again +
			" in this browser. Within 59 seconds of the first attempt, this does not count as another download."},
		{3, 3, 24 * time.Hour, "When you opened this page, 1 download was left.\n" + viewing + again +
			" in this browser. Within 24 hours of the first attempt, this does not count as another download."},
		{0, 7, 90 * time.Second, again + "."},
	} {
		view := aPage()
		view.Link.MaxClicks, view.Link.Clicks, view.ResumeWindow = tt.maxClicks, tt.clicks, tt.resume
		if text := pagetest.Text(english(t, view)); !strings.Contains(text, tt.want) {
			t.Errorf("%d of %d, %s: %q is not in %q", tt.clicks, tt.maxClicks, tt.resume, tt.want, text)
		}
	}
	for disposition, want := range map[string]string{
		"": "Download file", "attachment": "Download file", "inline": "Open file",
	} {
		view := aPage()
		view.Link.Disposition = disposition
		if button := pagetest.Text(pagetest.One(t, english(t, view), "button")); button != want {
			t.Errorf("%s: the button says %q, want %q", disposition, button, want)
		}
	}
}

// The heading names the sender that the configuration wants.
func TestSenderOfConfirmation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		sender       Sender
		organization string
		display      string
		want         string
	}{
		{"", "Example & Sons", "", "Example & Sons shared a file with you"},
		{SenderOrganization, "Example & Sons", "Alice Ames", "Example & Sons shared a file with you"},
		{SenderOrganization, "", "Alice Ames", "A file was shared with you"},
		{SenderNone, "Example & Sons", "Alice Ames", "A file was shared with you"},
		{SenderOperator, "Example & Sons", "Alice Ames", "Alice Ames shared a file with you"},
		{SenderOperator, "Example & Sons", "", "alice shared a file with you"},
	} {
		r := branded(t, func(b *Branding) {
			b.Sender, b.Organization, b.Contact, b.Links = tt.sender, tt.organization, "", nil
		})
		view := aPage()
		view.Link.Sender = tt.display
		page := confirm(t, r.Locales()[0], Confirmation{Page: view})
		if got := pagetest.Text(pagetest.One(t, page, "h1")); got != tt.want {
			t.Errorf("%+v: the heading is %q", tt, got)
		}
		text := pagetest.Text(page)
		shown := strings.Contains(text, "Alice") || strings.Contains(text, "alice")
		if shown != (tt.sender == SenderOperator) {
			t.Errorf("%+v: the operator is shown: %v", tt, shown)
		}
	}
}

// Pages are rendered side by side, as requests come.
func TestRenderingSideBySide(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			view := aPage()
			view.Nonce = fmt.Sprint("nonce-", i)
			page, err := r.Locales()[i].Confirmation(Confirmation{Page: view, Now: now()})
			if err != nil || !strings.Contains(string(page), `value="`+view.Nonce+`"`) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}
