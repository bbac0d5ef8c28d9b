package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"keyhole/gateway"
	"keyhole/gateway/admission"
)

// filledForm returns the fields of the form with an action, as a browser sends them.
func filledForm(t *testing.T, a *answer, action string) url.Values {
	t.Helper()
	for _, form := range a.all("form") {
		if attribute(form, "action") != action {
			continue
		}
		sent := url.Values{}
		for n := range form.Descendants() {
			name := attribute(n, "name")
			has := func(key string) bool {
				return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
			}
			kind := attribute(n, "type")
			switch {
			case name == "" || (kind == "radio" || kind == "checkbox") && !has("checked"):
			case n.Data == "input":
				sent.Add(name, attribute(n, "value"))
			case n.Data == "textarea" && n.FirstChild != nil:
				sent.Add(name, n.FirstChild.Data)
			case n.Data == "select":
				for option := range n.Descendants() {
					if option.Data == "option" && slices.ContainsFunc(option.Attr, func(a html.Attribute) bool {
						return a.Key == "selected"
					}) {
						sent.Add(name, attribute(option, "value"))
					}
				}
			}
		}
		return sent
	}
	t.Fatalf("the page has no form for %s: %s", action, words(a.page))
	return nil
}

// storedLinks returns the number of links in the store.
func (b *bench) storedLinks(t *testing.T) int {
	t.Helper()
	page, err := b.store.List(t.Context(), gateway.ListQuery{Limit: 500})
	if err != nil {
		t.Fatalf("list the links: %v", err)
	}
	return len(page.Links)
}

// inputValues returns the values of the inputs whose ID begins with a text.
func inputValues(a *answer, prefix string) []string {
	var values []string
	for _, n := range a.all("input") {
		if strings.HasPrefix(attribute(n, "id"), prefix) {
			values = append(values, attribute(n, "value"))
		}
	}
	return values
}

// The same selection, sent twice, shows the same links and the same passphrase. No link
// exists before the form is sent.
func TestShareSelection(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.post("/console/share/selection", url.Values{
		"bucket": {"reports"}, "storage": {"main"}, "key": {"q3.pdf", "q4.pdf", "q3.pdf"},
	})
	if a.status != http.StatusOK || !strings.Contains(words(a.page), "Share 2 objects") || b.storedLinks(t) != 0 {
		t.Fatalf("the form: %d, %d links: %s", a.status, b.storedLinks(t), words(a.page))
	}
	if a.byID("filename") != nil {
		t.Error("the form for several objects has a field for one file name")
	}
	form := filledForm(t, &a, "/console/share/batch")
	if got := form["key"]; !slices.Equal(got, []string{"q3.pdf", "q4.pdf"}) {
		t.Fatalf("the form has the keys %q", got)
	}
	form.Set("make_passphrase", "1")
	first := c.post("/console/share/batch", form)
	links, passphrase := inputValues(&first, "link-url-"), attribute(first.byID("passphrase"), "value")
	if first.status != http.StatusOK || len(links) != 2 || passphrase == "" || b.storedLinks(t) != 2 {
		t.Fatalf("%d, links %q, %d stored: %s", first.status, links, b.storedLinks(t), words(first.page))
	}
	if got := words(first.byID("link-urls")); got != strings.Join(links, " ") {
		t.Errorf("all links are %q, want %q", got, links)
	}
	second := c.post("/console/share/batch", form)
	if again := inputValues(&second, "link-url-"); !slices.Equal(again, links) || b.storedLinks(t) != 2 ||
		attribute(second.byID("passphrase"), "value") != passphrase {
		t.Errorf("the second time: links %q, %d stored", again, b.storedLinks(t))
	}
	form.Set("max_clicks", "1")
	if changed := c.post("/console/share/batch", form); changed.status != http.StatusConflict || b.storedLinks(t) != 2 {
		t.Errorf("a changed form with a used nonce: %d, %d links", changed.status, b.storedLinks(t))
	}
	for _, secret := range append(links, passphrase) {
		token := secret[strings.LastIndexByte(secret, '/')+1:]
		if strings.Contains(b.log.String(), token) {
			t.Errorf("the log has %s", token)
		}
	}
}

// A wrong setting stands beside its field, and the corrected form is accepted.
func TestShareSelectionWrongSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.post("/console/share/selection", url.Values{"bucket": {"reports"}, "key": {"a.txt", "b.txt"}})
	good := filledForm(t, &a, "/console/share/batch")
	for field, value := range map[string]string{
		"passphrase": "short", "max_clicks": "many", "expires_in": "9d", "labels": "no", "filename": "x.pdf",
		"note": strings.Repeat("n", 1001),
	} {
		form := url.Values{}
		for name, values := range good {
			form[name] = slices.Clone(values)
		}
		form.Set(field, value)
		if field == "expires_in" {
			form.Del("preset")
		}
		a := c.post("/console/share/batch", form)
		if a.status != http.StatusUnprocessableEntity || b.storedLinks(t) != 0 || !a.namesField(field) {
			t.Errorf("%s: %d, %d links: %s", field, a.status, b.storedLinks(t), words(a.page))
			continue
		}
		form = filledForm(t, &a, "/console/share/batch")
		if got := form.Get("nonce"); got != good.Get("nonce") || len(form["key"]) != 2 {
			t.Errorf("%s: the form has the nonce %q and the keys %q", field, got, form["key"])
		}
	}
	if a := c.post("/console/share/batch", good); a.status != http.StatusOK || b.storedLinks(t) != 2 {
		t.Errorf("the corrected form: %d, %d links: %s", a.status, b.storedLinks(t), words(a.page))
	}
}

