package server

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
	"keyhole/gateway/admission"
	"keyhole/gateway/identity/issuertest"
)

// browser is the origin of requests to the console in these tests.
func browser() admission.Request { return admission.Request{Peer: netip.MustParseAddr("192.0.2.1")} }

// Reloading applies changed limits to sessions that exist, and ends the sessions of a key
// that was removed.
func TestReloadSessions(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	s := startServer(t, cfg, io.Discard)
	session, err := s.sessions.SignIn(t.Context(), key, browser())
	if err != nil || session.EndsAt.Sub(session.StartedAt) != 12*time.Hour {
		t.Fatalf("got %v, %v", session, err)
	}
	page := get(t, "http://"+s.OperatorAddr()+"/metrics").body
	for _, line := range []string{
		"keyhole_console_sessions 1\n", `keyhole_console_sign_in_failures_total{method="oidc"} 0`,
	} {
		if !strings.Contains(page, line) {
			t.Errorf("the metrics lack %q", line)
		}
	}
	changed := *cfg
	changed.Console.Max = time.Hour
	changed.Operator.Keys = append([]config.OperatorKey{testKey("ops", operatorkey.New())}, cfg.Operator.Keys...)
	if err := s.Reload(t.Context(), &changed); err != nil {
		t.Fatal(err)
	}
	session, err = s.sessions.Resume(t.Context(), session.ID, browser(), true)
	if err != nil || session.EndsAt.Sub(session.StartedAt) != time.Hour {
		t.Errorf("with a lower limit: %v, %v", session, err)
	}
	changed.Operator.Keys = changed.Operator.Keys[:1]
	if err := s.Reload(t.Context(), &changed); err != nil {
		t.Fatal(err)
	}
	if _, err := s.sessions.Resume(t.Context(), session.ID, browser(), true); !errors.Is(err, admission.ErrNoSession) {
		t.Errorf("without the key: %v", err)
	}
}

// withProvider adds an identity provider to a configuration, which knows the console as a
// client with the callback at the operators' listener.
func withProvider(t *testing.T, cfg *config.Config) *issuertest.Issuer {
	t.Helper()
	issuer := issuertest.Start(t)
	issuer.AddRSA(t, "r")
	grant := config.DefaultOIDCGrant()
	grant.Name, grant.Claim, grant.Value, grant.Can = "staff", "groups", "staff", []string{"read"}
	cfg.Operator.OIDC = config.OIDC{
		Issuer: issuer.URL, Audience: issuertest.Audience, NameClaim: "sub", ClientID: "console",
		ClientSecret: config.NewSecret("canary-secret"), Grants: []config.OIDCGrant{grant},
	}
	return issuer
}

// An operator signs in at the identity provider. A reload without the client ends the
// session; tokens are still admitted.
func TestSignInAtProvider(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	issuer := withProvider(t, cfg)
	s := startServer(t, cfg, io.Discard)
	issuer.SignIn.Store(&issuertest.SignIn{Now: time.Now, Client: issuertest.Client{
		ID: "console", Secret: "canary-secret", RedirectURL: "http://" + s.OperatorAddr() + callbackPath,
	}})
	start := admission.SignInStart{ReturnTo: "/console/links"}
	address, secret, err := s.sessions.BeginSignIn(t.Context(), start, browser())
	if err != nil {
		t.Fatal(err)
	}
	answered := get(t, address)
	location, err := url.Parse(answered.header.Get("Location"))
	if err != nil || answered.status != http.StatusFound || location.Path != callbackPath {
		t.Fatalf("the provider answered %d, %v, %v", answered.status, location, err)
	}
	q := location.Query()
	session, returnTo, err := s.sessions.FinishSignIn(t.Context(), secret,
		admission.Callback{State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss")}, browser())
	if err != nil || session.Actor.Name != "oidc:alice" || session.Actor.Grant != "staff" || returnTo != "/console/links" {
		t.Fatalf("got %v, %q, %v", session, returnTo, err)
	}
	changed := *cfg
	changed.Operator.OIDC.ClientID, changed.Operator.OIDC.ClientSecret = "", config.Secret{}
	if err := s.Reload(t.Context(), &changed); err != nil {
		t.Fatal(err)
	}
	if _, err := s.sessions.Resume(t.Context(), session.ID, browser(), true); !errors.Is(err, admission.ErrNoSession) ||
		s.sessions.HasProvider() {
		t.Errorf("without the client: %v", err)
	}
}
