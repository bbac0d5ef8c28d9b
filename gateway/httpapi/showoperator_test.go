package httpapi

import (
	"testing"
	"time"

	"keyhole/gateway"
)

// presetsJSON is the list of presets in every answer of the bench.
const presetsJSON = `"presets":[{"name":"handoff","expires_in":"15m"},{"name":"troubleshooting","expires_in":"1h"},` +
	`{"name":"business","expires_in":"24h"},{"name":"extended","expires_in":"7d"}]`

// Each operator sees the own name, rights and limits, without needing a right.
func TestShowOperator(t *testing.T) {
	t.Parallel()
	const caps = `"caps":{"sensitive":"24h","not_stated":"24h","not_sensitive":"7d"},` + presetsJSON
	for credential, want := range map[string]string{
		opsKey: `{"name":"ops","admitted_by":"key","can":["issue","read","revoke","browse"],"objects":["*"],` +
			`"max_expiry":null,` + caps,
		exportsKey: `{"name":"exporter","admitted_by":"key","can":["issue","read","revoke"],"objects":["exports/*"],` +
			`"max_expiry":null,` + caps,
	} {
		b := newBench(t, func(o *Options) { o.Version = "1.2.3" })
		a := b.operator(credential, "GET", "/api/v1/operator", "")
		if a.status != 200 || a.body != want+`,"version":"1.2.3"}`+"\n" {
			t.Errorf("got %d %s\nwant %s", a.status, a.body, want)
		}
	}
}

// The holder of a token sees the grant and its limit; a token without a grant has no
// rights.
func TestShowOperatorOfToken(t *testing.T) {
	t.Parallel()
	for want, actor := range map[string]gateway.Actor{
		`{"name":"oidc:ann","display_name":"Ann","admitted_by":"token","grant":"sharers","can":["issue"],"objects":["a/*"],` +
			`"max_expiry":"2h","caps":{"sensitive":"2h","not_stated":"2h","not_sensitive":"2h"},` + presetsJSON: {
			Name: "oidc:ann", DisplayName: "Ann", Token: true, Grant: "sharers", Can: []gateway.Action{gateway.ActionIssue},
			Objects: []gateway.Pattern{"a/*"}, MaxExpiry: 2 * time.Hour,
		},
		`{"name":"oidc:bob","admitted_by":"token","can":[],"objects":[],"max_expiry":null,` +
			`"caps":{"sensitive":"24h","not_stated":"24h","not_sensitive":"7d"},` + presetsJSON: {Name: "oidc:bob", Token: true},
	} {
		b := newBench(t, nil)
		b.operators.SetTokens(stubTokens{actor: actor})
		a := ask(b.api.Operator(), "GET", "/api/v1/operator", "", "Authorization", "Bearer "+aToken)
		if a.status != 200 || a.body != want+`,"version":""}`+"\n" {
			t.Errorf("got %d %s\nwant %s", a.status, a.body, want)
		}
	}
}

// Without a key there is no answer about any operator, and a query is refused.
func TestShowOperatorRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if a := b.operator("wrong", "GET", "/api/v1/operator", ""); a.status != 401 {
		t.Errorf("a wrong key: %d %s", a.status, a.body)
	}
	if a := b.operator(opsKey, "GET", "/api/v1/operator?name=ops", ""); a.status != 400 {
		t.Errorf("a query: %d %s", a.status, a.body)
	}
	if a := b.operator(opsKey, "POST", "/api/v1/operator", "{}"); a.status != 405 {
		t.Errorf("POST: %d %s", a.status, a.body)
	}
}
