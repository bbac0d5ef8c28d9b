package acme

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyhole/gateway/logtest"
)

// A certificate for another key or without one of the names is not used, and the next order
// waits as after a refusal.
func TestUnfitCertificate(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, issue := range map[string]func(*x509.Certificate) any{
		"another key":    func(*x509.Certificate) any { return other.Public() },
		"another name":   func(c *x509.Certificate) any { c.DNSNames = []string{"evil.example"}; return nil },
		"a name missing": func(c *x509.Certificate) any { c.DNSNames = c.DNSNames[:1]; return nil },
		"no name":        func(c *x509.Certificate) any { c.DNSNames = nil; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, storage, log := newAuthority(t, 6*time.Hour), newMemory(), &logtest.Buffer{}
				m := ca.gateway(storage, log, func(o *Options) { o.Domains = []string{domain, "files.example.com"} })
				run(t, m)
				wait(time.Minute)
				before := m.Expiry()
				ca.set(func() { ca.issue = issue })
				wait(5 * time.Hour)
				if before.IsZero() || !m.Expiry().Equal(before) || storage.issued != 1 {
					t.Errorf("expiry %v, %v before; %d certificates stored", m.Expiry(), before, storage.issued)
				}
				if log.Count("does not fit the order") == 0 || !m.Failing() {
					t.Error("the log does not say that the certificate does not fit")
				}
				if _, orders, _ := ca.numbers(); orders > 7 {
					t.Errorf("%d orders within the last third of the life", orders)
				}
			})
		})
	}
}

// An order that the authority ends as invalid is repeated as rarely as a refused one.
func TestInvalidOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t, 90*day)
		ca.finalize = "invalid"
		m := ca.gateway(newMemory(), t.Output(), nil)
		run(t, m)
		wait(time.Hour)
		if _, orders, _ := ca.numbers(); orders < 3 || orders > 6 || !m.Expiry().IsZero() {
			t.Errorf("%d orders in an hour, expiry %v", orders, m.Expiry())
		}
	})
}

// If the clock is ahead, each new certificate is already due. The gateways must not order
// one after the other.
func TestClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage, log := newAuthority(t, 90*day), newMemory(), &logtest.Buffer{}
		ca.issue = func(c *x509.Certificate) any {
			c.NotBefore, c.NotAfter = c.NotBefore.Add(-70*day), c.NotAfter.Add(-70*day)
			return nil
		}
		first, second := ca.gateway(storage, log, nil), ca.gateway(storage, t.Output(), nil)
		run(t, first, second)
		wait(day)
		if _, orders, _ := ca.numbers(); orders < 2 || orders > 40 {
			t.Errorf("%d orders in a day", orders)
		}
		if first.Expiry().IsZero() || log.Count("check the clock of this machine") == 0 {
			t.Errorf("expiry %v; the log does not name the clock", first.Expiry())
		}
	})
}

// If the authority shortens the life of its certificates, the new one ends before the old
// one. All gateways use it nevertheless, after one order.
func TestShorterLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 3*day), newMemory()
		first, second := ca.gateway(storage, t.Output(), nil), ca.gateway(storage, t.Output(), nil)
		first.spread, second.spread = 0, 0.5
		run(t, first, second)
		wait(time.Minute)
		ca.set(func() { ca.life = day / 2 })
		wait(2*day + 3*time.Hour)
		_, orders, _ := ca.numbers()
		if orders != 2 || !first.Expiry().Equal(second.Expiry()) || !first.leaf().Equal(ca.issued[1]) {
			t.Errorf("%d orders; expiries %v and %v", orders, first.Expiry(), second.Expiry())
		}
	})
}

// A copy of an older certificate that somebody puts back into the Storage does not replace
// a newer one.
func TestOlderCertificatePutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 6*time.Hour), newMemory()
		m := ca.gateway(storage, t.Output(), nil)
		run(t, m)
		wait(time.Minute)
		var older []byte
		storage.replace(t, "certificate:", func(v []byte) []byte { older = v; return v })
		wait(5 * time.Hour)
		renewed := m.Expiry()
		storage.replace(t, "certificate:", func([]byte) []byte { return older })
		wait(10 * time.Minute)
		if !m.Expiry().Equal(renewed) || len(ca.issued) != 2 {
			t.Errorf("expiry %v, %v after the renewal", m.Expiry(), renewed)
		}
	})
}

