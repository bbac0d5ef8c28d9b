package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"keyhole/gateway"
)

const (
	// askTimeout bounds the questions to the issuer for one set of keys.
	askTimeout = 5 * time.Second
	// askPause is the least time between the end of one try and the next: a token
	// with a key that nobody knows asks for the keys again, and anybody can make one.
	askPause = time.Second
	// keysLive is how long keys are used before the issuer is asked whether they are
	// still its keys, and keysOutlive how long they are while it cannot be asked.
	keysLive, keysOutlive = 10 * time.Minute, time.Hour
	// maxKeys bounds each answer of an issuer, in bytes, and maxRedirects the way to it.
	maxKeys, maxRedirects = 1 << 20, 5
)

// errAway means that the issuer did not answer as it should.
var errAway = errors.New("the issuer cannot be asked")

// keys are the issuer's. go-oidc's own set keeps a key that the issuer has withdrawn
// for as long as the others sign.
type keys struct {
	issuer string
	http   *http.Client
	now    func() time.Time

	mu     sync.Mutex
	held   heldKeys
	tried  time.Time // when the last try ended, zero: there was none
	failed error     // of the last try
	flight *flight   // under way, nil: none
}

// heldKeys are what the issuer has answered.
type heldKeys struct {
	issuer string // as it names itself
	set    jose.JSONWebKeySet
	at     time.Time // zero: never
}

// flight is one try, for all who wait for it.
type flight struct {
	done chan struct{}
	held heldKeys // these two are set before done is closed
	err  error
}

// verify returns the payload of a token that the issuer has signed, and how the issuer
// names itself. A signature that no known key has made is tried with the issuer's keys
// of now. An issuer that cannot be asked is errAway.
func (k *keys) verify(ctx context.Context, token string) (payload []byte, issuer string, err error) {
	signed, err := jose.ParseSignedCompact(token, signatureAlgorithms())
	if err != nil {
		return nil, "", refuse(gateway.TokenMalformed, "%w", err)
	}
	if !accessToken(signed) {
		return nil, "", refuse(gateway.TokenKind, "its typ is not that of an access token")
	}
	// Before the signature: another issuer's token cannot have a right one, and its
	// holder is told what is wrong with it.
	var said struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &said); err != nil {
		return nil, "", refuse(gateway.TokenMalformed, "its claims cannot be read: %w", err)
	}
	if !sameIssuer(said.Issuer, k.issuer) && !isGoogle(strings.TrimSuffix(k.issuer, "/"), said.Issuer) {
		return nil, "", refuse(gateway.TokenIssuer, "its iss is %.200q, not %q", said.Issuer, k.issuer)
	}
	held, err := k.get(ctx, false)
	if err != nil {
		return nil, "", err
	}
	if payload, ok := verifiedBy(&held.set, signed); ok {
		return payload, held.issuer, nil
	}
	renewed, err := k.get(ctx, true)
	if err != nil {
		return nil, "", err
	}
	if payload, ok := verifiedBy(&renewed.set, signed); ok {
		return payload, renewed.issuer, nil
	}
	return nil, "", refuse(gateway.TokenSignature, "it is signed by no key of the issuer's")
}

// accessToken tells whether a token says that it is one, or does not say what it is: the
// issuer signs others too, such as those of a logout (RFC 8725 section 3.11).
func accessToken(signed *jose.JSONWebSignature) bool {
	if len(signed.Signatures) != 1 {
		return false
	}
	kind, said := signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]
	text, _ := kind.(string)
	switch strings.TrimPrefix(strings.ToLower(text), "application/") {
	case "jwt", "at+jwt":
		return true
	}
	return !said
}

