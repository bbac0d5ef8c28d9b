package console

import (
	"strings"
	"testing"
)

// The page of a new link shows it once, with a message that has no passphrase.
func TestShared(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath)
	form := with(a.fields(t, "/console/share"), "make_passphrase", "1", "max_clicks", "2", "filename", "report.pdf")
	a = c.post("/console/share", form)
	link, passphrase := attribute(a.byID("link-url"), "value"), attribute(a.byID("passphrase"), "value")
	message := raw(a.byID("message"))
	for _, want := range []string{"A file for you", link, "UTC", "2 times", "passphrase, which you get separately"} {
		if !strings.Contains(message, want) {
			t.Errorf("the message lacks %q: %s", want, message)
		}
	}
	// The page hides the name until the passphrase is right, so the message omits it too.
	if passphrase == "" || strings.Contains(message, passphrase) || strings.Contains(message, "report.pdf") {
		t.Errorf("the message has the passphrase %q or the name: %s", passphrase, message)
	}
	if a.byID("link-url") == nil || !has(a.byID("link-url"), "readonly") {
		t.Error("the link cannot be selected")
	}
	for _, n := range a.all("button") {
		if has(n, "data-copy") && (!has(n, "hidden") || a.byID(attribute(n, "data-copy")) == nil) {
			t.Error("a button that copies is shown without the script, or copies nothing")
		}
	}
	id := b.links(t)[0].ID
	if got := a.link("Watch this link"); got != "/console/links/"+id.String() {
		t.Errorf("the page of the link is %q", got)
	}
	if qr := a.byID("main"); qr == nil || len(a.all("path")) != 2 {
		t.Error("the QR code is missing")
	}
	for _, secret := range []string{link, passphrase} {
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}
