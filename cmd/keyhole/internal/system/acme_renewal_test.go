//go:build system

package system

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A certificate is renewed while recipients, who check it, click at two gateways. No click
// is lost, new connections get the new certificate at last, and one order served both
// gateways.
func TestACMERenewalLosesNoClick(t *testing.T) {
	t.Parallel()
	c := installCertified(t)
	c.pebble.Life = 2 * shortLife // Recipients would refuse an expired certificate.
	c.pebble.Start(t)
	first, second := c.launchTwo()
	gateways := []*certifiedGateway{first, second}
	before := certificate(t, nil, gateways...)
	link := share(t, first.instance)
	clicking := startRecipients(t, link.URL, c.pebble.Issuers(t), gateways...)
	after := certificate(t, before, gateways...)
	// Recipients with new connections click with the new certificate too.
	enough := clicking.answered.Load() + 20
	eventually(t, "clicks after the renewal", func() error {
		if clicking.answered.Load() < enough && !t.Failed() {
			return errors.New("too few")
		}
		return nil
	})
	clicking.stop()
	answered := clicking.answered.Load()
	if counted := clicks(t, second.instance, link.ID); counted != answered || answered < 100 {
		t.Errorf("%d clicks were answered and %d counted", answered, counted)
	}
	for _, g := range gateways {
		const series = `keyhole_certificate_expiry_timestamp_seconds{listener="public"}`
		if at, err := g.gauge(t, series); at != float64(after.NotAfter.Unix()) || err != nil {
			t.Errorf("the metric says %v, %v; the certificate ends at %v", at, err, after.NotAfter)
		}
		if g.orderFailed(t, 0); strings.Contains(g.process.output.String(), "certificate order failed") {
			t.Error("an order failed")
		}
	}
	if orders, certificates := c.pebble.Counts(); orders != 2 || certificates != 2 {
		t.Errorf("the authority got %d orders and issued %d certificates, want 2 of each", orders, certificates)
	}
	t.Logf("%d clicks, renewed %v before the end", answered, before.NotAfter.Sub(after.NotBefore))
}

// While the authority is away when a certificate is due, both gateways keep the certificate
// and answer clicks. The metric shows it. When the authority is back, even as one that knows
// the account no more, the certificate is renewed.
func TestACMEAuthorityAwayAtRenewal(t *testing.T) {
	t.Parallel()
	c := installCertified(t)
	c.pebble.Life = shortLife
	c.pebble.Start(t)
	first, second := c.launchTwo()
	before := certificate(t, nil, first, second)
	link := share(t, first.instance)
	c.pebble.Stop()
	clicking := startRecipients(t, link.URL, nil, first, second)
	failed := first
	eventually(t, "an order to fail", func() error {
		for _, g := range []*certifiedGateway{first, second} {
			if strings.Contains(g.process.output.String(), "certificate order failed; keeping the previous certificate") {
				failed = g
				return nil
			}
		}
		return errors.New("none did")
	})
	failed.orderFailed(t, 1)
	if shown := certificate(t, nil, first, second); !shown.Equal(before) {
		t.Error("a gateway shows another certificate while the authority is away")
	}
	c.pebble.Life = time.Hour // The next certificate must not be due before the orders are counted.
	c.pebble.Start(t)
	certificate(t, before, first, second)
	clicking.stop()
	failed.orderFailed(t, 0)
	if counted := clicks(t, second.instance, link.ID); counted != clicking.answered.Load() {
		t.Errorf("%d clicks were answered and %d counted", clicking.answered.Load(), counted)
	}
	if orders, _ := c.pebble.Counts(); orders != 2 {
		t.Errorf("the authority got %d orders, want 2", orders)
	}
}

// While Redis is away when a certificate is due, handshakes succeed and clicks get 503,
// nothing is ordered, and the certificate is renewed when Redis is back.
func TestACMERedisAwayAtRenewal(t *testing.T) {
	t.Parallel()
	c := installCertified(t)
	c.pebble.Life = shortLife
	c.pebble.Start(t)
	first, second := c.launchTwo()
	before := certificate(t, nil, first, second)
	link := share(t, first.instance)
	c.redis.Kill(t)
	client := second.recipient(nil, false)
	defer client.CloseIdleConnections()
	eventually(t, "the certificate to be due", func() error {
		a, err := ask(t.Context(), client, http.MethodGet, link.URL, nil)
		if err != nil || a.status != http.StatusServiceUnavailable {
			return fatal{fmt.Errorf("a click without Redis: %d, %w", a.status, err)}
		}
		// The gateways look at the latest a second after two thirds and a thirtieth of the life.
		if due := before.NotBefore.Add(shortLife*7/10 + time.Second); time.Now().Before(due) {
			return errors.New("not yet")
		}
		return nil
	})
	if shown := certificate(t, nil, first, second); !shown.Equal(before) {
		t.Error("a gateway shows another certificate while Redis is away")
	}
	for _, g := range []*certifiedGateway{first, second} {
		g.logs(t, "the shared certificate cannot be read")
	}
	c.redis.Start(t)
	certificate(t, before, first, second)
	if a, err := ask(t.Context(), client, http.MethodGet, link.URL, nil); err != nil || a.status != http.StatusFound {
		t.Errorf("a click after the outage: %d, %v", a.status, err)
	}
	for _, g := range []*certifiedGateway{first, second} {
		g.orderFailed(t, 0)
	}
	if orders, certificates := c.pebble.Counts(); orders != 2 || certificates != 2 {
		t.Errorf("the authority got %d orders and issued %d certificates, want 2 of each", orders, certificates)
	}
}