// verifiedBy returns the payload of what a key of the set has signed. A key that is
// meant for anything but signatures has signed nothing.
func verifiedBy(set *jose.JSONWebKeySet, signed *jose.JSONWebSignature) ([]byte, bool) {
	kid := signed.Signatures[0].Header.KeyID
	for i := range set.Keys {
		key := &set.Keys[i]
		if kid != "" && key.KeyID != kid || key.Use != "" && key.Use != "sig" {
			continue
		}
		if payload, err := signed.Verify(key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// get returns the keys: those that are held while they live and none is missing,
// else what the issuer answers, or has answered a moment ago. Who waits for it waits
// until ctx ends. While it cannot be asked, what is held goes on for a while.
func (k *keys) get(ctx context.Context, missing bool) (heldKeys, error) {
	k.mu.Lock()
	now := k.now()
	age := now.Sub(k.held.at)
	if !missing && age >= 0 && age < keysLive {
		defer k.mu.Unlock()
		return k.held, nil
	}
	if since := now.Sub(k.tried); k.flight == nil && since >= 0 && since < askPause {
		defer k.mu.Unlock()
		return k.heldOr(k.failed, missing)
	}
	f := k.flight
	if f == nil {
		f = k.ask(ctx)
	}
	if k.failed != nil && !missing && age >= 0 && age < keysOutlive {
		// It was away a moment ago: nobody waits to learn that it still is.
		defer k.mu.Unlock()
		return k.held, nil
	}
	k.mu.Unlock()

	select {
	case <-ctx.Done():
		return heldKeys{}, fmt.Errorf("%w: %w", errAway, ctx.Err())
	case <-f.done:
	}
	if f.err == nil {
		return f.held, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.heldOr(f.err, missing)
}

// heldOr returns what is held after a try that came to err, as long as that may be
// used: a key that is missing in it is doubt. It is called with the lock.
func (k *keys) heldOr(err error, missing bool) (heldKeys, error) {
	if err == nil {
		return k.held, nil
	}
	if age := k.now().Sub(k.held.at); missing || age < 0 || age >= keysOutlive {
		return heldKeys{}, err
	}
	return k.held, nil
}

// ask begins to ask the issuer, whoever waits for it. It is called with the lock.
func (k *keys) ask(ctx context.Context) *flight {
	f := &flight{done: make(chan struct{})}
	k.flight = f
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	go func() {
		defer cancel()
		held, err := k.fetch(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		k.tried, k.failed, k.flight = k.now(), err, nil
		if err == nil {
			k.held, k.held.at = held, k.tried
		}
		f.held, f.err = k.held, err
		close(f.done)
	}()
	return f
}

// fetch asks the issuer how it names itself and where its keys are (OpenID Connect
// Discovery 1.0), and for them. Every error is errAway.
func (k *keys) fetch(ctx context.Context) (heldKeys, error) {
	held, err := k.ofIssuer(ctx)
	if err != nil {
		err = fmt.Errorf("%w: %w", errAway, err)
	}
	return held, err
}

// ofIssuer is fetch, with any error.
func (k *keys) ofIssuer(ctx context.Context) (heldKeys, error) {
	var none heldKeys
	// The names are compared below: go-oidc refuses one that differs in a slash only.
	ctx = oidc.InsecureIssuerURLContext(ctx, k.issuer)
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, k.http), k.issuer)
	if err != nil {
		return none, err
	}
	var said struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := provider.Claims(&said); err != nil {
		return none, err
	}
	if !sameIssuer(said.Issuer, k.issuer) {
		return none, fmt.Errorf("%w: operator.oidc.issuer is %q, and the provider there calls itself %.200q",
			gateway.ErrIssuer, k.issuer, said.Issuer)
	}
	if scheme(said.Keys) != "https" && scheme(said.Keys) != scheme(k.issuer) {
		return none, errClearText
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, said.Keys, http.NoBody)
	if err != nil {
		return none, err
	}
	answer, err := k.http.Do(request)
	if err != nil {
		return none, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return none, fmt.Errorf("asked for its keys it answers %s", answer.Status)
	}
	set, err := readKeys(answer.Body)
	return heldKeys{issuer: said.Issuer, set: set}, err
}

// errClearText means that the issuer has its keys where whoever is on the way could
// put others.
var errClearText = errors.New("its keys are not at https")

// scheme is that of a URL, empty where it is none.
func scheme(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme
}

// sameScheme is an http.Client's CheckRedirect that leads nobody from https to http.
func sameScheme(next *http.Request, via []*http.Request) error {
	if via[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return errClearText
	}
	if len(via) > maxRedirects {
		return errors.New("it redirects too often")
	}
	return nil
}

// readKeys reads a set of keys. One of a kind that is not known here is left out
// (RFC 7517 section 5); a set without any other is none.
func readKeys(from io.Reader) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	var listed struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(from).Decode(&listed); err != nil {
		return set, fmt.Errorf("what it answers is no set of keys: %w", err)
	}
	for _, text := range listed.Keys {
		var key jose.JSONWebKey
		if err := json.Unmarshal(text, &key); err == nil && key.IsPublic() && key.Valid() {
			set.Keys = append(set.Keys, key)
		}
	}
	if len(set.Keys) == 0 {
		return set, errors.New("what it answers has no key that is known here")
	}
	return set, nil
}

// bounded is a transport whose answers end after maxKeys bytes.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxKeys)
	}
	return answer, err
}
