package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"keyhole/cmd/keyhole/internal/acme/acmetest"
)

// memory is a Storage in this process. It counts how often a certificate was stored.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	leases map[string]lease
	issued int
	failed error
}

type lease struct {
	holder string
	ends   time.Time
}

func newMemory() *memory { return &memory{values: map[string][]byte{}, leases: map[string]lease{}} }

func (m *memory) ReadACME(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[name], m.failed
}

func (m *memory) WriteACME(_ context.Context, name string, value []byte, _ time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if strings.HasPrefix(name, "certificate:") {
		m.issued++
	}
	m.values[name] = value
	return m.failed
}

func (m *memory) TakeACMELease(_ context.Context, name, holder string, life time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held := m.leases[name]; held.holder != "" && held.holder != holder && time.Now().Before(held.ends) {
		return false, m.failed
	}
	m.leases[name] = lease{holder, time.Now().Add(life)}
	return m.failed == nil, m.failed
}

func (m *memory) DropACMELease(_ context.Context, name, holder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leases[name].holder == holder {
		delete(m.leases, name)
	}
	return m.failed
}

// domain is the name in the certificates.
const domain = "dl.example.com"

// newManager returns a manager of one gateway. log may be nil.
func newManager(t *testing.T, p *acmetest.Pebble, storage Storage, log *slog.Logger, change func(*Options)) *Manager {
	t.Helper()
	o := Options{
		Domains: []string{domain}, Email: "admin@example.com", DirectoryURL: p.DirectoryURL,
		Secret: bytes.Repeat([]byte{7}, secretBytes), Storage: storage, Client: p.Client(),
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if log != nil {
		o.Logger = log
	}
	if change != nil {
		change(&o)
	}
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// nowhere is an address that nobody listens on.
const nowhere = "127.0.0.1:1"

// startPebble starts an authority, and returns the listener that it validates challenges at:
// those over TLS or those over HTTP. The listener is open before, so nobody takes its port.
func startPebble(t *testing.T, overTLS bool) (*acmetest.Pebble, net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // The server may have closed it.
	tlsAddress, httpAddress := l.Addr().String(), nowhere
	if !overTLS {
		tlsAddress, httpAddress = httpAddress, tlsAddress
	}
	p := acmetest.NewPebble(t, tlsAddress, httpAddress)
	p.Start(t)
	return p, l
}

// serve answers requests at a listener until the test ends. A busy machine may take long for a
// handshake, which ReadHeaderTimeout bounds too.
func serve(t *testing.T, l net.Listener, handler http.Handler) {
	t.Helper()
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	go func() { _ = server.Serve(l) }() // It ends with an error when it is closed.
	t.Cleanup(func() { _ = server.Close() })
}

// serveTLS answers handshakes with a manager.
func serveTLS(t *testing.T, l net.Listener, m *Manager) {
	t.Helper()
	serve(t, tls.NewListener(l, &tls.Config{
		GetCertificate: m.Certificate, MinVersion: tls.VersionTLS12,
		NextProtos: append([]string{"http/1.1"}, m.Protocols()...),
	}), http.NotFoundHandler())
}

// servedName returns the first name of the certificate that a listener shows, or the error.
func servedName(t *testing.T, address string) (string, error) {
	t.Helper()
	dialer := &tls.Dialer{Config: &tls.Config{ServerName: domain, InsecureSkipVerify: true}}
	c, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0].DNSNames[0], nil
}

// Two gateways share one order: each validates the other's challenges, and both serve the
// certificate.
func TestOneOrderForTwoGateways(t *testing.T) {
	t.Parallel()
	p, l := startPebble(t, true)
	address, storage := l.Addr().String(), newMemory()
	first, second := newManager(t, p, storage, nil, nil), newManager(t, p, storage, nil, nil)
	serveTLS(t, l, second) // the authority reaches the gateway that has not ordered
	if _, err := servedName(t, address); err == nil {
		t.Error("a handshake succeeded without a certificate")
	}
	if pause := first.round(t.Context()); pause != checkInterval || first.Expiry().Before(time.Now()) {
		t.Fatalf("after the order: pause %v, expiry %v", pause, first.Expiry())
	}
	pause := second.round(t.Context())
	if pause != checkInterval || !second.Expiry().Equal(first.Expiry()) || storage.issued != 1 {
		t.Errorf("the other gateway: pause %v, expiry %v, %d orders", pause, second.Expiry(), storage.issued)
	}
	if name, err := servedName(t, address); name != domain || err != nil {
		t.Errorf("the served certificate is for %q, %v", name, err)
	}
	// A third of the life is left: one of them renews, with the account of before.
	early := first.Expiry()
	for _, m := range []*Manager{first, second} {
		expiring := *m.current.Load()
		leaf := *expiring.Leaf
		leaf.NotBefore, leaf.NotAfter = time.Now().Add(-65*24*time.Hour), time.Now().Add(25*24*time.Hour)
		expiring.Leaf = &leaf
		m.current.Store(&expiring)
	}
	delete(storage.values, first.names.certificate)
	second.round(t.Context())
	first.round(t.Context())
	if storage.issued != 2 || first.Expiry().Before(early) || !first.Expiry().Equal(second.Expiry()) {
		t.Errorf("after the renewal: %d orders, expiry %v and %v", storage.issued, first.Expiry(), second.Expiry())
	}
	if orders, certificates := p.Counts(); orders != 2 || certificates != 2 {
		t.Errorf("the authority got %d orders and issued %d certificates, want 2 of each", orders, certificates)
	}
	for name, value := range storage.values {
		if bytes.Contains(value, []byte("{")) && bytes.Contains(value, []byte("chain")) {
			t.Errorf("%s is stored in clear text", name)
		}
	}
}

// If the authority cannot reach the TLS listener, HTTP-01 is tried.
func TestHTTPChallenge(t *testing.T) {
	t.Parallel()
	p, l := startPebble(t, false)
	m := newManager(t, p, newMemory(), nil, func(o *Options) { o.HTTPChallenges = true })
	serve(t, l, m)
	if pause := m.round(t.Context()); pause != checkInterval || m.Expiry().Before(time.Now()) {
		t.Errorf("pause %v, expiry %v", pause, m.Expiry())
	}
}

// An order that fails is logged with the authority's reason. After a refusal of the
// authority, nobody orders before the pause is over. If the authority is unreachable, the
// others try to reach it.
func TestFailedOrders(t *testing.T) {
	t.Parallel()
	p := acmetest.NewPebble(t, nowhere, nowhere)
	storage := newMemory()
	var log bytes.Buffer
	m := newManager(t, p, storage, slog.New(slog.NewTextHandler(&log, nil)), nil)
	pause := m.round(t.Context())
	if pause != firstUnreachablePause || !strings.Contains(log.String(), "certificate order failed") {
		t.Errorf("without the authority: pause %v, log %s", pause, &log)
	}
	if other := newManager(t, p, storage, nil, nil); other.round(t.Context()) != firstUnreachablePause {
		t.Error("another gateway did not try to reach the authority")
	}
	p.Start(t)
	log.Reset()
	m.failures, m.resume = 0, time.Time{}
	pause = m.round(t.Context())
	if pause != firstRefusedPause || !strings.Contains(log.String(), "urn:ietf:params:acme:error:") {
		t.Errorf("without a listener: pause %v, log %s", pause, &log)
	}
	if other := newManager(t, p, storage, nil, nil); other.round(t.Context()) != pollInterval {
		t.Error("another gateway did not respect the pause")
	}
	m.resume = time.Time{}
	storage.failed = errors.New("away")
	if pause := m.round(t.Context()); pause != pollInterval {
		t.Errorf("without the storage: pause %v", pause)
	}
}

func TestPauseAfter(t *testing.T) {
	now := time.Now()
	inThreeHours := now.Add(3 * time.Hour).UTC().Truncate(time.Second).Format(http.TimeFormat)
	problem := func(status int, after string) error {
		return &acme.Error{StatusCode: status, Header: http.Header{"Retry-After": {after}}}
	}
	for name, tt := range map[string]struct {
		err      error
		failures int
		want     time.Duration
	}{
		"unreachable":        {errors.New("x"), 1, 5 * time.Second},
		"unreachable long":   {errors.New("x"), 50, 5 * time.Minute},
		"refused":            {problem(403, ""), 1, 2 * time.Minute},
		"refused again":      {problem(403, ""), 3, 8 * time.Minute},
		"refused long":       {problem(403, ""), 1000, time.Hour},
		"not validated":      {&acme.AuthorizationError{}, 1, 2 * time.Minute},
		"rate limited":       {problem(429, "7200"), 1, 2 * time.Hour},
		"rate limited date":  {problem(429, inThreeHours), 1, 3 * time.Hour},
		"rate limited years": {problem(429, "999999999"), 1, 24 * time.Hour},
		"rate limited short": {problem(429, "1"), 1, 2 * time.Minute},
		"away for a while":   {problem(503, "60"), 1, time.Minute},
		"no time":            {problem(503, "soon"), 1, 5 * time.Second},
	} {
		if got := pauseAfter(tt.err, tt.failures, now); got > tt.want || got < tt.want-time.Second {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Challenges of other names, and odd tokens, reach no storage.
func TestChallengesOfOthers(t *testing.T) {
	t.Parallel()
	storage := newMemory()
	storage.failed = errors.New("must not be asked")
	m := newManager(t, acmetest.NewPebble(t, nowhere, nowhere), storage, nil, nil)
	hello := &tls.ClientHelloInfo{ServerName: "evil.example", SupportedProtos: []string{acme.ALPNProto}}
	if _, err := m.Certificate(hello); !errors.Is(err, errNoChallenge) {
		t.Errorf("another name: %v", err)
	}
	for _, token := range []string{"", "a b", "..", "a%2Fb", "é", strings.Repeat("x", maxToken+1)} {
		answer := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.URL.Path = "/.well-known/acme-challenge/" + token
		if m.ServeHTTP(answer, request); answer.Code != http.StatusNotFound {
			t.Errorf("%q: %d", token, answer.Code)
		}
	}
}

// A value can be opened under its own name only, and with the same secret only.
func TestSeal(t *testing.T) {
	one, err := newSealer(bytes.Repeat([]byte{1}, secretBytes))
	if err != nil {
		t.Fatal(err)
	}
	two, err := newSealer(bytes.Repeat([]byte{2}, secretBytes))
	if err != nil {
		t.Fatal(err)
	}
	sealed := one.seal("account:x", []byte("secret"))
	if got, err := one.open("account:x", sealed); string(got) != "secret" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	changed := slices.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another name":   func() ([]byte, error) { return one.open("account:y", sealed) },
		"another secret": func() ([]byte, error) { return two.open("account:x", sealed) },
		"changed":        func() ([]byte, error) { return one.open("account:x", changed) },
		"short":          func() ([]byte, error) { return one.open("account:x", sealed[:3]) },
	} {
		if _, err := open(); !errors.Is(err, errSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := newSealer([]byte("short")); err == nil {
		t.Error("a short secret was accepted")
	}
}
