//go:build system

package system

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/identity/issuertest"
)

// TestOperatorsByToken admits operators by tokens of an identity provider, within what
// their groups allow, beside keys, and by the commands too. A grant that is taken away
// by a reload is gone with the next request.
func TestOperatorsByToken(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	in.s3.Put(t, "exports", "a.csv", "text/csv", []byte("a"))
	issuer := issuertest.Start(t)
	key := issuer.AddRSA(t, "k")
	token := func(subject string, groups ...string) string {
		return issuertest.Sign(t, jose.RS256, key, "k",
			issuer.Claims(time.Now(), map[string]any{"sub": subject, "groups": groups}))
	}
	g := in.start()
	oidc := fmt.Sprintf(`  oidc: { issuer: %q, audience: keyhole, grants: [
      { name: sharers, claim: groups, value: sharers, can: [issue, read], objects: ["reports/*"], max_expiry: 10m },
      { name: apps, claim: 'resource_access."my.app".roles', value: sharer, can: [read] }] }
`, issuer.URL+"/")
	alice := g.withKey(t, token("alice", "staff", "sharers"))
	if refused := refusalOf(func() error {
		_, err := alice.List(t.Context(), client.ListOptions{})
		return err
	}()); refused == nil ||
		refused.Code != "unauthorized" {
		t.Errorf("before it is configured: %+v, want unauthorized", refused)
	}
	g.edit(t, "redis: {", oidc+"redis: {")
	g.hangUp(t)

	link, err := alice.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt"})
	if err != nil || link.CreatedBy != "oidc:alice" || link.ExpiresAt.Sub(link.CreatedAt) != 10*time.Minute {
		t.Fatalf("got %+v, %v", link, err)
	}
	if a := get(t, http.MethodGet, link.URL); a.status != http.StatusFound {
		t.Errorf("its link answers %d", a.status)
	}
	bob, stranger := g.withKey(t, token("bob", "staff")),
		g.withKey(t, strings.Replace(token("alice", "sharers"), ".", ".e", 1))
	refusedByGrants(t, alice, bob, stranger, link.ID)
	if _, err := g.client.Show(t.Context(), link.ID); err != nil {
		t.Errorf("a key beside tokens: %v", err)
	}
	shown := startProcess(t, binary,
		[]string{"KEYHOLE_KEY=" + token("alice", "sharers"), "KEYHOLE_OPERATOR_URL=" + g.operator}, "show", link.ID)
	<-shown.done
	if shown.err != nil || !strings.Contains(shown.output.String(), "by oidc:alice") {
		t.Errorf("keyhole show: %v\n%s", shown.err, shown.output)
	}
	with := func(over map[string]any) string {
		return issuertest.Sign(t, jose.RS256, key, "k", issuer.Claims(time.Now(), over))
	}
	claimsAndRefusals(t, g, with, link.ID)
	for where, text := range g.traces(t, in) {
		if strings.Contains(text, "eyJ") {
			t.Errorf("a token is in %s", where)
		}
	}

	g.edit(t, "value: sharers", "value: others")
	g.hangUp(t)
	if refused := refusalOf(func() error { _, err := alice.Show(t.Context(), link.ID); return err }()); refused == nil ||
		refused.Code != "forbidden" {
		t.Errorf("without its grant: got %+v, want forbidden", refused)
	}
	g.edit(t, strings.Replace(oidc, "value: sharers", "value: others", 1), "")
	g.hangUp(t)
	if refused := refusalOf(func() error { _, err := alice.Show(t.Context(), link.ID); return err }()); refused == nil ||
		refused.Code != "unauthorized" {
		t.Errorf("without the provider: got %+v, want unauthorized", refused)
	}
}

// refusedByGrants asks for what alice's grant does not include, and without a grant or a
// sound token.
func refusedByGrants(t *testing.T, alice, bob, stranger *client.Client, link string) {
	t.Helper()
	for name, tt := range map[string]struct {
		ask  func() error
		want string
	}{
		"outside its objects": {func() error {
			_, err := alice.Issue(t.Context(), api.IssueRequest{Bucket: "exports", Key: "a.csv"})
			return err
		}, "out_of_scope"},
		"longer than it may": {func() error {
			_, err := alice.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt", ExpiresIn: "1h"})
			return err
		}, "out_of_scope"},
		"what it cannot do": {func() error { _, err := alice.Revoke(t.Context(), link, ""); return err }, "forbidden"},
		"without a grant":   {func() error { _, err := bob.Show(t.Context(), link); return err }, "forbidden"},
		"a broken token":    {func() error { _, err := stranger.Show(t.Context(), link); return err }, "unauthorized"},
	} {
		if refused := refusalOf(tt.ask()); refused == nil || refused.Code != tt.want {
			t.Errorf("%s: got %+v, want %s", name, refused, tt.want)
		}
	}
}

// claimsAndRefusals lets a token with a claim in an object show a link, and a command
// present tokens that are refused: it says why, and what to do about a token.
func claimsAndRefusals(t *testing.T, g *instance, with func(over map[string]any) string, link string) {
	t.Helper()
	app := map[string]any{"my.app": map[string]any{"roles": []string{"sharer"}}}
	carol := g.withKey(t, with(map[string]any{"groups": nil, "resource_access": app}))
	if _, err := carol.Show(t.Context(), link); err != nil {
		t.Errorf("by a claim with dots in an object: %v", err)
	}
	for says, over := range map[string]map[string]any{
		"keyhole: the token has expired\n":                               {"exp": time.Now().Add(-time.Minute).Unix()},
		"keyhole: the token is for another audience than this service\n": {"aud": "other"},
	} {
		const hint = "  get a new token for this service from the identity provider; " +
			"pass it in KEYHOLE_KEY or with --key-file\n"
		environ := []string{"KEYHOLE_KEY=" + with(over), "KEYHOLE_OPERATOR_URL=" + g.operator}
		refused := startProcess(t, binary, environ, "list")
		<-refused.done
		if text := refused.output.String(); refused.err == nil || text != says+hint {
			t.Errorf("keyhole list: %v\n%s", refused.err, text)
		}
	}
}
