package doctor

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/httpapi"
)

// clearCursors seals without encryption.
type clearCursors struct{ installation string }

// SealCursor implements gateway.Cursors.
func (c clearCursors) SealCursor(_ context.Context, query, position string) (string, error) {
	return base64.RawURLEncoding.EncodeToString([]byte(c.installation + query + "\n" + position)), nil
}

// OpenCursor implements gateway.Cursors.
func (c clearCursors) OpenCursor(_ context.Context, query, cursor string) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	position, ok := strings.CutPrefix(string(text), c.installation+query+"\n")
	if err != nil || !ok {
		return "", gateway.ErrCursor
	}
	return position, nil
}

// startKeyhole starts the public listener of a service, and returns its address. The proxies
// of the tests connect from loopback; trusted says whether they are trusted.
func startKeyhole(t *testing.T, trusted bool) string {
	t.Helper()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	if trusted {
		proxies = append(proxies, netip.MustParsePrefix("127.0.0.0/8"))
	}
	a, err := httpapi.New(httpapi.Options{
		Cursors: clearCursors{"this"}, TrustedProxies: proxies, FormatAddress: netip.Addr.String,
		Metrics: httpapi.NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.Public())
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// longTimeout is how long an answer may take in these tests, for a busy machine.
const longTimeout = time.Minute

// newPublicExam returns an exam of a public.url.
func newPublicExam(address, listen string) *publicExam {
	return &publicExam{
		x: &examination{}, cursors: clearCursors{"this"}, client: recipient(nil, longTimeout),
		config: &config.Public{URL: address, Listen: listen},
	}
}

// wantFindings compares what was found: "level check: text of the message", in order.
func wantFindings(t *testing.T, x *examination, want ...string) {
	t.Helper()
	if len(x.findings) != len(want) {
		t.Errorf("found %+v, want %q", x.findings, want)
		return
	}
	for i, f := range x.findings {
		begin, text, _ := strings.Cut(want[i], ": ")
		if f.Subject != publicSubject || f.Level+" "+f.Check != begin || !strings.Contains(f.Message, text) ||
			(f.Do == "") != (f.Level == levelOK) {
			t.Errorf("found %+v, want %q", f, want[i])
		}
	}
}

// Without a proxy everything is right, also if X-Forwarded-For of anybody is ignored.
func TestPublicDirect(t *testing.T) {
	t.Parallel()
	for _, trusted := range []bool{false, true} {
		listen := startKeyhole(t, trusted)
		e := newPublicExam("http://"+listen, listen)
		e.examine(t.Context())
		wantFindings(t, e.x, "ok reachable: responds", "ok proxy: without a proxy, from 127.0.0.1",
			"ok answers: unchanged", "ok location: 9866 bytes")
	}
}

// Each mistake of a proxy is found, and named.
func TestPublicProxies(t *testing.T) {
	t.Parallel()
	const reachable, unchanged, long = "ok reachable: responds", "ok answers: unchanged", "ok location: 9866"
	for name, tt := range map[string]struct {
		front   *front
		trusted bool
		want    []string
	}{
		"appends": {
			&front{}, true,
			[]string{reachable, "ok proxy: trusted proxy 127.0.0.1, from 127.0.0.1", unchanged, long},
		},
		"replaces": {
			&front{forwarded: "198.51.100.9"},
			true,
			[]string{reachable, "ok proxy: from 198.51.100.9", unchanged, long},
		},
		"is not trusted": {
			&front{}, false,
			[]string{reachable, "failure proxy: 127.0.0.1 is not trusted", unchanged, long},
		},
		"passes on": {
			&front{forwarded: forgedAddress},
			true,
			[]string{reachable, "failure proxy: everyone can choose", unchanged, long},
		},
		"removes": {
			&front{forwarded: "-"},
			true,
			[]string{reachable, "failure proxy: sends no X-Forwarded-For", unchanged, long},
		},
		"forwards bytes only": {
			&front{forwarded: forgedAddress},
			false,
			[]string{reachable, "ok proxy: nothing adds", unchanged, long},
		},
		"ends TLS and is silent": {
			&front{forwarded: "-", tls: true},
			false,
			[]string{
				reachable, "ok certificate: valid until", "failure proxy: sends no X-Forwarded-For", unchanged,
				long,
			},
		},
		"caches": {
			&front{cache: true},
			true,
			[]string{reachable, "ok proxy: from", "failure answers: from a cache", "failure location: 9866 bytes"},
		},
		"turns HEAD into GET": {
			&front{headIsGet: true},
			true,
			[]string{reachable, "ok proxy: from", "failure answers: turns HEAD into GET", long},
		},
		"has its own pages": {
			&front{page: "<h1>Not found</h1>"},
			true,
			[]string{reachable, "ok proxy: from", "warning answers: replaces the pages of Keyhole: status 404", long},
		},
		"small buffers": {
			&front{maxHeader: 4096},
			true,
			[]string{reachable, "ok proxy: from", unchanged, "failure location: does not arrive (status 502)"},
		},
		"removes the header": {
			&front{withoutProbe: true},
			true,
			[]string{reachable, "warning proxy: not the doctor's probe"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen := startKeyhole(t, tt.trusted)
			server := tt.front.start(t, listen)
			e := newPublicExam(server.URL, listen)
			if tt.front.tls {
				e.client = recipient(rootsOf(server), longTimeout)
			}
			e.examine(t.Context())
			wantFindings(t, e.x, tt.want...)
		})
	}
}

// What does not lead to Keyhole is told apart: a service that does not run is no failure.
func TestPublicUnreachable(t *testing.T) {
	t.Parallel()
	const nowhere = "127.0.0.1:1"
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("welcome"))
	}))
	t.Cleanup(other.Close)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }))
	t.Cleanup(broken.Close)
	listen := startKeyhole(t, false)
	_, port, _ := net.SplitHostPort(listen)
	for name, tt := range map[string]struct{ url, listen, want string }{
		"nothing runs":         {"http://" + nowhere, nowhere, "warning reachable: the service does not run"},
		"no address":           {"http://" + nowhere, "x", "warning reachable: the service does not run"},
		"only public.url":      {"http://" + nowhere, listen, "failure reachable: from here: connection refused"},
		"on every interface":   {"http://" + nowhere, ":" + port, "failure reachable: is unreachable"},
		"another service":      {other.URL, listen, "failure reachable: answers 200 with a page that is not Keyhole's"},
		"the proxy only":       {broken.URL, nowhere, "warning reachable: the service does not run"},
		"the proxy is wrong":   {broken.URL, listen, "failure reachable: answers 502: the proxy does not reach Keyhole"},
		"no name in the world": {"http://name.invalid", listen, "failure reachable: is unreachable"},
	} {
		e := newPublicExam(tt.url, tt.listen)
		e.examine(t.Context())
		if len(e.x.findings) != 1 {
			t.Errorf("%s: %+v", name, e.x.findings)
		}
		wantFindings(t, e.x, tt.want)
	}
}

