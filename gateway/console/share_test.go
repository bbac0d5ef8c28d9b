package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
)

// sharePath is the form of an object.
const sharePath = "/console/share?bucket=reports&key=2026%2Fq3.pdf"

// Opening the form creates nothing, and shows what would be shared.
func TestShareForm(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath)
	if a.status != http.StatusOK {
		t.Fatalf("the form: %d %s", a.status, a.shown())
	}
	for _, want := range []string{"s3://reports/2026/q3.pdf", "1.2 MiB", "application/pdf", "Storagemain"} {
		if !strings.Contains(a.shown(), want) {
			t.Errorf("the form lacks %q: %s", want, a.shown())
		}
	}
	form := a.fields(t, "/console/share")
	if form.Get("storage") != "main" || form.Get("nonce") == "" || form.Get("nonce") == c.nonce() {
		t.Errorf("the hidden fields: %v", form)
	}
	if links := b.links(t); len(links) != 0 {
		t.Errorf("GET has created %d links", len(links))
	}
	if strings.Contains(a.shown(), "already shared") {
		t.Errorf("nothing is shared yet: %s", a.shown())
	}
	b.issue(t, nil)
	if a = c.get(sharePath); a.link("1 live link") != "/console/links?bucket=reports&key=2026%2Fq3.pdf" {
		t.Errorf("already shared: %s", a.shown())
	}
}

// nonce returns the nonce of a new form.
func (c *client) nonce() string {
	a := c.get(sharePath)
	form := a.fields(c.t, "/console/share")
	return form.Get("nonce")
}

// Each field of the form arrives at the link.
func TestShareFields(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath)
	form := with(a.fields(t, "/console/share"),
		"expires_in", "3h", "sensitive", "true", "max_clicks", " 3 ", "passphrase", "correct horse battery",
		"filename", "q3 final.pdf", "disposition", "inline", "reveal", "before", "confirm", "1",
		"allow", "203.0.113.0/24\r\n\r\n 2001:db8::1 \r\n", "labels", "team=sales\r\ncase = 4711\r\n",
		"pin", "none", "note", "Figures\r\nof Q3", "language", "de")
	if a = c.post("/console/share", form); a.status != http.StatusOK {
		t.Fatalf("the answer: %d %s", a.status, a.shown())
	}
	links := b.links(t)
	if len(links) != 1 {
		t.Fatalf("%d links", len(links))
	}
	link := links[0]
	if life := link.ExpiresAt.Sub(link.CreatedAt); life != 3*time.Hour || link.Preset != gateway.PresetCustom {
		t.Errorf("the life is %s, preset %s", life, link.Preset)
	}
	if link.Sensitive == nil || !*link.Sensitive || link.MaxClicks != 3 || !link.Passphrase || !link.Confirm {
		t.Errorf("the restrictions: %+v", link)
	}
	if link.Filename != "q3 final.pdf" || link.Disposition != gateway.DispositionInline ||
		link.Reveal != gateway.RevealBefore || link.Pin != gateway.PinNone || link.Language != "de" {
		t.Errorf("the options: %+v", link)
	}
	if got := networkTexts(link.Allow); !slices.Equal(got, []string{"203.0.113.0/24", "2001:db8::1/128"}) {
		t.Errorf("the networks: %q", got)
	}
	if got := labelTexts(link.Labels); !slices.Equal(got, []string{"case=4711", "team=sales"}) {
		t.Errorf("the labels: %q", got)
	}
	if link.CreatedBy != "ops" || unixLines(link.Note) != "Figures\nof Q3" {
		t.Errorf("by %s, note %q", link.CreatedBy, link.Note)
	}
}

// A time without a zone is in UTC.
func TestShareNotBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	begin := time.Now().UTC().Add(2 * time.Hour).Truncate(time.Minute)
	a := c.get(sharePath)
	form := with(a.fields(t, "/console/share"), "preset", gateway.PresetBusiness, "not_before",
		begin.Format("2006-01-02T15:04"))
	if a = c.post("/console/share", form); a.status != http.StatusOK {
		t.Fatalf("the answer: %d %s", a.status, a.shown())
	}
	if got := b.links(t)[0]; !got.NotBefore.Equal(begin) || got.State != gateway.StateNotYet {
		t.Errorf("not before %s, state %s", got.NotBefore, got.State)
	}
}

