package acme

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"keyhole/gateway/logtest"
)

// A stored certificate that was damaged, or moved from another value, is reported once and
// never used. A gateway with a certificate keeps it; one without orders a new one.
func TestDamagedCertificate(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"damaged":   func(v []byte) []byte { v[len(v)/2] ^= 1; return v },
		"truncated": func(v []byte) []byte { return v[:len(v)/2] },
		"clear":     func([]byte) []byte { return []byte(`{"chain":[],"key":""}`) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, storage, log := newAuthority(t, 90*day), newMemory(), &logtest.Buffer{}
				first := ca.gateway(storage, log, nil)
				run(t, first)
				wait(time.Minute)
				before := first.Expiry()
				storage.replace(t, "certificate:", change)
				wait(10 * time.Minute)
				if !first.Expiry().Equal(before) || before.IsZero() {
					t.Errorf("the gateway with a certificate: %v, %v before", first.Expiry(), before)
				}
				if n := log.Count("the shared certificate cannot be read"); n != 1 || log.Count("secret_file") != 1 {
					t.Errorf("%d reports, want 1", n)
				}
				second := ca.gateway(storage, io.Discard, nil)
				if second.Load(t.Context()); !second.Expiry().IsZero() {
					t.Error("a damaged certificate was used")
				}
				run(t, second)
				wait(2 * time.Minute)
				if _, _, issued := ca.numbers(); issued != 2 || !first.Expiry().Equal(second.Expiry()) {
					t.Errorf("%d certificates; expiries %v and %v", issued, first.Expiry(), second.Expiry())
				}
			})
		})
	}
}

// A gateway with another secret_file can read nothing, changes nothing that is stored, and
// its log names the reason.
func TestWrongSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage, log := newAuthority(t, 90*day), newMemory(), &logtest.Buffer{}
		first := ca.gateway(storage, t.Output(), nil)
		stop := run(t, first)
		wait(time.Minute)
		stop()
		before := map[string][]byte{}
		for name, value := range storage.values {
			before[name] = bytes.Clone(value)
		}
		requests, _, _ := ca.numbers()
		other := ca.gateway(storage, log, func(o *Options) { o.Secret = bytes.Repeat([]byte{8}, secretBytes) })
		run(t, other)
		wait(time.Hour)
		if after, _, _ := ca.numbers(); after != requests {
			t.Errorf("the gateway with another secret made %d requests", after-requests)
		}
		if !other.Expiry().IsZero() || log.Count("is secret_file the same on all gateways?") == 0 {
			t.Errorf("expiry %v; the log names secret_file %d times", other.Expiry(), log.Count("secret_file"))
		}
		for name, value := range before {
			if !bytes.Equal(storage.values[name], value) {
				t.Errorf("%s was changed", name)
			}
		}
	})
}

// A gateway that cannot store its new certificate uses it nevertheless.
func TestStorageAwayAfterOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage, log := newAuthority(t, 90*day), newMemory(), &logtest.Buffer{}
		m := ca.gateway(storage, log, nil)
		ca.refuse = func(path string) *problem {
			if path == "/certificate/1" {
				storage.fail(errors.New("Redis is away"))
			}
			return nil
		}
		run(t, m)
		wait(time.Minute)
		if shown, err := m.Certificate(&tls.ClientHelloInfo{ServerName: domain}); err != nil || shown.Leaf == nil {
			t.Errorf("the new certificate is not used: %v", err)
		}
		if log.Count("store the certificate: Redis is away") != 1 || log.Count("not known to other gateways") != 1 {
			t.Error("the log does not say that the certificate was not stored")
		}
	})
}

