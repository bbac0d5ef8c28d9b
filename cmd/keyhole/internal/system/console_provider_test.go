//go:build system

package system

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyhole/gateway/client"
	"keyhole/gateway/identity/issuertest"
)

// TestConsoleAtProvider signs in to the console at an identity provider, in a browser: the
// page that was asked for follows, the operator has the name and rights of the token, and a
// refusal of the provider is told without its text.
func TestConsoleAtProvider(t *testing.T) {
	t.Parallel()
	in := install(t)
	file := randomBytes(50_000)
	in.s3.Put(t, "reports", "file.txt", "application/octet-stream", file)
	issuer := issuertest.Start(t)
	issuer.AddRSA(t, "k")
	g := in.start()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret-canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	signIn := issuertest.SignIn{
		Client: issuertest.Client{
			ID: "console", Secret: "secret-canary", RedirectURL: g.operator + "/console/oidc/callback",
		},
		Now: time.Now, Over: map[string]any{"sub": "alice", "groups": []string{"sharers"}},
	}
	issuer.SignIn.Store(&signIn)
	g.edit(t, "redis: {", fmt.Sprintf(`  oidc: { issuer: %q, audience: keyhole, client_id: console, client_secret_file: %q,
    grants: [{ name: sharers, claim: groups, value: sharers, can: [issue, read, revoke, browse],
      objects: ["reports/*"] }] }
redis: {`, issuer.URL, secret))
	g.hangUp(t)

	j := &operatorJourney{journey{openForConsole(t), t, g, file}, "", false}
	j.open(j.consoleAddress("/objects?bucket=reports"), "<h1>Sign in</h1>")
	j.follow("Sign in with your", "file.txt")
	j.shows(`location.pathname + location.search`, "/console/objects?bucket=reports")
	j.shows(`document.querySelector(".who").textContent.trim()`, "oidc:alice")
	j.follow("Share", "This is what you share")
	j.fill(map[string]string{"sensitive": "false", "preset": "handoff"})
	j.follow("Create the link", "The link is ready")
	page, err := g.client.List(t.Context(), client.ListOptions{})
	if err != nil || len(page.Links) != 1 || page.Links[0].CreatedBy != "oidc:alice" {
		t.Errorf("the links are %+v, %v", page.Links, err)
	}
	j.follow("Sign out", "<h1>Sign in</h1>")

	refused := signIn
	refused.Error = "access_denied"
	issuer.SignIn.Store(&refused)
	j.follow("Sign in with your", "provider")
	if text, err := j.source(); err != nil || strings.Contains(text, "alert(1)") {
		t.Errorf("the refusal repeats the provider's text: %s, %v", text, err)
	}
	j.open(j.consoleAddress("/objects"), "<h1>Sign in</h1>")
	for _, canary := range []string{"secret-canary", issuertest.AccessToken, issuertest.RefreshToken} {
		if strings.Contains(g.process.output.String(), canary) {
			t.Errorf("the log has %s", canary)
		}
	}
}
