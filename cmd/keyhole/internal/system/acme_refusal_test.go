//go:build system

package system

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"keyhole/cmd/keyhole/internal/acme/acmetest"
)

// If the authority cannot reach the listener with TLS, it validates by HTTP-01 over
// public.redirect_listen, at a gateway that may not have ordered. That listener redirects
// everything else.
func TestACMEByHTTP(t *testing.T) {
	t.Parallel()
	c := installCertified(t) // No gateway listens at c.tls.
	c.pebble.Start(t)
	second := c.launchAt(acmetest.FreeAddress(t), "0a", "KEYHOLE_PUBLIC_REDIRECT_LISTEN="+c.http)
	second.waitReady(t)
	first := c.launchAt(acmetest.FreeAddress(t), "0a", "KEYHOLE_PUBLIC_REDIRECT_LISTEN="+acmetest.FreeAddress(t))
	certificate(t, nil, first, second)
	link := share(t, first.instance)
	a := get(t, http.MethodGet, "http://"+c.http+strings.TrimPrefix(link.URL, "https://"+certifiedName))
	if a.status != http.StatusFound || a.location != link.URL {
		t.Errorf("a redirect: %d %q", a.status, a.location)
	}
	if a := get(t, http.MethodGet, "http://"+c.http+"/.well-known/acme-challenge/x"); a.status != http.StatusNotFound {
		t.Errorf("an unknown challenge: %d", a.status)
	}
	client := second.recipient(c.pebble.Issuers(t), false)
	defer client.CloseIdleConnections()
	if a, err := ask(t.Context(), client, http.MethodGet, link.URL, nil); err != nil || a.status != http.StatusFound {
		t.Errorf("a click: %d, %v", a.status, err)
	}
	if counted := clicks(t, first.instance, link.ID); counted != 1 {
		t.Errorf("%d clicks were counted, want 1", counted)
	}
	// The order by TLS-ALPN-01 failed, the one by HTTP-01 did not.
	if orders, certificates := c.pebble.Counts(); orders != 2 || certificates != 1 {
		t.Errorf("the authority got %d orders and issued %d certificates, want 2 and 1", orders, certificates)
	}
}

// A gateway that the authority limits says until when, and no gateway asks again before, not
// even one that was restarted. An operator ends the pause by deleting the lease.
func TestACMERateLimited(t *testing.T) {
	t.Parallel()
	c := installCertified(t)
	var limited atomic.Bool
	var refused atomic.Int64
	limited.Store(true)
	c.directory = c.pebble.StartProxy(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !limited.Load() || !strings.HasPrefix(r.URL.Path, "/order-plz") {
			return false
		}
		refused.Add(1)
		w.Header().Set("Retry-After", "3600")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates"}`)
		return true
	})
	c.pebble.Start(t)
	first := c.launchAt(c.tls, "0a")
	first.logs(t, "certificate order failed; TLS handshakes fail until a certificate is issued")
	first.logs(t, "too many certificates")
	first.logs(t, `"retry_in":"1h0m0s"`)
	first.orderFailed(t, 1)
	if err := first.process.terminate(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	restarted, second := c.launchAt(c.tls, "0a"), c.launchAt(acmetest.FreeAddress(t), "0a")
	for _, g := range []*certifiedGateway{restarted, second} {
		g.waitReady(t)
		eventually(t, "the gateway to look for a certificate", func() error {
			const series = `keyhole_redis_call_duration_seconds_count{call="acme",result="ok"}`
			if n, err := g.gauge(t, series); n < 7 || err != nil { // Three a second.
				return fmt.Errorf("%v calls, %w", n, err)
			}
			return nil
		})
	}
	if n := refused.Load(); n != 1 {
		t.Errorf("%d orders were refused, want 1", n)
	}
	limited.Store(false)
	lease := c.redis.MustDo(t, "KEYS", "keyhole:acme:lease:*")
	c.redis.MustDo(t, "DEL", strings.TrimSpace(lease))
	certificate(t, nil, restarted, second)
	if orders, certificates := c.pebble.Counts(); orders != 1 || certificates != 1 {
		t.Errorf("the authority got %d orders and issued %d certificates, want 1 of each", orders, certificates)
	}
}

// A gateway with another secret_file gets no certificate and says why. It does not keep the
// other gateway from renewing.
func TestACMEAnotherSecret(t *testing.T) {
	t.Parallel()
	c := installCertified(t)
	c.pebble.Life = shortLife
	c.pebble.Start(t)
	right := c.launchAt(c.tls, "0a")
	before := certificate(t, nil, right)
	wrong := c.launchAt(acmetest.FreeAddress(t), "0b")
	wrong.logs(t, "certificate not ordered: other gateways use another public.tls.acme.secret_file")
	wrong.logs(t, "is secret_file the same on all gateways?")
	wrong.orderFailed(t, 1)
	certificate(t, before, right)
	if _, err := wrong.leaf(t); err == nil {
		t.Error("the gateway with another secret has a certificate")
	}
	for _, g := range []*certifiedGateway{right, wrong} {
		for _, secret := range []string{strings.Repeat("0a", 32), strings.Repeat("0b", 32), "PRIVATE KEY"} {
			if strings.Contains(g.process.output.String(), secret) {
				t.Error("the log contains a secret")
			}
		}
	}
	if orders, certificates := c.pebble.Counts(); orders != 2 || certificates != 2 {
		t.Errorf("the authority got %d orders and issued %d certificates, want 2 of each", orders, certificates)
	}
}

// A gateway that starts with one more name shows the previous certificate, so that no click
// is lost, until the authority has issued one for all names.
func TestACMEOneMoreName(t *testing.T) {
	t.Parallel()
	c := installCertified(t)
	c.pebble.Start(t)
	g := c.launchAt(c.tls, "0a")
	before := certificate(t, nil, g)
	link := share(t, g.instance)
	if err := g.process.terminate(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	c.pebble.Stop()
	g = c.launchAt(c.tls, "0a", "KEYHOLE_PUBLIC_TLS_ACME_DOMAINS="+certifiedName+",files.example.com")
	g.waitReady(t)
	clicking := startRecipients(t, link.URL, nil, g)
	if shown := certificate(t, nil, g); !shown.Equal(before) {
		t.Error("the gateway shows another certificate before one was issued")
	}
	c.pebble.Start(t)
	after := certificate(t, before, g)
	if err := after.VerifyHostname("files.example.com"); err != nil {
		t.Error(err)
	}
	clicking.stop()
	if counted := clicks(t, g.instance, link.ID); counted != clicking.answered.Load() {
		t.Errorf("%d clicks were answered and %d counted", clicking.answered.Load(), counted)
	}
}
