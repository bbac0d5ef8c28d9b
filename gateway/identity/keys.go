package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"keyhole/gateway"
)

const (
	// fetchTimeout bounds all requests to the issuer for one set of keys.
	fetchTimeout = 5 * time.Second
	// fetchPause is the minimum time between two attempts to fetch the keys. A token with
	// an unknown key makes keyCache fetch the keys again, and anyone can send such a
	// token.
	fetchPause = time.Second
	// keyLifetime is the time after which cached keys are fetched again. While the issuer
	// is unavailable, cached keys are used for staleKeyLifetime.
	keyLifetime, staleKeyLifetime = 10 * time.Minute, time.Hour
	// maxKeys bounds each response of an issuer, in bytes. maxRedirects bounds the
	// redirects of one request.
	maxKeys, maxRedirects = 1 << 20, 5
)

// errIssuerUnavailable means that the issuer did not respond, or not with valid keys.
var errIssuerUnavailable = errors.New("the issuer is unavailable")

// keyCache caches the issuer's keys. go-oidc's own key set keeps a key that the issuer
// has withdrawn for as long as the other keys verify signatures.
type keyCache struct {
	issuer string
	http   *http.Client
	now    func() time.Time

	mu       sync.Mutex // guards the fields below
	cached   keySet
	tried    time.Time // when the last attempt to fetch the keys ended; zero: no attempt yet
	failed   error     // the error of the last attempt
	inflight singleflight.Group
}

// keySet holds the keys of the issuer.
type keySet struct {
	metadata

	keys jose.JSONWebKeySet
	at   time.Time // when it was fetched; zero: never
}

