package identity

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"keyhole/gateway"
)

// maxClaims bounds the claims of an ID token in bytes, because each session keeps them.
const maxClaims = 32 << 10

// Client is this service as a client of the provider.
type Client struct {
	ID     string // the client_id, and the aud of ID tokens
	Secret string // sent by client_secret_basic (RFC 6749 section 2.3.1)
	// RedirectURL returns the URL of the callback, as it is registered at the provider. It
	// is called for each sign-in, because a server may learn its port only when it listens.
	RedirectURL func() string
}

// Flow signs operators in by the authorization code flow of OpenID Connect Core 1.0
// section 3.1, with PKCE (RFC 7636). It keeps neither access tokens nor refresh tokens. It
// is safe for concurrent use.
type Flow struct {
	provider *Provider
	client   Client
}

// Flow returns the flow by which a client signs operators in. Both use the same keys of the
// issuer.
func (p *Provider) Flow(c Client) *Flow { return &Flow{provider: p, client: c} }

// Client identifies the issuer and this client of it.
func (f *Flow) Client() string { return f.provider.o.Issuer + " " + f.client.ID }

// AuthorizationURL returns the URL of the provider to which a browser is redirected. The
// error is gateway.ErrUnavailable if the provider did not answer, or cannot sign people in.
func (f *Flow) AuthorizationURL(ctx context.Context, secrets gateway.SignInSecrets) (string, error) {
	config, _, err := f.discover(ctx)
	if err != nil {
		return "", err
	}
	challenge := oauth2.S256ChallengeOption(secrets.Verifier)
	return config.AuthCodeURL(secrets.State, oidc.Nonce(secrets.Nonce), challenge), nil
}

// discover returns the endpoints of the provider.
func (f *Flow) discover(ctx context.Context) (*oauth2.Config, metadata, error) {
	keys := f.provider.keys
	set, err := keys.get(ctx, false)
	if err == nil && (set.Authorization == "" || set.Token == "") {
		err = errors.New("its discovery document has no authorization_endpoint or no token_endpoint")
	}
	if err == nil && (!keys.encrypted(set.Authorization) || !keys.encrypted(set.Token)) {
		err = errors.New("its endpoints are not served over https")
	}
	if err != nil {
		return nil, metadata{}, fmt.Errorf("find the endpoints of the provider: %w: %w", gateway.ErrUnavailable, err)
	}
	return &oauth2.Config{
		ClientID: f.client.ID, ClientSecret: f.client.Secret, RedirectURL: f.client.RedirectURL(),
		Scopes: scopesOf(set.Scopes),
		Endpoint: oauth2.Endpoint{
			AuthURL: set.Authorization, TokenURL: set.Token, AuthStyle: oauth2.AuthStyleInHeader,
		},
	}, set.metadata, nil
}

// scopesOf returns the scopes to request. Grants depend on claims about a person and the
// person's groups. A provider that lists its scopes gets none that it does not know,
// because some refuse the whole request then.
func scopesOf(supported []string) []string {
	if len(supported) == 0 {
		return []string{oidc.ScopeOpenID, "profile", "email"}
	}
	scopes := []string{oidc.ScopeOpenID}
	for _, scope := range []string{"profile", "email", "groups"} {
		if slices.Contains(supported, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// Exchange redeems the code of a callback and returns the claims of the ID token. issuer is
// the parameter iss of the callback, empty if it has none. The error is
// gateway.ErrUnavailable if the provider did not answer or does not accept this client.
// Every other error refuses the sign-in. No error contains a token or the code.
func (f *Flow) Exchange(ctx context.Context, code, issuer string, secrets gateway.SignInSecrets) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	config, found, err := f.discover(ctx)
	if err != nil {
		return nil, err
	}
	// A callback of another provider must not bring its code to this one (RFC 9207 section
	// 2.4).
	if issuer != found.Issuer && (issuer != "" || found.SendsIssuer) {
		return nil, refuse(gateway.TokenIssuer, "the callback has the iss %.200q, not %q", issuer, found.Issuer)
	}
	answer, err := config.Exchange(context.WithValue(ctx, oauth2.HTTPClient, f.tokenClient()), code,
		oauth2.VerifierOption(secrets.Verifier))
	if err != nil {
		return nil, exchangeError(err)
	}
	token, ok := answer.Extra("id_token").(string)
	if !ok {
		return nil, refuse(gateway.TokenMalformed, "the provider returned no ID token")
	}
	return f.verify(ctx, token, secrets.Nonce)
}

// tokenClient returns a client that follows no redirect: another address must not receive
// the code and the secret of this client.
func (f *Flow) tokenClient() *http.Client {
	client := *f.provider.keys.http
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return errors.New("the token endpoint redirects")
	}
	return &client
}

// errCode means that the provider did not accept a code.
var errCode = errors.New("the provider did not accept the code")

// exchangeError returns the error for an answer of the token endpoint (RFC 6749 section
// 5.2). It omits the body of the answer, which may contain secrets.
func exchangeError(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return fmt.Errorf("redeem the code: %w: %w", gateway.ErrUnavailable, err)
	}
	status := 0
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	switch {
	case refused.ErrorCode == "invalid_client", refused.ErrorCode == "unauthorized_client",
		status == http.StatusUnauthorized:
		return fmt.Errorf("redeem the code: %w: the provider does not accept operator.oidc.client_id with its secret",
			gateway.ErrUnavailable)
	case refused.ErrorCode == "invalid_grant":
		return errCode
	}
	return fmt.Errorf("redeem the code: %w: the token endpoint returned status %d and the error %.100q",
		gateway.ErrUnavailable, status, refused.ErrorCode)
}