// A field that cannot be accepted is refused beside the field, and everything that was
// entered is still there.
func TestShareRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath)
	form := with(a.fields(t, "/console/share"), "note", "Keep me")
	for _, test := range []struct{ field, value, want string }{
		{"expires_in", "soon", "duration"},
		{"expires_in", "30d", "limit"},
		{"preset", "for-ever", ""},
		{"preset", gateway.PresetExtended, "not sensitive"},
		{"sensitive", "perhaps", "must be true, false or empty"},
		{"max_clicks", "many", "must be a whole number"},
		{"max_clicks", "-1", "from 1 to 1000000"},
		{"max_clicks", "99999999999999999999", "must be a whole number"},
		{"passphrase", "short", "the policy requires at least 8"},
		{"filename", "../etc/passwd", "must not have a path"},
		{"disposition", "both", "must be attachment or inline"},
		{"reveal", "sometimes", "must be after or before"},
		{"allow", "everyone", "everyone"},
		{"labels", "no equals sign", "name=value"},
		{"labels", "UPPER=1", "a-z"},
		{"not_before", "tomorrow", "2026"},
		{"pin", "etags", "must be auto"},
		{"note", strings.Repeat("x", 1001), "the limit is 1000"},
		{"language", "tlh", "must be one of"},
	} {
		sent := with(form, test.field, test.value)
		if test.field == "preset" {
			delete(sent, "expires_in")
		}
		a := c.post("/console/share", sent)
		if a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s=%q: %d", test.field, test.value, a.status)
			continue
		}
		checkField(t, &a, test.field, test.want)
		again := a.fields(t, "/console/share")
		for name := range sent {
			kept := again.Get(name) == sent.Get(name) || name == "nonce"
			// A choice that does not exist cannot be shown as chosen.
			chosen := slices.Contains([]string{"preset", "sensitive", "disposition", "reveal", "pin", "language"}, name)
			if !kept && !chosen {
				t.Errorf("%s=%q: %s is %q now", test.field, test.value, name, again.Get(name))
			}
		}
	}
	a = c.post("/console/share", with(form, "passphrase", "long enough", "make_passphrase", "1"))
	checkField(t, &a, "passphrase", "not both")
	if links := b.links(t); len(links) != 0 {
		t.Errorf("refused forms have created %d links", len(links))
	}
}

// Several refusals come at once.
func TestShareSeveralRefusals(t *testing.T) {
	t.Parallel()
	c := newBench(t, nil).signedIn(t, opsKey)
	a := c.get(sharePath)
	a = c.post("/console/share", with(a.fields(t, "/console/share"), "filename", "a/b", "pin", "x", "passphrase",
		"short"))
	if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.shown(), "Please correct 3 fields") {
		t.Fatalf("three wrong fields: %d %s", a.status, a.shown())
	}
	for _, field := range []string{"filename", "passphrase"} {
		checkField(t, &a, field, "")
	}
}

// The same form twice shows the same link and the same passphrase, and creates one link.
func TestShareTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath)
	form := with(a.fields(t, "/console/share"), "make_passphrase", "1", "note", "once")
	first, second := c.post("/console/share", form), c.post("/console/share", form)
	link, passphrase := attribute(first.byID("link-url"), "value"), attribute(first.byID("passphrase"), "value")
	if !regexp.MustCompile(`^https://dl\.example\.com/[1-9A-HJ-NP-Za-km-z]{20,}$`).MatchString(link) {
		t.Fatalf("the link is %q: %s", link, first.shown())
	}
	if !regexp.MustCompile(`^([a-z2-7]{4}-){3,}[a-z2-7]{4}$`).MatchString(passphrase) {
		t.Errorf("the passphrase is %q", passphrase)
	}
	if second.status != http.StatusOK || attribute(second.byID("link-url"), "value") != link ||
		attribute(second.byID("passphrase"), "value") != passphrase {
		t.Errorf("the second time: %d, %q and %q", second.status, attribute(second.byID("link-url"), "value"),
			attribute(second.byID("passphrase"), "value"))
	}
	if links := b.links(t); len(links) != 1 || !links[0].Passphrase {
		t.Errorf("%d links in the store", len(links))
	}
	// The passphrase is the one of the link.
	answer, err := b.service.Click(t.Context(), gateway.Attempt{
		ID: gateway.IDOf(link[strings.LastIndex(link, "/")+1:]), Method: http.MethodPost, Page: true,
		Form: &gateway.Form{Confirm: true, Passphrase: passphrase},
	})
	if err != nil || answer.Outcome != gateway.OutcomeRedirected {
		t.Errorf("with the passphrase: %s, %v", answer.Outcome, err)
	}

	// Other values need another nonce.
	changed := c.post("/console/share", with(form, "note", "twice"))
	if changed.status != http.StatusConflict || attribute(changed.byID("link-url"), "value") != "" {
		t.Errorf("changed values with a used nonce: %d", changed.status)
	}
	again := changed.fields(t, "/console/share")
	if again.Get("note") != "twice" || again.Get("nonce") == form.Get("nonce") {
		t.Errorf("the form after the conflict: %v", again)
	}
	if a = c.post("/console/share", again); a.status != http.StatusOK ||
		attribute(a.byID("link-url"), "value") == link {
		t.Errorf("the form of the conflict, sent again: %d", a.status)
	}
	if links := b.links(t); len(links) != 2 {
		t.Errorf("%d links in the store, want 2", len(links))
	}
}

