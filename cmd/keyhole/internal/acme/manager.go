package acme

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
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
	// pollInterval is how often a gateway without a certificate looks for one that another
	// gateway is ordering.
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
	names  struct{ certificate, account, lease string }
	spread float64 // a random part of 1, so that gateways do not renew at the same time

	current  atomic.Pointer[tls.Certificate] // nil: none yet
	failures int                             // orders that failed in a row
	reported string                          // the failure to read that was logged last
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
	m.board = &board{values: m.values, name: "challenges:" + id}
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

// Load reads the certificate that another gateway, or this one before a restart, has
// stored, so that the first handshakes after a start succeed.
func (m *Manager) Load(ctx context.Context) { m.adopt(ctx) }

// Run orders the certificate, renews it and takes over what other gateways have ordered,
// until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	defer func() {
		// Another gateway need not wait until the lease ends.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = m.o.Storage.DropACMELease(ctx, m.names.lease, m.holder) // The lease ends by itself.
	}()
	for sleep(ctx, m.round(ctx)) {
	}
}

// round does what is due, and returns the pause until the next round.
func (m *Manager) round(ctx context.Context) time.Duration {
	m.adopt(ctx)
	pause := checkInterval
	if m.current.Load() == nil {
		pause = pollInterval
	}
	if !m.due(time.Now()) {
		return pause
	}
	leased, err := m.o.Storage.TakeACMELease(ctx, m.names.lease, m.holder, leaseLife)
	if err != nil || !leased { // adopt logs that the Storage is unreachable
		return pause
	}
	// The gateway that had the lease before may have stored a certificate meanwhile.
	if m.adopt(ctx); !m.due(time.Now()) {
		err = m.o.Storage.DropACMELease(ctx, m.names.lease, m.holder)
	} else {
		err = m.orderLeased(ctx)
	}
	if err == nil {
		m.failures = 0
		return checkInterval
	}
	return m.failed(ctx, err)
}

// orderLeased orders and extends the lease meanwhile.
func (m *Manager) orderLeased(ctx context.Context) error {
	ordering, cancel := context.WithCancel(ctx)
	extended := make(chan struct{})
	go func() {
		defer close(extended)
		for sleep(ordering, leaseLife/3) {
			leased, err := m.o.Storage.TakeACMELease(ordering, m.names.lease, m.holder, leaseLife)
			if err == nil && !leased {
				cancel() // Another gateway orders.
			}
		}
	}()
	err := m.order(ordering)
	cancel()
	<-extended
	if err != nil {
		return err
	}
	m.o.Logger.Info("certificate issued", "domains", m.o.Domains, "expires", m.Expiry())
	return m.o.Storage.DropACMELease(ctx, m.names.lease, m.holder)
}

// failed logs a failed order and returns the pause before the next one. No other gateway
// orders before that.
func (m *Manager) failed(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return 0 // The service stops.
	}
	m.failures++
	pause := pauseAfter(err, m.failures, time.Now())
	const text = "certificate order failed; keeping the previous certificate"
	m.o.Logger.Error(text, "error", err, "directory", m.o.DirectoryURL, "retry_in", pause.String(),
		"has_certificate", m.current.Load() != nil)
	if _, err := m.o.Storage.TakeACMELease(ctx, m.names.lease, m.holder, pause); err != nil {
		m.o.Logger.Warn("the pause after a failed certificate order is not known to other gateways", "error", err)
	}
	return pause
}

// pauseAfter returns the pause after a number of failures in a row. It is at least what the
// authority asks for (Retry-After, RFC 9110 section 10.2.3).
func pauseAfter(err error, failures int, now time.Time) time.Duration {
	first, longest := firstUnreachablePause, maxUnreachablePause
	problem, answered := errors.AsType[*acme.Error](err)
	if answered && problem.StatusCode < 500 || isValidation(err) {
		first, longest = firstRefusedPause, maxRefusedPause
	}
	pause := min(first<<min(failures-1, 10), longest)
	if answered {
		pause = max(pause, min(retryAfter(problem.Header.Get("Retry-After"), now), maxRetryAfter))
	}
	return pause
}

// retryAfter reads a value of Retry-After, in seconds or as a date; 0 without a valid one.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return at.Sub(now)
	}
	return 0
}

// due tells whether a certificate must be ordered: there is none, or at most a third of its
// life is left. Gateways differ by up to a thirtieth of the life.
func (m *Manager) due(now time.Time) bool {
	current := m.current.Load()
	if current == nil {
		return true
	}
	life := current.Leaf.NotAfter.Sub(current.Leaf.NotBefore)
	left := life/3 - time.Duration(m.spread*float64(life/30))
	return current.Leaf.NotAfter.Sub(now) <= left
}

// adopt uses the stored certificate if it is newer than the current one.
func (m *Manager) adopt(ctx context.Context) {
	text, err := m.values.read(ctx, m.names.certificate)
	var stored *tls.Certificate
	if err == nil && text != nil {
		stored, err = decodeCertificate(text)
	}
	switch {
	case err != nil:
		if problem := err.Error(); ctx.Err() == nil && problem != m.reported {
			m.reported = problem
			m.o.Logger.Warn("the shared certificate cannot be read", "error", fmt.Errorf("read the certificate: %w", err))
		}
		return
	case stored != nil:
		if current := m.current.Load(); current == nil || stored.Leaf.NotAfter.After(current.Leaf.NotAfter) {
			m.use(stored)
		}
	}
	m.reported = ""
}

// use makes a certificate the current one.
func (m *Manager) use(c *tls.Certificate) { m.current.Store(c) }
