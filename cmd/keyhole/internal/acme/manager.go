package acme

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
)

// LetsEncrypt is the directory of the default authority.
const LetsEncrypt = acme.LetsEncryptURL

const (
	// checkInterval is how often a gateway with a certificate looks for a newer one.
	checkInterval = time.Minute
	// pollInterval is how often a gateway without a certificate for all its names looks for
	// one that another gateway is ordering.
	pollInterval = time.Second
	// leaseLife is how long the lease of an order lasts if its holder has crashed.
	leaseLife = time.Minute

	// The pauses after failed orders. Let's Encrypt allows five failed validations of a
	// name in an hour. An authority that is unreachable is asked more often.
	firstRefusedPause     = 2 * time.Minute
	firstUnreachablePause = 5 * time.Second
	maxUnreachablePause   = 5 * time.Minute
	maxRefusedPause       = time.Hour
	// maxRetryAfter bounds what the authority can ask for.
	maxRetryAfter = 24 * time.Hour
	// maxSpread bounds the time by which gateways differ. A certificate of 45 days is then
	// renewed more than 14 days before its end, when the first alert would fire.
	maxSpread = 12 * time.Hour
)

// Options configures a Manager. Every field is required unless its comment says otherwise.
type Options struct {
	// Domains are the names of the certificate, in lower case. No other name is ordered.
	Domains []string
	// Email is the contact of the account; it may be empty.
	Email string
	// DirectoryURL is the directory of the authority; empty: LetsEncrypt.
	DirectoryURL string
	// Secret has 32 bytes, the same on all gateways.
	Secret []byte
	// HTTPChallenges says that a listener on port 80 serves the Manager.
	HTTPChallenges bool
	Storage        Storage
	Client         *http.Client
	Logger         *slog.Logger
}

// Manager holds the certificate of a listener. It is safe for concurrent use.
type Manager struct {
	o      Options
	values *values
	board  *board
	holder string
	names  struct{ certificate, latest, account, lease string }
	spread float64 // a random part of 1, so that gateways do not renew at the same time

	current atomic.Pointer[tls.Certificate] // nil: none yet
	failing atomic.Bool

	// Only the goroutine of Run uses these.
	failures int       // orders that failed in a row
	resume   time.Time // this gateway orders nothing before
	asked    bool      // the authority asked for that pause
	reported string    // the failure to read that was logged last
	refused  time.Time // when the log last said that the secret is another one
	unstored []byte    // the new certificate if the Storage did not take it
}

// New returns a Manager without a certificate. Run gets one.
func New(o Options) (*Manager, error) {
	sealer, err := newSealer(o.Secret)
	if err != nil {
		return nil, err
	}
	o.DirectoryURL = cmp.Or(o.DirectoryURL, LetsEncrypt)
	m := &Manager{
		o: o, values: &values{o.Storage, sealer}, holder: newHolder(),
		spread: rand.Float64(), //nolint:gosec // It spreads load and is no secret.
	}
	domains := slices.Sorted(slices.Values(o.Domains))
	sum := sha256.Sum256([]byte(o.DirectoryURL + "\n" + strings.Join(domains, "\n")))
	authority := sha256.Sum256([]byte(o.DirectoryURL))
	id := hex.EncodeToString(sum[:16])
	m.names.certificate, m.names.lease = "certificate:"+id, "lease:"+id
	m.names.account = "account:" + hex.EncodeToString(authority[:16])
	m.names.latest = "latest:" + hex.EncodeToString(authority[:16])
	m.board = &board{values: m.values, name: "challenges:" + id}
	m.o.Client = limitClient(o.Client, o.DirectoryURL)
	return m, nil
}

// errNoCertificate means that no certificate has been issued yet.
var errNoCertificate = errors.New("no certificate has been issued yet; see the log")

// Certificate returns the certificate for a handshake. It waits for the Storage only in
// handshakes of challenges.
func (m *Manager) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if isChallenge(hello) {
		return m.challengeCertificate(hello)
	}
	if current := m.current.Load(); current != nil {
		return current, nil
	}
	return nil, errNoCertificate
}

// Protocols returns the protocol of TLS-ALPN-01 challenges.
func (m *Manager) Protocols() []string { return []string{acme.ALPNProto} }

// Expiry returns the end of the certificate, the zero time if there is none.
func (m *Manager) Expiry() time.Time {
	if current := m.current.Load(); current != nil {
		return current.Leaf.NotAfter
	}
	return time.Time{}
}

// Failing tells whether this gateway failed at its last attempt to get, renew, read or
// store the certificate. The log has the reason.
func (m *Manager) Failing() bool { return m.failing.Load() }

// Load reads the certificate that another gateway, or this one before a restart, has
// stored, so that the first handshakes after a start succeed.
func (m *Manager) Load(ctx context.Context) { m.adopt(ctx) }