// metadata is the part of the discovery document that this package reads (OpenID Connect
// Discovery 1.0 section 3, RFC 9207 section 3).
type metadata struct {
	Issuer        string   `json:"issuer"` // the name that the issuer gives itself
	Keys          string   `json:"jwks_uri"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Scopes        []string `json:"scopes_supported"`
	// SendsIssuer says that every callback has the parameter iss.
	SendsIssuer bool `json:"authorization_response_iss_parameter_supported"`
}

// verify returns the payload of a token that the issuer has signed, and the name that
// the issuer gives itself. The type of the token must be absent or one of types. If no
// cached key verifies the signature, verify fetches the keys again. Its errors are
// gateway.TokenError and errIssuerUnavailable.
func (k *keyCache) verify(
	ctx context.Context, token string, types ...string,
) (payload []byte, issuer string, err error) {
	signed, err := jose.ParseSignedCompact(token, signatureAlgorithms())
	if err != nil {
		return nil, "", refuse(gateway.TokenMalformed, "%w", err)
	}
	if !hasType(signed, types) {
		return nil, "", refuse(gateway.TokenKind, "its typ is none of %q", types)
	}
	// The issuer is checked before the signature. For a token of another issuer, the
	// error about the signature would hide the cause.
	var claimed struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claimed); err != nil {
		return nil, "", refuse(gateway.TokenMalformed, "its claims cannot be read: %w", err)
	}
	if !sameIssuer(claimed.Issuer, k.issuer) && !isGoogle(strings.TrimSuffix(k.issuer, "/"), claimed.Issuer) {
		return nil, "", refuse(gateway.TokenIssuer, "its iss is %.200q, not %q", claimed.Issuer, k.issuer)
	}
	for _, missing := range []bool{false, true} {
		set, err := k.get(ctx, missing)
		if err != nil {
			return nil, "", err
		}
		if payload, ok := verifiedBy(&set.keys, signed); ok {
			return payload, set.Issuer, nil
		}
	}
	return nil, "", refuse(gateway.TokenSignature, "no key of the issuer verifies its signature")
}

// hasType reports whether the typ of a token is one of types, or is missing. An issuer
// signs other tokens too, such as logout tokens (RFC 8725 section 3.11).
func hasType(signed *jose.JSONWebSignature, types []string) bool {
	if len(signed.Signatures) != 1 {
		return false
	}
	kind, present := signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]
	text, _ := kind.(string)
	return !present || slices.Contains(types, strings.TrimPrefix(strings.ToLower(text), "application/"))
}

// verifiedBy returns the payload of a token that a key of the set has signed. It skips
// keys whose use is not signing.
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

// get returns the cached keys while they are fresh. If they are older, or if the caller
// misses a key, get fetches the keys, but not within fetchPause after the last attempt.
// The caller waits at most until ctx ends. While the issuer is unavailable, get returns
// the cached keys for up to staleKeyLifetime.
func (k *keyCache) get(ctx context.Context, missing bool) (keySet, error) {
	k.mu.Lock()
	now := k.now()
	age := now.Sub(k.cached.at)
	if !missing && age >= 0 && age < keyLifetime {
		defer k.mu.Unlock()
		return k.cached, nil
	}
	if since := now.Sub(k.tried); since >= 0 && since < fetchPause {
		defer k.mu.Unlock()
		return k.cachedOr(k.failed, missing)
	}
	// The lock prevents a second attempt between the end of the current attempt and the
	// check of fetchPause above.
	result := k.inflight.DoChan("", func() (any, error) { return k.renew(ctx) })
	if k.failed != nil && !missing && age >= 0 && age < staleKeyLifetime {
		// The last attempt failed, so this caller does not wait for the new attempt.
		defer k.mu.Unlock()
		return k.cached, nil
	}
	k.mu.Unlock()

	select {
	case <-ctx.Done():
		return keySet{}, fmt.Errorf("%w: %w", errIssuerUnavailable, ctx.Err())
	case r := <-result:
		if renewed, ok := r.Val.(keySet); ok && r.Err == nil {
			return renewed, nil
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.cachedOr(r.Err, missing)
	}
}

// cachedOr returns the cached keys after an attempt that ended with err, if they are not
// too old. If the caller misses a key, cachedOr returns err, because that key may be a new
// key of the issuer. The caller holds the lock.
func (k *keyCache) cachedOr(err error, missing bool) (keySet, error) {
	if err == nil {
		return k.cached, nil
	}
	if age := k.now().Sub(k.cached.at); missing || age < 0 || age >= staleKeyLifetime {
		return keySet{}, err
	}
	return k.cached, nil
}

// renew fetches the keys and caches them. It runs for all waiting callers, so it continues
// if one of them gives up.
func (k *keyCache) renew(ctx context.Context) (keySet, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	fetched, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried, k.failed = k.now(), err
	if err == nil {
		k.cached, k.cached.at = fetched, k.tried
	}
	return k.cached, err
}

// fetch asks the issuer for its name and the address of its keys (OpenID Connect
// Discovery 1.0), and then for the keys. Every error is an
// errIssuerUnavailable.
func (k *keyCache) fetch(ctx context.Context) (keySet, error) {
	found, err := k.discover(ctx)
	var set jose.JSONWebKeySet
	if err == nil {
		set, err = k.download(ctx, found.Keys)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", errIssuerUnavailable, err)
	}
	return keySet{metadata: found, keys: set}, err
}

// discover reads the discovery document of the issuer.
func (k *keyCache) discover(ctx context.Context) (found metadata, _ error) {
	// go-oidc refuses a name that differs only in a slash at the end, so the names are
	// compared below.
	ctx = oidc.InsecureIssuerURLContext(ctx, k.issuer)
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, k.http), k.issuer)
	if err != nil {
		return metadata{}, err
	}
	if err := provider.Claims(&found); err != nil {
		return metadata{}, err
	}
	if !sameIssuer(found.Issuer, k.issuer) {
		return metadata{}, fmt.Errorf("%w: operator.oidc.issuer is %q, but the provider calls itself %.200q",
			gateway.ErrIssuer, k.issuer, found.Issuer)
	}
	if !k.encrypted(found.Keys) {
		return metadata{}, errClearText
	}
	return found, nil
}

// encrypted reports whether an address of the issuer is https, or http like the issuer
// itself, which the configuration allows only on loopback.
func (k *keyCache) encrypted(address string) bool {
	return scheme(address) == "https" || scheme(address) == scheme(k.issuer)
}

// download fetches the keys of the issuer.
func (k *keyCache) download(ctx context.Context, address string) (jose.JSONWebKeySet, error) {
	var none jose.JSONWebKeySet
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return none, err
	}
	response, err := k.http.Do(request)
	if err != nil {
		return none, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return none, fmt.Errorf("the request for its keys returned %s", response.Status)
	}
	return readKeys(response.Body)
}

// errClearText means that the issuer serves its keys over plain HTTP, where an attacker
// could replace them.
var errClearText = errors.New("its keys are not served over https")

// scheme returns the scheme of a URL. It is empty if address is not a URL.
func scheme(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme
}

// sameScheme is a CheckRedirect of http.Client that refuses a redirect from https to
// http.
func sameScheme(next *http.Request, via []*http.Request) error {
	if via[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return errClearText
	}
	if len(via) > maxRedirects {
		return errors.New("it redirects too many times")
	}
	return nil
}

// readKeys reads a JSON Web Key Set. It skips keys of unknown kinds (RFC 7517 section
// 5), and returns an error if no key is left.
func readKeys(from io.Reader) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	var listed struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(from).Decode(&listed); err != nil {
		return set, fmt.Errorf("its key set cannot be read: %w", err)
	}
	for _, text := range listed.Keys {
		var key jose.JSONWebKey
		if err := json.Unmarshal(text, &key); err == nil && key.IsPublic() && key.Valid() {
			set.Keys = append(set.Keys, key)
		}
	}
	if len(set.Keys) == 0 {
		return set, errors.New("its key set has no key of a supported kind")
	}
	return set, nil
}

// bounded is a transport that bounds the body of each response to maxKeys bytes.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxKeys)
	}
	return response, err
}
