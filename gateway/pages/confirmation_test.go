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
			MaxClicks: 3, Clicks: 1, Passphrase: true, Reveal: gateway.RevealBefore,
		},
		Nonce: "the-nonce", ResumeWindow: 10 * time.Minute,
	}
}

// render renders and parses a confirmation page.
func render(t *testing.T, view Confirmation) *html.Node {
	t.Helper()
	r := newEnglish(t)
	page, err := r.Confirmation(view)
	if err != nil {
		t.Fatal(err)
	}
	node := pagetest.Parse(t, page)
	pagetest.WantStatic(t, node, r.Policy(""))
	return node
}

// told returns the labels and values of the page's list.
func told(page *html.Node) string {
	var lines []string
	values := pagetest.Elements(page, "dd")
	for i, label := range pagetest.Elements(page, "dt") {
		lines = append(lines, pagetest.Text(label)+"="+pagetest.Text(values[i]))
	}
	return strings.Join(lines, "|")
}

func TestConfirmationTellsAboutTheFile(t *testing.T) {
	t.Parallel()
	page := render(t, Confirmation{Page: aPage()})
	const want = "File=q3 <draft>.pdf|Size=1.2 MB|Type=application/pdf|" +
		"Until=1 November 2026, 13:00 UTC|Note=for <you>\nand me"
	if got := told(page); got != want {
		t.Errorf("the page tells %q, want %q", got, want)
	}
	if at := pagetest.Attribute(pagetest.One(t, page, "time"), "datetime"); at != "2026-11-01T13:00:00Z" {
		t.Errorf("the time for programs is %q", at)
	}
	inputs := map[string]string{}
	for _, input := range pagetest.Elements(page, "input") {
		inputs[pagetest.Attribute(input, "name")] = pagetest.Attribute(input, "value")
	}
	if len(inputs) != 3 || inputs["confirm"] != "1" || inputs["nonce"] != "the-nonce" || inputs["passphrase"] != "" {
		t.Errorf("the form sends %v", inputs)
	}
	form := pagetest.One(t, page, "form")
	if pagetest.Attribute(form, "method") != "post" || pagetest.Attribute(form, "action") != "" {
		t.Errorf("the form is %v", form.Attr)
	}
}

// Without a passphrase the page does not ask for one; unknown facts and an empty note have
// no line.
func TestConfirmationLeavesOutWhatIsUnknown(t *testing.T) {
	t.Parallel()
	view := aPage()
	view.Link.Passphrase, view.Link.Note, view.Link.Object = false, "", gateway.ObjectInfo{Size: gateway.UnknownSize}
	page := render(t, Confirmation{Page: view})
	if got := told(page); got != "File=q3 <draft>.pdf|Until=1 November 2026, 13:00 UTC" {
		t.Errorf("the page tells %q", got)
	}
	if inputs := pagetest.Elements(page, "input"); len(inputs) != 2 {
		t.Errorf("the form has %d inputs", len(inputs))
	}
}

// A link that reveals its file after the passphrase shows only its expiry.
func TestConfirmationHidesTheFile(t *testing.T) {
	t.Parallel()
	view := aPage()
	view.Link.Reveal, view.Link.Note = gateway.RevealAfter, ""
	if got := told(render(t, Confirmation{Page: view})); got != "Until=1 November 2026, 13:00 UTC" {
		t.Errorf("the page tells %q", got)
	}
}

func TestConfirmationAfterAWrongPassphrase(t *testing.T) {
	t.Parallel()
	for _, wrong := range []bool{false, true} {
		alerts := 0
		for _, p := range pagetest.Elements(render(t, Confirmation{Page: aPage(), WrongPassphrase: wrong}), "p") {
			if pagetest.Attribute(p, "role") == "alert" && strings.Contains(pagetest.Text(p), "not the right one") {
				alerts++
			}
		}
		if (alerts == 1) != wrong {
			t.Errorf("wrong: %v: %d alerts", wrong, alerts)
		}
	}
}

// The help tells how often the link can still be used, and what a repeated download costs.
func TestHelpOfConfirmation(t *testing.T) {
	t.Parallel()
	const begin = "Viewing this page does not use up the link. Downloading does. " +
		"If the download is interrupted, open the link again in this browser within "
	const later = "Later, or in another browser, the download"
	for _, tt := range []struct {
		maxClicks, clicks int64
		resume            time.Duration
		want              string
	}{
		{3, 1, 10 * time.Minute, "This link can be used 2 times. " + begin +
			"10 minutes to resume it. " + later + " counts as another use."},
		{3, 2, 59 * time.Second, "This link can be used once. " + begin +
			"59 seconds to resume it. " + later + " counts as another use."},
		{3, 3, 89 * time.Second, "This link can be used once. " + begin +
			"a minute to resume it. " + later + " counts as another use."},
		{3, 1, time.Second, "This link can be used 2 times. " + begin +
			"a second to resume it. " + later + " counts as another use."},
		{0, 7, 90 * time.Second, begin + "2 minutes to resume it. " + later + " starts again from this page."},
	} {
		view := aPage()
		view.Link.MaxClicks, view.Link.Clicks, view.ResumeWindow = tt.maxClicks, tt.clicks, tt.resume
		help := ""
		for _, p := range pagetest.Elements(render(t, Confirmation{Page: view}), "p") {
			if pagetest.Attribute(p, "class") == "help" {
				help = pagetest.Text(p)
			}
		}
		if help != tt.want {
			t.Errorf("%d of %d, %s: got %q, want %q", tt.clicks, tt.maxClicks, tt.resume, help, tt.want)
		}
	}
}

func TestReadableSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		gateway.UnknownSize: "", 0: "0 bytes", 1: "1 bytes", 999: "999 bytes", 1000: "1.0 kB", 1_234_567: "1.2 MB",
		999_949: "999.9 kB", 999_950: "1.0 MB", 5 << 40: "5.5 TB", 1 << 62: "4611.7 PB",
	} {
		if got := readableSize(n, "bytes"); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

// Names and notes are text, whatever an operator or a storage has put into them.
func TestConfirmationEscapesItsView(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</dd></dl><form action=//evil>", "{{.Nonce}}",
		"[[.Language]]",
		"</style><style>p{background:url(x)}", "\u202e<b>", "&lt;b&gt;",
	} {
		view := aPage()
		view.Link.Filename, view.Link.Note, view.Link.Object.ContentType = hostile, hostile, hostile
		page := render(t, Confirmation{Page: view})
		values := pagetest.Elements(page, "dd")
		if len(values) != 5 || pagetest.Text(values[0]) != hostile || pagetest.Text(values[2]) != hostile ||
			pagetest.Text(values[4]) != hostile {
			t.Errorf("%q is shown as %q", hostile, told(page))
		}
	}
}

// The nonce stands in an attribute, and no text of it ends the attribute.
func TestConfirmationEscapesTheNonce(t *testing.T) {
	t.Parallel()
	view := aPage()
	view.Nonce = `"><script>`
	for _, input := range pagetest.Elements(render(t, Confirmation{Page: view}), "input") {
		if name := pagetest.Attribute(input, "name"); name == "nonce" && pagetest.Attribute(input, "value") != view.Nonce {
			t.Errorf("the nonce is %q", pagetest.Attribute(input, "value"))
		}
	}
}

// Another language replaces every text of the page and its language tag.
func TestConfirmationInAnotherLanguage(t *testing.T) {
	t.Parallel()
	r, err := New(Options{Messages: Messages{
		Language: "de", PageTitle: "Titel",
		Confirmation: ConfirmationMessages{
			Heading: "Kopf", WrongPassphrase: "Falsch", File: "Datei", Size: "Umfang", Type: "Art", Until: "Bis", Note: "Notiz",
			Passphrase: "Kennwort", Download: "Laden", TimeLayout: "2.1.2006", Bytes: "Byte",
			Uses: func(left int64) string { return fmt.Sprint("noch ", left) },
			Help: func(limited bool, resume time.Duration) string { return fmt.Sprint(limited, resume) },
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	view := aPage()
	view.Link.Object.Size, view.Link.Note = 7, "n"
	rendered, err := r.Confirmation(Confirmation{Page: view, WrongPassphrase: true})
	if err != nil {
		t.Fatal(err)
	}
	page := pagetest.Parse(t, rendered)
	if lang := pagetest.Attribute(pagetest.One(t, page, "html"), "lang"); lang != "de" {
		t.Errorf("the language is %q", lang)
	}
	const want = "Titel|Kopf|Falsch|Datei|q3 <draft>.pdf|Umfang|7 Byte|Art|application/pdf|Bis|1.11.2026|Notiz|n|" +
		"Kennwort|" +
		"Laden|noch 2 true 10m0s"
	var texts []string
	for n := range page.Descendants() {
		if n.Type != html.TextNode || n.Parent.Data == "style" || strings.TrimSpace(n.Data) == "" {
			continue
		}
		texts = append(texts, strings.TrimSpace(n.Data))
	}
	if got := strings.Join(texts, "|"); got != want {
		t.Errorf("the page says %q, want %q", got, want)
	}
}

// Pages are rendered side by side, as requests come.
func TestRenderingSideBySide(t *testing.T) {
	t.Parallel()
	r := newEnglish(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			view := aPage()
			view.Nonce = fmt.Sprint("nonce-", i)
			page, err := r.Confirmation(Confirmation{Page: view})
			if err != nil || !strings.Contains(string(page), `value="`+view.Nonce+`"`) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}