func TestNewer(t *testing.T) {
	now := time.Now()
	life := func(from, to time.Duration) *x509.Certificate {
		return &x509.Certificate{NotBefore: now.Add(from), NotAfter: now.Add(to)}
	}
	current := life(-10*day, 10*day)
	for name, tt := range map[string]struct {
		stored, current *x509.Certificate
		want            bool
	}{
		"first":                       {life(-90*day, -day), nil, true},
		"later and longer":            {life(-day, 20*day), current, true},
		"later and shorter":           {life(-day, 5*day), current, true},
		"earlier":                     {life(-20*day, 20*day), current, false},
		"the same":                    {current, current, false},
		"the same time, longer":       {life(-10*day, 11*day), current, true},
		"later, but expired":          {life(-2*day, -day), current, false},
		"later, and both are expired": {life(-2*day, -day), life(-20*day, -2*day), true},
	} {
		if got := newer(tt.stored, tt.current, now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// If several names cannot be validated, the log names all of them. The certificate for the
// other names stays.
func TestSeveralNamesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage, log := newAuthority(t, 6*time.Hour), newMemory(), &logtest.Buffer{}
		names := []string{domain, "two.example.com", "three.example.com"}
		m := ca.gateway(storage, log, func(o *Options) { o.Domains = names })
		run(t, m)
		wait(time.Minute)
		before := m.Expiry()
		ca.set(func() {
			ca.validate = func(_, _, name string) error {
				if name != domain {
					return errors.New("NXDOMAIN")
				}
				return nil
			}
		})
		wait(5 * time.Hour)
		if before.IsZero() || !m.Expiry().Equal(before) {
			t.Errorf("expiry %v, %v before", m.Expiry(), before)
		}
		for _, name := range names {
			if got := log.Count("authorization error for " + name); (got == 0) != (name == domain) {
				t.Errorf("the log names %s %d times", name, got)
			}
		}
	})
}

// An order for names that nobody asked for is given up before a challenge is answered.
func TestUnwantedAuthorizations(t *testing.T) {
	for name, change := range map[string]func(*standInOrder){
		"another name":  func(o *standInOrder) { o.names[0] = "evil.example" },
		"too many":      func(o *standInOrder) { o.names, o.valid = append(o.names, o.names...), make([]bool, 2) },
		"in upper case": func(o *standInOrder) { o.names[0] = strings.ToUpper(o.names[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, storage, log := newAuthority(t, 90*day), newMemory(), &logtest.Buffer{}
				ca.change = change
				ca.validate = func(_, _, name string) error { return fmt.Errorf("%s must not be validated", name) }
				m := ca.gateway(storage, log, nil)
				run(t, m)
				wait(time.Minute)
				if !m.Expiry().IsZero() || log.Count("does not fit the order") != 1 {
					t.Errorf("expiry %v; the log has the reason %d times", m.Expiry(), log.Count("does not fit the order"))
				}
				if storage.values[m.board.name] != nil {
					t.Error("a challenge was answered")
				}
			})
		})
	}
}

// What the authority writes into its errors does not fill the log.
func TestLongProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, log := newAuthority(t, 90*day), &bytes.Buffer{}
		ca.refuse = func(string) *problem {
			return &problem{http.StatusForbidden, strings.Repeat("€", 100_000), ""}
		}
		m := ca.gateway(newMemory(), log, nil)
		if pause := m.round(t.Context()); pause != firstRefusedPause {
			t.Errorf("pause %v", pause)
		}
		if !strings.Contains(log.String(), "… (shortened)") || log.Len() > 2*maxLogged {
			t.Errorf("the log has %d bytes", log.Len())
		}
	})
}

// An expired certificate is still looked for every second, because no handshake succeeds.
func TestLookInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newAuthority(t, day).gateway(newMemory(), t.Output(), nil)
		m.spread = 0
		now := time.Now()
		for _, tt := range []struct{ age, life, want time.Duration }{
			{0, 90 * day, checkInterval},
			{0, 90 * time.Second, checkInterval},
			{50 * time.Second, 90 * time.Second, 10 * time.Second},
			{70 * time.Second, 90 * time.Second, 2 * time.Second},
			{65 * day, 90 * day, checkInterval},
			{91 * day, 90 * day, pollInterval},
		} {
			leaf := &x509.Certificate{DNSNames: m.o.Domains, NotBefore: now.Add(-tt.age), NotAfter: now.Add(tt.life - tt.age)}
			m.current.Store(&tls.Certificate{Leaf: leaf})
			if got := m.lookInterval(now); got != tt.want {
				t.Errorf("after %v of %v: %v, want %v", tt.age, tt.life, got, tt.want)
			}
		}
	})
}
