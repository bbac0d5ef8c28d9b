package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	// orderTimeout bounds one order. Authorities validate within seconds.
	orderTimeout = 5 * time.Minute
	// accountLife is how long the account's key stays in the Storage after its last use.
	accountLife = 400 * 24 * time.Hour
	// nonceRetries is how often a request is repeated whose nonce the authority refused,
	// RFC 8555 section 6.5. The Manager repeats everything else, with its own pauses.
	nonceRetries = 5
	nonceRetry   = 50 * time.Millisecond
)

// The types of challenges, in the order in which they are tried.
const (
	typeTLS  = "tls-alpn-01"
	typeHTTP = "http-01"
)

// errPanicked is the error of an order that panicked.
var errPanicked = errors.New("the order of a certificate panicked")

// orderSafely orders. It turns a panic, such as one over an answer of the authority, into an
// error, because the gateway must go on with the certificate that it has. The value of a
// panic may hold a key, so only the stack is logged.
func (m *Manager) orderSafely(ctx context.Context, stored state) (err error) {
	defer func() {
		if recover() != nil {
			m.o.Logger.Error("the order of a certificate panicked", "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	return m.order(ctx, stored)
}

// order gets a certificate and stores it. If the authority could not validate the names by
// one type of challenge, the next type is tried.
func (m *Manager) order(ctx context.Context, stored state) error {
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	client, err := m.client(ctx, stored)
	if err != nil {
		return err
	}
	types := []string{typeTLS}
	if m.o.HTTPChallenges {
		types = append(types, typeHTTP)
	}
	var failed error
	for _, kind := range types {
		err := m.orderBy(ctx, client, kind)
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", kind, err))
		if !isValidation(err) {
			break
		}
	}
	return failed
}

// client returns a client with the shared account, which it registers if necessary.
func (m *Manager) client(ctx context.Context, stored state) (*acme.Client, error) {
	key, err := m.account(ctx, stored)
	if err != nil {
		return nil, err
	}
	client := &acme.Client{
		Key: key, DirectoryURL: m.o.DirectoryURL, HTTPClient: m.o.Client, UserAgent: "keyhole",
		RetryBackoff: func(n int, _ *http.Request, response *http.Response) time.Duration {
			if response != nil && response.StatusCode == http.StatusBadRequest && n <= nonceRetries {
				return nonceRetry
			}
			return -1
		},
	}
	account := &acme.Account{}
	if m.o.Email != "" {
		account.Contact = []string{"mailto:" + m.o.Email}
	}
	_, err = client.Register(ctx, account, acme.AcceptTOS)
	if err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return nil, fmt.Errorf("register an account: %w", err)
	}
	return client, nil
}

// account returns the key of the shared account, a new one if there is none. It is stored
// before the account is registered, so that no registered account is lost.
func (m *Manager) account(ctx context.Context, stored state) (crypto.Signer, error) {
	text, err := m.accountKey(ctx, stored)
	if err != nil {
		return nil, err
	}
	var key crypto.Signer
	if text == nil {
		m.o.Logger.Info("registering an account at the certificate authority", "directory", m.o.DirectoryURL)
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		var parsed any
		if parsed, err = x509.ParsePKCS8PrivateKey(text); err == nil {
			key, _ = parsed.(crypto.Signer)
		}
	}
	if err != nil || key == nil {
		return nil, fmt.Errorf("prepare the key of the account: %w", err)
	}
	if text, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, fmt.Errorf("encode the key of the account: %w", err)
	}
	if err := m.values.write(ctx, m.names.account, text, accountLife); err != nil {
		return nil, fmt.Errorf("store the key of the account: %w", err)
	}
	return key, nil
}

// orderBy orders the certificate and proves the control of its names by one type of
// challenge.
func (m *Manager) orderBy(ctx context.Context, client *acme.Client, kind string) error {
	order, err := client.AuthorizeOrder(ctx, acme.DomainIDs(m.o.Domains...))
	if err != nil {
		return fmt.Errorf("order: %w", err)
	}
	if err := m.authorize(ctx, client, order, kind); err != nil {
		return err
	}
	ready, err := client.WaitOrder(ctx, order.URI)
	if err != nil {
		return fmt.Errorf("wait for the order: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a private key: %w", err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: m.o.Domains}, key)
	if err != nil {
		return fmt.Errorf("make a certificate request: %w", err)
	}
	chain, _, err := client.CreateOrderCert(ctx, ready.FinalizeURL, request, true)
	if err != nil {
		return fmt.Errorf("finalize the order: %w", err)
	}
	return m.store(ctx, chain, key)
}

// openChallenge is a challenge that the authority has not validated yet.
type openChallenge struct {
	url       string // of the authorization
	challenge *acme.Challenge
}

// authorize publishes the responses to all challenges of an order, then asks the authority
// to validate them. The error names every name that was not validated.
func (m *Manager) authorize(ctx context.Context, client *acme.Client, order *acme.Order, kind string) error {
	if len(order.AuthzURLs) > len(m.o.Domains) {
		return fmt.Errorf("%w: it wants %d authorizations for %d names", errUnfit, len(order.AuthzURLs), len(m.o.Domains))
	}
	all, err := m.respond(ctx, client, order, kind)
	if err != nil {
		return err
	}
	for _, o := range all {
		if _, err := client.Accept(ctx, o.challenge); err != nil {
			return fmt.Errorf("accept a challenge: %w", err)
		}
	}
	var failed error
	for _, o := range all {
		if _, err := client.WaitAuthorization(ctx, o.url); err != nil {
			failed = errors.Join(failed, fmt.Errorf("validate: %w", err))
			if !isValidation(err) {
				break
			}
		}
	}
	return failed
}

// respond stores the responses to the challenges of an order for all gateways.
func (m *Manager) respond(
	ctx context.Context, client *acme.Client, order *acme.Order, kind string,
) (all []openChallenge, err error) {
	posted := responses{HTTP: map[string]string{}, TLS: map[string]*certificate{}}
	for _, url := range order.AuthzURLs {
		authorization, err := client.GetAuthorization(ctx, url)
		if err != nil {
			return nil, fmt.Errorf("read an authorization: %w", err)
		}
		if authorization.Status == acme.StatusValid {
			continue
		}
		name := authorization.Identifier.Value
		if !slices.Contains(m.o.Domains, name) {
			return nil, fmt.Errorf("%w: it wants an authorization for %q", errUnfit, name)
		}
		challenge := challengeOf(authorization, kind)
		if challenge == nil {
			return nil, fmt.Errorf("%w of type %s for %s", errNoOffer, kind, name)
		}
		if err := posted.add(client, challenge, name); err != nil {
			return nil, fmt.Errorf("answer a challenge: %w", err)
		}
		all = append(all, openChallenge{url, challenge})
	}
	if err := m.board.post(ctx, posted); err != nil {
		return nil, fmt.Errorf("store the challenges: %w", err)
	}
	return all, nil
}

// errNoOffer means that the authority offers no challenge of the wanted type.
var errNoOffer = errors.New("the authority offers no challenge")

// challengeOf returns the challenge of a type, nil if the authority does not offer it.
func challengeOf(authorization *acme.Authorization, kind string) *acme.Challenge {
	for _, challenge := range authorization.Challenges {
		if challenge.Type == kind {
			return challenge
		}
	}
	return nil
}

// add makes the response to a challenge.
func (r *responses) add(client *acme.Client, challenge *acme.Challenge, domain string) error {
	if challenge.Type == typeHTTP {
		response, err := client.HTTP01ChallengeResponse(challenge.Token)
		r.HTTP[challenge.Token] = response
		return err
	}
	made, err := client.TLSALPN01ChallengeCert(challenge.Token, domain)
	if err != nil {
		return err
	}
	r.TLS[domain], err = newCertificate(made.Certificate, made.PrivateKey)
	return err
}

// errUnfit means that the authority answered something else than what was ordered.
var errUnfit = errors.New("the answer of the certificate authority does not fit the order")

// store uses a new certificate, and stores it for all gateways.
func (m *Manager) store(ctx context.Context, chain [][]byte, key crypto.PrivateKey) error {
	stored, err := newCertificate(chain, key)
	if err != nil {
		return err
	}
	parsed, err := stored.parse()
	if err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	if !m.covers(parsed.Leaf) {
		return fmt.Errorf("%w: the certificate has only the names %q", errUnfit, parsed.Leaf.DNSNames)
	}
	text, err := json.Marshal(stored)
	if err != nil {
		return fmt.Errorf("encode the certificate: %w", err)
	}
	// This gateway uses the certificate even if the others cannot get it.
	m.current.Store(parsed)
	return m.keep(ctx, text)
}

// isValidation tells whether the authority could not validate the names, so that another
// type of challenge may help.
func isValidation(err error) bool {
	_, refused := errors.AsType[*acme.AuthorizationError](err)
	return refused || errors.Is(err, errNoOffer)
}