// A refused object has its reason and does not stop the others.
func TestShareSelectionPartly(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, scopedKey)
	chosen := url.Values{"bucket": {"exports"}, "storage": {"main"}, "key": {"team/a.txt", "other/b.txt"}}
	a := c.post("/console/share/selection", chosen)
	const why = "outside the objects of"
	form := filledForm(t, &a, "/console/share/batch")
	if !strings.Contains(words(a.page), why) || !slices.Equal(form["key"], []string{"team/a.txt"}) {
		t.Fatalf("the form has the keys %q: %s", form["key"], words(a.page))
	}
	form["key"] = chosen["key"]
	if a = c.post("/console/share/batch", form); a.status != http.StatusOK || b.storedLinks(t) != 1 ||
		len(inputValues(&a, "link-url-")) != 1 || !strings.Contains(words(a.page), "other/b.txt: "+why) {
		t.Errorf("%d, %d links: %s", a.status, b.storedLinks(t), words(a.page))
	}
}

// If the storage is away, the page offers to send the same form again.
func TestShareSelectionAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.post("/console/share/selection", url.Values{"bucket": {"reports"}, "key": {"a.txt", "b.txt"}})
	form := filledForm(t, &a, "/console/share/batch")
	b.storage.proofErr = gateway.ErrUnavailable
	a = c.post("/console/share/batch", form)
	if a.status != http.StatusServiceUnavailable || !strings.Contains(words(a.page), "No link was created") {
		t.Fatalf("%d: %s", a.status, words(a.page))
	}
	b.storage.proofErr = nil
	if a = c.post("/console/share/batch", filledForm(t, &a, "/console/share/batch")); a.status != http.StatusOK ||
		b.storedLinks(t) != 2 {
		t.Errorf("again: %d, %d links: %s", a.status, b.storedLinks(t), words(a.page))
	}
}

// A selection has 1 to gateway.MaxBatch objects, and one object has the form for one.
func TestSelectionSize(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	long := strings.Repeat("%", 1000) // each byte is sent as three
	var keys []string
	for i := range gateway.MaxBatch + 1 {
		keys = append(keys, fmt.Sprint(i, long))
	}
	for _, path := range []string{"/console/share/selection", "/console/share/batch"} {
		for _, tt := range []struct {
			keys   []string
			status int
		}{{nil, 422}, {keys, 422}, {keys[1:], 200}} {
			a := c.post(path, url.Values{"bucket": {"reports"}, "key": tt.keys})
			if a.status != tt.status || tt.status == 422 && !strings.Contains(words(a.page), "go back") {
				t.Errorf("%s with %d keys: %d: %.300s", path, len(tt.keys), a.status, words(a.page))
			}
		}
	}
	a := c.post("/console/share/selection", url.Values{"bucket": {"reports"}, "storage": {"main"}, "key": {"a b"}})
	if got := a.header.Get("Location"); a.status != http.StatusSeeOther ||
		got != "/console/share?bucket=reports&key=a+b&storage=main" {
		t.Errorf("one object: %d to %q", a.status, got)
	}
	reader := b.signedIn(t, readKey)
	for _, path := range []string{"/console/share/selection", "/console/share/batch"} {
		if a := reader.post(path, url.Values{"bucket": {"reports"}, "key": {"a", "b"}}); a.status != http.StatusForbidden {
			t.Errorf("%s without the right to issue: %d", path, a.status)
		}
	}
}

// Each link of a selection counts for the rate limit of its operator, as in the API.
func TestSelectionCounts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	operators := admission.New(admission.Options{
		Keys: b.keys, RequestsPerMinute: 8, Logger: b.console.o.Logger, Now: time.Now,
	})
	b.console.o.Sessions = admission.NewSessions(admission.SessionsOptions{
		Authenticator: operators, Store: b.store, Idle: time.Minute, Max: time.Hour, Logger: b.console.o.Logger,
		Now: time.Now,
	})
	c := b.signedIn(t, opsKey) // the first request
	chosen := url.Values{"bucket": {"reports"}, "key": {"a", "b", "c", "d"}}
	if a := c.post("/console/share/selection", chosen); a.status != http.StatusOK { // the next four
		t.Fatalf("the form: %d: %s", a.status, words(a.page))
	}
	if a := c.post("/console/share/batch", chosen); a.status != http.StatusTooManyRequests || b.storedLinks(t) != 0 {
		t.Errorf("over the limit: %d, %d links", a.status, b.storedLinks(t))
	}
}
