package console

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"keyhole/gateway"
)

// longPassphrases requires longer passphrases than the policy of a bench.
func longPassphrases(b *bench) {
	b.service.SetPolicy(gateway.Policy{MaxExpiry: 168 * time.Hour, PassphraseMin: 40, Caps: gateway.Caps{
		Sensitive: 24 * time.Hour, NotStated: 24 * time.Hour, NotSensitive: 168 * time.Hour,
	}, Presets: map[string]time.Duration{gateway.PresetBusiness: 24 * time.Hour}})
}

// If policy.passphrase_min changes between two sends of a form, the second one is refused: it
// would show another passphrase than that of the link.
func TestPassphraseOfAnotherPolicy(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath)
	form := with(a.fields(t, "/console/share"), "make_passphrase", "1", "preset", gateway.PresetBusiness)
	a = c.post("/console/share", form)
	made := attribute(a.byID("passphrase"), "value")
	if again := c.post("/console/share", form); made == "" || attribute(again.byID("passphrase"), "value") != made {
		t.Fatalf("the form sent twice: %q, then %s", made, again.shown())
	}
	longPassphrases(b)
	a = c.post("/console/share", form)
	if a.status != http.StatusConflict || a.byID("link-url") != nil || b.storedLinks(t) != 1 {
		t.Errorf("after the change: %d, %d links: %s", a.status, b.storedLinks(t), a.shown())
	}
	// The form that comes back has a fresh nonce, and makes a link of its own.
	again := with(a.fields(t, "/console/share"), "make_passphrase", "1", "preset", gateway.PresetBusiness)
	a = c.post("/console/share", again)
	if got := attribute(a.byID("passphrase"), "value"); a.status != http.StatusOK || len(got) < 40 {
		t.Errorf("sent again: %d, %q", a.status, got)
	}
}

// The same holds for the links of a selection.
func TestSelectionPassphraseOfAnotherPolicy(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.post("/console/share/selection", url.Values{"bucket": {"reports"}, "key": {"a.txt", "b.txt"}})
	form := filledForm(t, &a, "/console/share/batch")
	form.Set("make_passphrase", "1")
	form.Set("preset", gateway.PresetBusiness)
	a = c.post("/console/share/batch", form)
	made := attribute(a.byID("passphrase"), "value")
	if again := c.post("/console/share/batch", form); made == "" || attribute(again.byID("passphrase"), "value") != made {
		t.Fatalf("the form sent twice: %q, then %s", made, again.shown())
	}
	longPassphrases(b)
	if a := c.post("/console/share/batch", form); a.status != http.StatusConflict || b.storedLinks(t) != 2 ||
		a.byID("passphrase") != nil {
		t.Errorf("after the change: %d, %d links: %s", a.status, b.storedLinks(t), a.shown())
	}
}
