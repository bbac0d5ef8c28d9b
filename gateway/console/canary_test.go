package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"keyhole/gateway"
)

// A whole journey leaves no token, key, passphrase or ID of a session in the log, the
// metrics and the audit, and none on a page that is not the one of the new link.
func TestCanaries(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.storage.keys = keysOf("2026/q3.pdf")
	c := b.visitor(t)
	secrets := map[string]string{
		"the key": opsKey, "a wrong key": "wrong-key-canary", "the passphrase": "passphrase canary of mine",
		"the next passphrase": "the next passphrase canary", "the signature": "signature-canary",
	}
	var pages []answer
	visit := func(a answer) answer {
		pages = append(pages, a)
		return a
	}
	visit(c.post("/console/sign-in", url.Values{"key": {secrets["a wrong key"]}}))
	visit(c.post("/console/sign-in", url.Values{"key": {opsKey}}))
	secrets["the session"] = c.session()
	visit(c.get("/console/objects?bucket=reports"))
	form := visit(c.get(sharePath))
	values := form.fields(t, "/console/share")
	secrets["the nonce"] = values.Get("nonce")
	typed := c.post("/console/share", with(values, "passphrase", secrets["the passphrase"]))
	form = c.get(sharePath)
	made := c.post("/console/share", with(form.fields(t, "/console/share"), "make_passphrase", "1"))
	for name, a := range map[string]answer{"typed": typed, "made": made} {
		address := attribute(a.byID("link-url"), "value")
		secrets["the token, "+name] = address[strings.LastIndex(address, "/")+1:]
	}
	secrets["the generated passphrase"] = attribute(made.byID("passphrase"), "value")
	token := secrets["the token, typed"]
	found := visit(c.post("/console/links", url.Values{"q": {"https://dl.example.com/" + token}}))
	link := found.header.Get("Location")
	page := visit(c.get(link))
	visit(c.post(link+"/change", with(page.fields(t, link+"/change"), "passphrase", secrets["the next passphrase"])))
	visit(c.get("/console/links?q=" + token))
	c.get("/console/links/" + token)
	visit(c.get("/console/links"))
	answer, err := b.service.Click(t.Context(), gateway.Attempt{
		ID: gateway.IDOf(token), Method: http.MethodPost, Page: true,
		Form: &gateway.Form{Confirm: true, Passphrase: secrets["the next passphrase"]},
	})
	if err != nil || answer.Outcome != gateway.OutcomeRedirected ||
		!strings.Contains(answer.Location, secrets["the signature"]) {
		t.Fatalf("the download: %s, %v", answer.Outcome, err)
	}
	b.service.Wait()
	visit(c.get(link))
	visit(c.post(link+"/pause", nil))
	visit(c.post(link+"/revoke", url.Values{"confirm": {"1"}, "reason": {"done"}}))
	visit(c.post("/console/revocations", url.Values{"what": {"filter"}, "all": {"1"}, "confirm": {"1"}}))
	b.storage.panics = token
	visit(c.get("/console/objects?bucket=reports"))
	visit(c.post("/console/sign-out", nil))

	audit, err := json.Marshal(b.audit(t))
	if err != nil {
		t.Fatal(err)
	}
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var metrics strings.Builder
	for _, family := range families {
		metrics.WriteString(family.String())
	}
	for name, secret := range secrets {
		if len(secret) < 8 {
			t.Fatalf("%s is %q", name, secret)
		}
		for where, text := range map[string]string{
			"log": b.log.String(), "audit": string(audit),
			"metrics": metrics.String(),
		} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s has %s", where, name)
			}
		}
		for i, page := range pages {
			if name != "the nonce" && strings.Contains(page.text, secret) {
				t.Errorf("page %d has %s", i, name)
			}
		}
	}
	for _, want := range []string{"signed_in", "issued", "changed", "paused", "revoked", "signed_out", "redirected"} {
		if !strings.Contains(string(audit), want) {
			t.Errorf("the audit lacks %s", want)
		}
	}
	if got := metrics.String(); !strings.Contains(got, "keyhole_console_requests_total") ||
		!strings.Contains(got, `"share"`) {
		t.Errorf("the metrics lack the requests: %s", got)
	}
}
