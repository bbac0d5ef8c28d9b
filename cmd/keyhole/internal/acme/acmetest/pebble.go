// Package acmetest starts Pebble, the certificate authority that Let's Encrypt wrote for
// tests, with real challenges.
package acmetest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Pebble is a certificate authority on loopback. It issues certificates from a root that
// it makes at its start, so they are worth nothing outside of tests.
type Pebble struct {
	// DirectoryURL is the directory of the authority (RFC 8555 section 7.1.1).
	DirectoryURL string
	CAFile       string         // of the authority's own listener, PEM
	Roots        *x509.CertPool // the same
	// Life is how long the certificates are valid, in whole seconds; 0: years. Set it before
	// Start.
	Life time.Duration

	settings  map[string]any
	config    string        // file
	keyFile   string        // of the authority's own listener, PEM
	env       []string      // of both processes
	output    *bytes.Buffer // of pebble; read it after Stop only
	processes []*exec.Cmd
}

// NewPebble returns an authority that is not running. It validates challenges at the ports
// of the given addresses, and takes more variables such as PEBBLE_VA_ALWAYS_VALID=1.
func NewPebble(tb testing.TB, tlsAddress, httpAddress string, env ...string) *Pebble {
	tb.Helper()
	dir := tb.TempDir()
	p := &Pebble{
		CAFile: filepath.Join(dir, "ca.pem"), Roots: x509.NewCertPool(), output: &bytes.Buffer{},
		config: filepath.Join(dir, "pebble.json"),
	}
	// Without NOSLEEP, each validation begins after up to 15 s. NONCEREJECT refuses every
	// fifth nonce, as RFC 8555 section 6.5 allows, so that tests show the repeated request.
	p.env = append(append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20"), env...)
	p.keyFile = filepath.Join(dir, "key.pem")
	p.makeCertificate(tb, p.keyFile)
	listen := FreeAddress(tb)
	p.DirectoryURL = "https://" + listen + "/dir"
	p.settings = map[string]any{
		"listenAddress": listen, "managementListenAddress": FreeAddress(tb), "certificate": p.CAFile,
		"privateKey": p.keyFile, "httpPort": port(tb, httpAddress), "tlsPort": port(tb, tlsAddress),
	}
	return p
}

// Start runs the authority until the test ends, and waits until it answers.
func (p *Pebble) Start(tb testing.TB) {
	tb.Helper()
	if p.Life > 0 {
		p.settings["certificateValidityPeriod"] = int(p.Life / time.Second)
	}
	text, err := json.Marshal(map[string]any{"pebble": p.settings})
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(p.config, text, 0o600); err != nil {
		tb.Fatal(err)
	}
	// The authority resolves every name to loopback.
	names := FreeAddress(tb)
	p.run(tb, "pebble-challtestsrv", "-dns01", names, "-http01", "", "-https01", "", "-tlsalpn01", "",
		"-management", FreeAddress(tb), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "")
	p.run(tb, "pebble", "-config", p.config, "-dnsserver", names)
	tb.Cleanup(p.Stop)
	client := p.Client()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		response, err := client.Get(p.DirectoryURL) //nolint:noctx // The client has a time limit.
		if err == nil {
			_ = response.Body.Close()
			return
		}
		if time.Since(begun) > 20*time.Second {
			tb.Fatal("pebble does not answer:", err)
		}
	}
}

// Issuers returns the root of the certificates that the running authority issues.
func (p *Pebble) Issuers(tb testing.TB) *x509.CertPool {
	tb.Helper()
	response, err := p.Client().Get( //nolint:noctx // The client has a time limit.
		fmt.Sprintf("https://%s/roots/0", p.settings["managementListenAddress"]))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		tb.Fatalf("pebble's root: %s", text)
	}
	return roots
}

// StartProxy starts a proxy in front of the authority and returns the directory behind it.
// intercept may answer a request instead of the authority; it then returns true.
func (p *Pebble) StartProxy(tb testing.TB, intercept func(http.ResponseWriter, *http.Request) bool) string {
	tb.Helper()
	upstream, err := url.Parse(p.DirectoryURL)
	if err != nil {
		tb.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(p.CAFile, p.keyFile)
	if err != nil {
		tb.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Transport: p.Client().Transport,
		// Host stays that of the proxy: the authority builds its URLs from it, and requests
		// sign them.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = upstream.Scheme, upstream.Host, r.In.Host
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), // The authority may be stopped.
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !intercept(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	tb.Cleanup(server.Close)
	return server.URL + upstream.Path
}

// run starts one process of the authority.
func (p *Pebble) run(tb testing.TB, program string, args ...string) {
	tb.Helper()
	process := exec.Command(program, args...) //nolint:gosec,noctx // Stop ends it.
	process.Env = p.env
	if program == "pebble" { // A process with its own buffer writes from one goroutine.
		process.Stdout, process.Stderr = p.output, p.output
	}
	if err := process.Start(); err != nil {
		tb.Fatalf("start %s (Debian's package pebble): %v", program, err)
	}
	p.processes = append(p.processes, process)
}

// Counts returns how many orders the authority got and how many certificates it has issued.
// It stops the authority, because the numbers come from its log.
func (p *Pebble) Counts() (orders, certificates int) {
	p.Stop()
	log := p.output.Bytes()
	return bytes.Count(log, []byte("Added order")), bytes.Count(log, []byte("Issued certificate serial"))
}

// Stop ends the authority. A later Start is a new authority: it knows no account and no
// order of before, as after a restart of Pebble.
func (p *Pebble) Stop() {
	for _, process := range p.processes {
		// Nothing that the authority holds must survive, so it need not end by itself.
		_ = process.Process.Kill() // fails if it has ended
		_ = process.Wait()         // It was killed.
	}
	p.processes = nil
}

// Client returns a client that trusts the authority's listener.
func (p *Pebble) Client() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.Roots, MinVersion: tls.VersionTLS12},
	}}
}

// makeCertificate makes the certificate of the authority's own listener, and its key. The
// service under test gets the certificate by SSL_CERT_FILE: crypto/tls trusts the
// certificates of that file instead of the system's.
func (p *Pebble) makeCertificate(tb testing.TB, keyFile string) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		p.CAFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	p.Roots.AddCert(certificate)
}

// FreeAddress returns an address on loopback that nobody listens on. Another process could
// take the port before the caller does; the kernel chooses ports in a way that makes this
// unlikely.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It does not wait.
	if err != nil {
		tb.Fatal(err)
	}
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return l.Addr().String()
}

// port returns the port of an address.
func port(tb testing.TB, address string) int {
	tb.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		tb.Fatal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}
