//go:build system

package system

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/acme/acmetest"
)

// certifiedName is the name in the certificates of these tests.
const certifiedName = "dl.example.com"

// shortLife is the life of certificates that a test waits to be renewed: after 10 s.
const shortLife = 15 * time.Second

// certified is an installation whose gateways get their certificate from pebble.
type certified struct {
	*installation
	pebble    *acmetest.Pebble
	directory string // of the authority, or of a proxy in front of it
	tls, http string // where pebble validates
}

// installCertified makes an installation with a link to share, and an authority that is not
// running.
func installCertified(t *testing.T) *certified {
	t.Helper()
	c := &certified{
		installation: install(t, "appendfsync always"),
		tls:          acmetest.FreeAddress(t), http: acmetest.FreeAddress(t),
	}
	c.pebble = acmetest.NewPebble(t, c.tls, c.http)
	c.directory = c.pebble.DirectoryURL
	c.put(t, "file.txt", []byte("content"))
	return c
}

// certifiedGateway is a gateway with TLS. Its operator listener has none.
type certifiedGateway struct {
	*instance
	address string // for recipients
}

// launchAt starts a gateway, whose secret_file consists of one repeated byte, in hexadecimal.
func (c *certified) launchAt(address, secret string, env ...string) *certifiedGateway {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(strings.Repeat(secret, 32)+"\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	env = append([]string{
		"SSL_CERT_FILE=" + c.pebble.CAFile, "KEYHOLE_PUBLIC_LISTEN=" + address,
		"KEYHOLE_PUBLIC_URL=https://" + certifiedName,
		"KEYHOLE_PUBLIC_TLS_ACME_DOMAINS=" + certifiedName, "KEYHOLE_PUBLIC_TLS_ACME_ACCEPT_TERMS=true",
		"KEYHOLE_PUBLIC_TLS_ACME_DIRECTORY_URL=" + c.directory, "KEYHOLE_PUBLIC_TLS_ACME_SECRET_FILE=" + file,
	}, env...)
	return &certifiedGateway{c.launch(env...), address}
}

// launchTwo starts two gateways. pebble validates at the first, which therefore listens
// before the other may order.
func (c *certified) launchTwo() (first, second *certifiedGateway) {
	c.t.Helper()
	first = c.launchAt(c.tls, "0a")
	first.waitReady(c.t)
	return first, c.launchAt(acmetest.FreeAddress(c.t), "0a")
}

// recipient returns a client of recipients, whose connections lead to the gateway. Without
// roots it accepts every certificate, also an expired one.
func (g *certifiedGateway) recipient(roots *x509.CertPool, keepAlive bool) *http.Client {
	c := unfollowed()
	c.Transport = &http.Transport{
		DisableKeepAlives: !keepAlive, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{RootCAs: roots, InsecureSkipVerify: roots == nil},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, g.address)
		},
	}
	return c
}

// leaf returns the certificate that the gateway shows to a new connection.
func (g *certifiedGateway) leaf(t *testing.T) (*x509.Certificate, error) {
	t.Helper()
	dialer := &tls.Dialer{Config: &tls.Config{ServerName: certifiedName, InsecureSkipVerify: true}}
	c, err := dialer.DialContext(t.Context(), "tcp", g.address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// certificate waits until all gateways show the same certificate, other than before.
func certificate(t *testing.T, before *x509.Certificate, gateways ...*certifiedGateway) *x509.Certificate {
	t.Helper()
	var shown *x509.Certificate
	eventually(t, "the gateways to show one new certificate", func() error {
		shown = nil
		for _, g := range gateways {
			leaf, err := g.leaf(t)
			switch {
			case err != nil:
				return errors.Join(err, g.process.exited())
			case before != nil && leaf.Equal(before):
				return errors.New("it is the certificate of before")
			case shown != nil && !leaf.Equal(shown):
				return errors.New("they show different certificates")
			}
			shown = leaf
		}
		return nil
	})
	return shown
}

// logs waits until the log of a gateway contains a text.
func (g *certifiedGateway) logs(t *testing.T, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the log to say %q", text), func() error {
		if !strings.Contains(g.process.output.String(), text) {
			return errors.New("it does not")
		}
		return g.process.exited()
	})
}

// orderFailed waits until the metric of failed orders has a value.
func (g *certifiedGateway) orderFailed(t *testing.T, want float64) {
	t.Helper()
	eventually(t, fmt.Sprintf("keyhole_certificate_order_failed to be %v", want), func() error {
		if got, err := g.gauge(t, "keyhole_certificate_order_failed"); got != want || err != nil {
			return fmt.Errorf("%v, %w", got, err)
		}
		return nil
	})
}

// recipients click a link at gateways, over kept and new connections, until they are told
// to stop.
type recipients struct {
	answered atomic.Int64
	end      context.CancelFunc
	clicking sync.WaitGroup
}

// startRecipients returns when each recipient has clicked.
func startRecipients(t *testing.T, url string, roots *x509.CertPool, gateways ...*certifiedGateway) *recipients {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &recipients{end: cancel}
	t.Cleanup(r.stop)
	var begun sync.WaitGroup
	for _, g := range gateways {
		for _, keepAlive := range []bool{true, false} {
			begun.Add(1)
			first := sync.OnceFunc(begun.Done)
			r.clicking.Go(func() {
				defer first()
				client := g.recipient(roots, keepAlive)
				defer client.CloseIdleConnections()
				pace := time.NewTicker(20 * time.Millisecond)
				defer pace.Stop()
				for ctx.Err() == nil {
					// A click that has begun is always finished.
					a, err := ask(context.WithoutCancel(ctx), client, http.MethodGet, url, nil)
					if err != nil || a.status != http.StatusFound {
						t.Errorf("a lost click, keep-alive %v: %d, %v", keepAlive, a.status, err)
						return
					}
					r.answered.Add(1)
					first()
					<-pace.C
				}
			})
		}
	}
	begun.Wait()
	return r
}

// stop waits for the clicks that have begun.
func (r *recipients) stop() {
	r.end()
	r.clicking.Wait()
}
