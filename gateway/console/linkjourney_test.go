package console

import (
	"net/http"
	"net/url"
	"testing"
)

// Pausing and resuming does not make the form of the next page outdated.
func TestChangeAfterPause(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.post("/console/share", url.Values{
		"bucket": {"reports"}, "key": {"q3.pdf"}, "sensitive": {"false"}, "max_clicks": {"2"}, "nonce": {newNonce()},
	})
	path := a.link("Watch this link")
	if a.status != http.StatusOK || path == "" {
		t.Fatalf("the share: %d %s", a.status, words(a.page))
	}
	for _, action := range []string{"/pause", "/resume"} {
		if a = c.post(path+action, nil); a.status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", action, a.status, words(a.page))
		}
	}
	a = c.get(a.header.Get("Location"))
	form := url.Values{"note": {"for the auditors"}, "max_clicks": {"5"}, "expires_in": {"3h"}}
	for _, n := range a.all("input") {
		if attribute(n, "name") == "revision" {
			form.Set("revision", attribute(n, "value"))
		}
	}
	if a = c.post(path+"/change", form); a.status != http.StatusSeeOther {
		t.Errorf("the change with revision %q: %d %s", form.Get("revision"), a.status, words(a.page))
	}
}
