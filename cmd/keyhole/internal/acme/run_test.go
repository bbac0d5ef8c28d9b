package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keyhole/gateway/logtest"
)

const day = 24 * time.Hour

func newLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// run runs gateways under the fake clock. The returned function stops them.
func run(t *testing.T, gateways ...*Manager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, m := range gateways {
		running.Go(func() { m.Run(ctx) })
	}
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// wait lets the fake clock advance.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// fail makes every call of a Storage fail, nil: none.
func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = err
}

// replace changes the value whose name begins with prefix.
func (m *memory) replace(t *testing.T, prefix string, change func([]byte) []byte) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, value := range m.values {
		if strings.HasPrefix(name, prefix) {
			m.values[name] = change(bytes.Clone(value))
			return
		}
	}
	t.Fatalf("the storage has no %s", prefix)
}

// Two gateways renew at two thirds of a certificate's life, with one order and one account,
// and never show an expired certificate.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 6*day), newMemory()
		first, second := ca.gateway(storage, t.Output(), nil), ca.gateway(storage, t.Output(), nil)
		ca.set(func() { ca.validate = askOver(second) })
		run(t, first, second)
		wait(2 * time.Minute)
		for hours := range 11 * 24 {
			for _, m := range []*Manager{first, second} {
				if !m.Expiry().After(time.Now()) {
					t.Fatalf("after %d hours the certificate ends at %v", hours, m.Expiry())
				}
			}
			wait(time.Hour)
		}
		_, orders, issued := ca.numbers()
		if orders != 3 || issued != 3 || storage.issued != 3 || len(ca.accounts) != 1 {
			t.Errorf("%d orders, %d certificates, %d accounts; want 3, 3, 1", orders, issued, len(ca.accounts))
		}
		for i, leaf := range ca.issued[1:] {
			age := leaf.NotBefore.Sub(ca.issued[i].NotBefore)
			if age < 4*day || age > 4*day+6*day/30+2*time.Minute {
				t.Errorf("renewal %d after %v", i+1, age)
			}
		}
	})
}

// If the authority is away when a certificate is due, the gateways keep it, and renew it
// within minutes after the authority is back.
func TestAuthorityAwayAtRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 6*day), newMemory()
		m := ca.gateway(storage, io.Discard, nil)
		run(t, m)
		wait(3 * day)
		before := m.Expiry()
		ca.set(func() { ca.refuse = func(string) *problem { return &problem{} } })
		wait(2 * day)
		if !m.Expiry().Equal(before) {
			t.Errorf("the certificate changed from %v to %v", before, m.Expiry())
		}
		ca.set(func() { ca.refuse = nil })
		if wait(maxUnreachablePause + time.Minute); m.Expiry().Sub(before) < 4*day {
			t.Errorf("the certificate was not renewed: it ends at %v", m.Expiry())
		}
	})
}

// If the authority is away at the start, handshakes fail, the authority is asked ever less
// often, and the log says why.
func TestAuthorityAwayAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage, log := newAuthority(t, 90*day), newMemory(), &logtest.Buffer{}
		ca.refuse = func(string) *problem { return &problem{} }
		first, second := ca.gateway(storage, log, nil), ca.gateway(storage, log, nil)
		run(t, first, second)
		wait(time.Hour)
		if _, err := first.Certificate(&tls.ClientHelloInfo{ServerName: domain}); !errors.Is(err, errNoCertificate) {
			t.Errorf("a handshake without a certificate: %v", err)
		}
		requests, _, _ := ca.numbers()
		if requests < 10 || requests > 40 {
			t.Errorf("%d requests in an hour", requests)
		}
		if log.Count("connection refused") == 0 || log.Count("has_certificate=false") == 0 {
			t.Error("the log does not say why there is no certificate")
		}
		ca.set(func() { ca.refuse = nil })
		wait(maxUnreachablePause + time.Minute)
		_, orders, _ := ca.numbers()
		if orders != 1 || first.Expiry().IsZero() || !first.Expiry().Equal(second.Expiry()) {
			t.Errorf("%d orders; expiries %v and %v", orders, first.Expiry(), second.Expiry())
		}
	})
}

// No gateway asks the authority again before the time of Retry-After is over.
func TestRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 90*day), newMemory()
		ca.refuse = func(path string) *problem {
			if path == "/neworder" {
				return &problem{http.StatusTooManyRequests, "rateLimited", "7200"}
			}
			return nil
		}
		first, second := ca.gateway(storage, t.Output(), nil), ca.gateway(storage, t.Output(), nil)
		run(t, first, second)
		wait(time.Minute)
		before, _, _ := ca.numbers()
		ca.set(func() { ca.refuse = nil })
		wait(118 * time.Minute)
		if after, orders, _ := ca.numbers(); after != before || orders != 0 {
			t.Errorf("%d requests and %d orders during the pause", after-before, orders)
		}
		wait(3 * time.Minute)
		if _, orders, issued := ca.numbers(); orders != 1 || issued != 1 || second.Expiry().IsZero() {
			t.Errorf("after the pause: %d orders, %d certificates", orders, issued)
		}
	})
}

// The lease of a gateway that crashed during an order ends after a minute.
func TestCrashedHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 90*day), newMemory()
		m := ca.gateway(storage, t.Output(), nil)
		if held, err := storage.TakeACMELease(t.Context(), m.names.lease, "crashed", leaseLife); !held || err != nil {
			t.Fatal(held, err)
		}
		run(t, m)
		wait(leaseLife - time.Second)
		if requests, _, _ := ca.numbers(); requests != 0 {
			t.Errorf("%d requests while another gateway holds the lease", requests)
		}
		if wait(3 * time.Second); m.Expiry().IsZero() {
			t.Error("no certificate after the end of the lease")
		}
	})
}

// A gateway that stops gives its lease back, so that another one can order at once.
func TestStopEndsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 90*day), newMemory()
		ca.refuse = func(string) *problem { return &problem{http.StatusForbidden, "unauthorized", ""} }
		first, second := ca.gateway(storage, t.Output(), nil), ca.gateway(storage, t.Output(), nil)
		stop := run(t, first)
		wait(time.Second)
		ca.set(func() { ca.refuse = nil })
		stop()
		run(t, second)
		if wait(2 * time.Second); second.Expiry().IsZero() {
			t.Error("the other gateway did not order")
		}
	})
}

// A gateway extends its lease during a long order. If it lost the lease nevertheless, it
// gives the order up.
func TestLeaseDuringOrder(t *testing.T) {
	for name, lost := range map[string]bool{"kept": false, "lost": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, storage := newAuthority(t, 90*day), newMemory()
				first, second := ca.gateway(storage, t.Output(), nil), ca.gateway(storage, t.Output(), nil)
				ca.validate = func(_, _, _ string) error {
					if lost {
						storage.mu.Lock()
						storage.leases[first.names.lease] = lease{"a third gateway", time.Now().Add(day)}
						storage.mu.Unlock()
					}
					time.Sleep(2 * leaseLife)
					return nil
				}
				run(t, first)
				wait(time.Second)
				run(t, second)
				wait(2*leaseLife + time.Minute)
				_, orders, issued := ca.numbers()
				if want := map[bool]int{false: 1, true: 0}[lost]; orders != 1 || issued != want {
					t.Errorf("%d orders, %d certificates, want 1, %d", orders, issued, want)
				}
			})
		})
	}
}