// verify returns the claims of an ID token that was issued to this client for one sign-in
// (OpenID Connect Core 1.0 section 3.1.3.7).
func (f *Flow) verify(ctx context.Context, token, nonce string) ([]byte, error) {
	payload, issuer, err := f.provider.keys.verify(ctx, token, "jwt") // not an access token
	if errors.Is(err, errIssuerUnavailable) {
		return nil, fmt.Errorf("fetch the keys of the token issuer: %w: %w", gateway.ErrUnavailable, err)
	}
	if err != nil {
		return nil, err
	}
	if len(payload) > maxClaims {
		return nil, refuse(gateway.TokenMalformed, "its claims have %d bytes; the limit is %d", len(payload), maxClaims)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, refuse(gateway.TokenMalformed, "its claims are not a JSON object: %w", err)
	}
	if err := f.provider.checkOrigin(claims, issuer); err != nil {
		return nil, err
	}
	if err := f.checkClient(claims); err != nil {
		return nil, err
	}
	issued, ok := timeOf(claims["iat"])
	if now := f.provider.o.Now(); !ok || now.Add(nbfLeeway).Before(issued) {
		return nil, refuse(gateway.TokenMalformed, "it has no iat, or one in the future")
	}
	own, _ := claims["nonce"].(string)
	if subtle.ConstantTimeCompare([]byte(own), []byte(nonce)) != 1 {
		return nil, refuse(gateway.TokenMalformed, "its nonce belongs to another sign-in")
	}
	return payload, nil
}

// checkClient validates that an ID token was issued to this client.
func (f *Flow) checkClient(claims map[string]any) error {
	audiences := textsOf(claims["aud"])
	if !slices.Contains(audiences, f.client.ID) {
		return refuse(gateway.TokenAudience, "its aud is %.200q, not %q", audiences, f.client.ID)
	}
	party, present := claims["azp"]
	if present && party != f.client.ID || !present && len(audiences) > 1 {
		return refuse(gateway.TokenClient, "its azp is %.200q, not %q", fmt.Sprint(party), f.client.ID)
	}
	return nil
}

// Holder returns the operator whom the claims of an ID token name, with the rights of the
// grants in force, and the end of the token. It does not refuse an expired token. The
// error is a gateway.TokenError if the token belongs to another issuer or client than
// those in force, or no longer names an operator.
func (f *Flow) Holder(payload []byte) (*gateway.Actor, time.Time, error) {
	claims := map[string]any{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, time.Time{}, refuse(gateway.TokenMalformed, "its claims are not a JSON object: %w", err)
	}
	issuer := f.provider.o.Issuer
	if iss, _ := claims["iss"].(string); !sameIssuer(iss, issuer) && !isGoogle(issuer, iss) {
		return nil, time.Time{}, refuse(gateway.TokenIssuer, "its iss is %.200q, not %q", iss, issuer)
	}
	if err := f.checkClient(claims); err != nil {
		return nil, time.Time{}, err
	}
	ends, ok := timeOf(claims["exp"])
	if !ok {
		return nil, time.Time{}, refuse(gateway.TokenMalformed, "it has no exp")
	}
	actor, err := f.provider.actorOf(claims)
	return actor, ends, err
}