// Only the names of the configuration are ordered, whatever name a handshake asks for.
func TestOnlyConfiguredNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 90*day), newMemory()
		m := ca.gateway(storage, t.Output(), nil)
		for _, name := range []string{"evil.example", "", domain} {
			if _, err := m.Certificate(&tls.ClientHelloInfo{ServerName: name}); !errors.Is(err, errNoCertificate) {
				t.Errorf("%q: %v", name, err)
			}
		}
		run(t, m)
		wait(time.Minute)
		for _, name := range []string{"evil.example", "", domain} {
			shown, err := m.Certificate(&tls.ClientHelloInfo{ServerName: name})
			if err != nil || !slices.Equal(shown.Leaf.DNSNames, []string{domain}) {
				t.Errorf("%q: %v", name, err)
			}
		}
		if _, orders, _ := ca.numbers(); orders != 1 || !slices.Equal(ca.asked, []string{domain}) {
			t.Errorf("%d orders for %v", orders, ca.asked)
		}
	})
}

// Each gateway answers HTTP-01 challenges of an order that another gateway made, but only
// if port 80 is served. TLS-ALPN-01 is tried first.
func TestHTTPChallengeOfAnotherGateway(t *testing.T) {
	for name, tt := range map[string]struct {
		offered []string
		http    bool
		issued  bool
	}{
		"TLS fails":           {[]string{typeTLS, typeHTTP}, true, true},
		"only HTTP":           {[]string{typeHTTP}, true, true},
		"without a listener":  {[]string{typeHTTP}, false, false},
		"none of them":        {[]string{"dns-01"}, true, false},
		"TLS without the 443": {[]string{typeTLS}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, storage := newAuthority(t, 90*day), newMemory()
				change := func(o *Options) { o.HTTPChallenges = tt.http }
				first, second := ca.gateway(storage, t.Output(), change), ca.gateway(storage, t.Output(), change)
				ca.offered = tt.offered
				ca.validate = func(kind, token, name string) error {
					if kind == typeTLS {
						return errors.New("port 443 is closed")
					}
					return askOver(second)(kind, token, name)
				}
				pause := first.round(t.Context())
				want := firstRefusedPause
				if tt.issued {
					want = checkInterval
				}
				if pause != want || first.Expiry().IsZero() == tt.issued {
					t.Errorf("pause %v, want %v; expiry %v", pause, want, first.Expiry())
				}
			})
		})
	}
}

// A gateway that cannot read the challenges says so, and does not answer 404.
func TestChallengeWithoutStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 90*day), newMemory()
		storage.fail(errors.New("Redis is away"))
		m := ca.gateway(storage, t.Output(), nil)
		answer := httptest.NewRecorder()
		m.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/.well-known/acme-challenge/token", nil))
		if answer.Code != http.StatusServiceUnavailable {
			t.Errorf("HTTP-01: %d", answer.Code)
		}
		if err := askOver(m)(typeTLS, "token", domain); err == nil || errors.Is(err, errNoChallenge) {
			t.Errorf("TLS-ALPN-01: %v", err)
		}
	})
}

// Requests for unknown challenges read the Storage at most four times a second.
func TestChallengeFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 90*day), newMemory()
		m := ca.gateway(storage, t.Output(), nil)
		begun := time.Now()
		for range 40 {
			answer := httptest.NewRecorder()
			m.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/.well-known/acme-challenge/token", nil))
			if answer.Code != http.StatusNotFound {
				t.Errorf("an unknown token: %d", answer.Code)
			}
		}
		if took := time.Since(begun); took < 39*challengeRound {
			t.Errorf("40 requests one after the other took %v", took)
		}
	})
}

// Values that decrypt but hold no certificate are refused.
func TestDecodeCertificate(t *testing.T) {
	for _, text := range []string{
		"", "null", "{}", "[]", `{"chain":[]}`, `{"chain":["AAAA"]}`, `{"chain":["AAAA"],"key":"AAAA"}`, `{"chain":"x"}`,
	} {
		if c, err := decodeCertificate([]byte(text)); err == nil {
			t.Errorf("%q was accepted: %v", text, c)
		}
	}
}