// A form that is sent many times at once creates one link.
func TestShareAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath)
	form := a.fields(t, "/console/share")
	answers := make([]answer, 8)
	var sending sync.WaitGroup
	for i := range answers {
		sending.Go(func() { answers[i] = c.post("/console/share", form) })
	}
	sending.Wait()
	want := attribute(answers[0].byID("link-url"), "value")
	for i, a := range answers {
		if got := attribute(a.byID("link-url"), "value"); a.status != http.StatusOK || got == "" || got != want {
			t.Errorf("answer %d: %d with %q, want %q", i, a.status, got, want)
		}
	}
	if links := b.links(t); len(links) != 1 {
		t.Errorf("%d links in the store", len(links))
	}
}

// A nonce means nothing in another session.
func TestShareNonceOfAnotherSession(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath)
	form := with(a.fields(t, "/console/share"), "make_passphrase", "1")
	first, second := c.post("/console/share", form), b.signedIn(t, opsKey).post("/console/share", form)
	for _, id := range []string{"link-url", "passphrase"} {
		one, two := attribute(first.byID(id), "value"), attribute(second.byID(id), "value")
		if one == "" || two == "" || one == two {
			t.Errorf("%s: %q and %q", id, one, two)
		}
	}
	if links := b.links(t); len(links) != 2 {
		t.Errorf("%d links in the store", len(links))
	}
}

// A form that was refused late can be corrected: the nonce of the refused values is not
// in the way.
func TestShareCorrection(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath)
	late := time.Now().UTC().Add(time.Hour).Format(time.RFC3339)
	form := with(a.fields(t, "/console/share"), "preset", gateway.PresetHandoff, "not_before", late)
	if a = c.post("/console/share", form); a.status != http.StatusUnprocessableEntity {
		t.Fatalf("a link that ends before it begins: %d %s", a.status, a.shown())
	}
	checkField(t, &a, "not_before", "")
	form = with(a.fields(t, "/console/share"), "not_before", "")
	if a = c.post("/console/share", form); a.status != http.StatusOK || attribute(a.byID("link-url"), "value") == "" {
		t.Errorf("the corrected form: %d %s", a.status, a.shown())
	}
}

// An object that cannot be shared has no form. A lost object or right is refused by POST too.
func TestShareRefusedObject(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	for _, test := range []struct {
		err    error
		status int
		want   string
	}{
		{gateway.ErrObjectNotFound, 422, "there is no such object"},
		{gateway.ErrObjectArchived, 422, "restore it first"},
		{gateway.ErrObjectNotReadable, 422, "may not read this object"},
		{gateway.ErrObjectEncrypted, 422, "SSE-C"},
		{gateway.ErrUnavailable, 503, "the storage is unavailable"},
	} {
		b.storage.proofErr = test.err
		for _, a := range []answer{c.get(sharePath), c.post("/console/share", url.Values{
			"bucket": {"reports"}, "key": {"2026/q3.pdf"}, "preset": {gateway.PresetHandoff},
		})} {
			if a.status != test.status || !strings.Contains(a.shown(), test.want) || a.byID("link-url") != nil {
				t.Errorf("%v: %d %s", test.err, a.status, a.shown())
			}
		}
	}
	b.storage.proofErr = nil
	if a := c.get("/console/share?bucket=reports&key=a%2F..%2Fb"); a.status != 422 || len(a.all("fieldset")) != 0 {
		t.Errorf("a key with dots: %d %s", a.status, a.shown())
	}
	if a := b.signedIn(t, scopedKey).get(sharePath); a.status != http.StatusForbidden || len(a.all("fieldset")) != 0 {
		t.Errorf("out of scope: %d %s", a.status, a.shown())
	}
	reader := b.signedIn(t, readKey)
	form := url.Values{"bucket": {"reports"}, "key": {"a"}}
	if a := reader.get(sharePath); a.status != http.StatusForbidden {
		t.Errorf("a reader gets the form: %d", a.status)
	}
	if a := reader.post("/console/share", form); a.status != http.StatusForbidden {
		t.Errorf("a reader shares: %d %s", a.status, a.shown())
	}
	if links := b.links(t); len(links) != 0 {
		t.Errorf("%d links in the store", len(links))
	}
}

// A form that a query has filled in keeps all its values.
func TestShareFilled(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath + "&max_clicks=4&note=Hello&make_passphrase=1&allow=203.0.113.0%2F24" +
		"&sensitive=false&language=fr" +
		"&labels=a%3Db&confirm=1&pin=none&disposition=inline&preset=extended")
	form := a.fields(t, "/console/share")
	for name, want := range map[string]string{
		"max_clicks": "4", "note": "Hello", "make_passphrase": "1", "allow": "203.0.113.0/24", "sensitive": "false",
		"language": "fr", "labels": "a=b", "confirm": "1", "pin": "none", "disposition": "inline", "preset": "extended",
	} {
		if form.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, form.Get(name), want)
		}
	}
	if a = c.post("/console/share", form); a.status != http.StatusOK {
		t.Errorf("the filled form: %d %s", a.status, a.shown())
	}
}