// A gateway of another installation is a Keyhole too, but says nothing to this doctor.
func TestPublicOfAnotherInstallation(t *testing.T) {
	t.Parallel()
	listen := startKeyhole(t, false)
	for _, cursors := range []gateway.Cursors{clearCursors{"other"}, nil} {
		e := newPublicExam("http://"+listen, listen)
		e.cursors = cursors
		e.examine(t.Context())
		want := "warning proxy: not the doctor's probe"
		if cursors == nil {
			want = "warning proxy: cannot read in Redis how"
		}
		wantFindings(t, e.x, "ok reachable: responds", want)
	}
}

// certify returns a server certificate for a name that is valid for some time from now.
func certify(t *testing.T, name string, life time.Duration) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(life),
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed}
}

// The certificate is judged as recipients' browsers do.
func TestPublicCertificate(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	end := time.Now().Add(90 * day).UTC().Format(time.DateOnly)
	for name, tt := range map[string]struct {
		host    string
		life    time.Duration
		trusted bool
		want    string
		do      string
	}{
		"right":     {"127.0.0.1", 90 * day, true, "ok certificate: valid until " + end, ""},
		"soon":      {"127.0.0.1", 13 * day, true, "warning certificate: expires in 13d", "renew it"},
		"expired":   {"127.0.0.1", -time.Hour, true, "failure certificate: has expired", "renew the certificate"},
		"name":      {"other.example", 90 * day, true, "failure certificate: 127.0.0.1", "host of public.url"},
		"authority": {"127.0.0.1", 90 * day, false, "failure certificate: unknown authority", "SSL_CERT_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certificate := certify(t, tt.host, tt.life)
			listen := startKeyhole(t, true)
			server := (&front{tls: true, certificate: &certificate}).start(t, listen)
			e := newPublicExam(server.URL, listen)
			roots := x509.NewCertPool()
			if tt.trusted {
				roots.AddCert(certificate.Leaf)
			}
			e.client = recipient(roots, longTimeout)
			e.examine(t.Context())
			found := *e.x
			found.findings = found.findings[:min(2, len(found.findings))]
			wantFindings(t, &found, "ok reachable: responds", tt.want)
			if do := found.findings[len(found.findings)-1].Do; !strings.Contains(do, tt.do) {
				t.Errorf("the advice is %q", do)
			}
			if failed := strings.HasPrefix(tt.want, "failure"); failed != (len(e.x.findings) == 2) {
				t.Errorf("found %+v", e.x.findings)
			}
		})
	}
}

// Plain http leads to public.url, or is closed.
func TestPublicRedirect(t *testing.T) {
	t.Parallel()
	listen := startKeyhole(t, false)
	for name, tt := range map[string]struct {
		status int
		to     string
		want   string
	}{
		"right":        {302, "https://links.example.com", "ok redirect: to https"},
		"temporary":    {307, "https://links.example.com", "ok redirect: to https"},
		"kept":         {301, "https://links.example.com", "warning redirect: with 301"},
		"elsewhere":    {302, "https://other.example.com", "warning redirect: another address: https://other.example.com"},
		"the same":     {200, "", "warning redirect: not redirected: status 200"},
		"like a link":  {404, "", "warning redirect: not redirected: status 404"},
		"not answered": {0, "", "ok redirect: nothing answers"},
	} {
		e := newPublicExam("https://links.example.com", listen)
		e.plain = "http://127.0.0.1:1"
		if tt.status != 0 {
			plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.to != "" {
					w.Header().Set("Location", tt.to+r.URL.Path)
				}
				w.WriteHeader(tt.status)
			}))
			t.Cleanup(plain.Close)
			e.plain = plain.URL
		}
		e.redirect(t.Context(), "/x")
		if len(e.x.findings) != 1 {
			t.Errorf("%s: %+v", name, e.x.findings)
		}
		wantFindings(t, e.x, tt.want)
	}
}

// Links over plain http on the network are a warning; on this machine they are not.
func TestPublicClearText(t *testing.T) {
	t.Parallel()
	e := newPublicExam("http://links.example.com", "")
	e.certificate(&publicAnswer{})
	wantFindings(t, e.x, "warning certificate: anyone on the network path")
}
