package acme

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

// challengeRound is the shortest time between two reads of the challenges from the
// Storage. Anybody can ask for a challenge, so these reads must be few.
const challengeRound = 250 * time.Millisecond

// challengeLife is how long the challenges of an order stay in the Storage.
const challengeLife = time.Hour

// responses are the responses to the challenges of one order.
type responses struct {
	HTTP map[string]string       `json:"http,omitempty"` // by token (HTTP-01, RFC 8555 section 8.3)
	TLS  map[string]*certificate `json:"tls,omitempty"`  // by domain (TLS-ALPN-01, RFC 8737)
}

// board holds the responses that the authority may ask any gateway for.
type board struct {
	values *values
	name   string

	mu   sync.Mutex
	read time.Time
	last responses
	err  error
}

// post stores the responses of an order.
func (b *board) post(ctx context.Context, r responses) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the challenges: %w", err)
	}
	return b.values.write(ctx, b.name, text, challengeLife)
}

// current returns responses that were read after the call began. Calls share a read.
func (b *board) current(ctx context.Context) (responses, error) {
	begun := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.read.After(begun) {
		return b.last, b.err
	}
	if wait := challengeRound - time.Since(b.read); wait > 0 && !sleep(ctx, wait) {
		return responses{}, ctx.Err()
	}
	b.read, b.last, b.err = time.Now(), responses{}, nil
	text, err := b.values.read(ctx, b.name)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &b.last)
	}
	b.err = err
	return b.last, b.err
}

// maxToken is the longest token of a challenge that is looked up.
const maxToken = 128

// ServeHTTP answers HTTP-01 challenges below /.well-known/acme-challenge/.
func (m *Manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	known := ""
	if validToken(token) {
		current, err := m.board.current(r.Context())
		if err != nil {
			http.Error(w, "the challenge cannot be read now", http.StatusServiceUnavailable)
			return
		}
		known = current.HTTP[token]
	}
	if known == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write([]byte(known)) // fails if the authority has hung up
}

// validToken tells whether a token has only characters of base64url, as RFC 8555 section
// 8.3 demands.
func validToken(token string) bool {
	return token != "" && len(token) <= maxToken && !strings.ContainsFunc(token, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// errNoChallenge means that no challenge of that domain is open.
var errNoChallenge = errors.New("no challenge is open for this name")

// isChallenge tells whether a handshake is of a TLS-ALPN-01 challenge.
func isChallenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto
}

// challengeCertificate returns the certificate of a TLS-ALPN-01 challenge.
func (m *Manager) challengeCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	domain := strings.ToLower(hello.ServerName)
	if !slices.Contains(m.o.Domains, domain) {
		return nil, errNoChallenge
	}
	current, err := m.board.current(hello.Context())
	if err != nil {
		return nil, err
	}
	if current.TLS[domain] == nil {
		return nil, errNoChallenge
	}
	return current.TLS[domain].parse()
}

// sleep waits for d, and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
