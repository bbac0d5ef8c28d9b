package acme

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyhole/gateway/logtest"
)

// A gateway with another secret_file never holds the lease, so the others renew in time. Its
// log says so every hour, and it counts as failing.
func TestAnotherSecretBlocksNobody(t *testing.T) {
	for name, missing := range map[string]string{
		"all values": "nothing", "account only": "certificate:", "certificate only": "account:",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, storage, log := newAuthority(t, 6*time.Hour), newMemory(), &logtest.Buffer{}
				right := ca.gateway(storage, t.Output(), nil)
				run(t, right)
				wait(time.Minute)
				storage.mu.Lock()
				maps.DeleteFunc(storage.values, func(name string, _ []byte) bool { return strings.HasPrefix(name, missing) })
				storage.mu.Unlock()
				wrong := ca.gateway(storage, log, func(o *Options) { o.Secret = bytes.Repeat([]byte{8}, secretBytes) })
				run(t, wrong)
				for range 5 * 60 {
					wait(time.Minute)
					storage.mu.Lock()
					holder := storage.leases[right.names.lease].holder
					storage.mu.Unlock()
					if holder == wrong.holder {
						t.Fatal("the gateway with another secret holds the lease")
					}
				}
				if _, orders, issued := ca.numbers(); orders != 2 || issued != 2 || right.Failing() {
					t.Errorf("%d orders, %d certificates, failing %v", orders, issued, right.Failing())
				}
				n := log.Count("certificate not ordered: other gateways use another public.tls.acme.secret_file")
				if n < 5 || n > 6 || !wrong.Failing() || !wrong.Expiry().IsZero() {
					t.Errorf("the log says it %d times; failing %v, expiry %v", n, wrong.Failing(), wrong.Expiry())
				}
			})
		})
	}
}

// An account whose key is damaged is replaced if the certificate shows that the secret is
// right.
func TestDamagedAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage, log := newAuthority(t, 6*time.Hour), newMemory(), &logtest.Buffer{}
		m := ca.gateway(storage, log, nil)
		run(t, m)
		wait(time.Minute)
		storage.replace(t, "account:", func(v []byte) []byte { return v[:len(v)/2] })
		wait(5 * time.Hour)
		if _, _, issued := ca.numbers(); issued != 2 || len(ca.accounts) != 2 {
			t.Errorf("%d certificates, %d accounts; want 2, 2", issued, len(ca.accounts))
		}
		if log.Count("registering an account") != 2 || m.Failing() {
			t.Errorf("%d accounts in the log, failing %v", log.Count("registering an account"), m.Failing())
		}
	})
}

// answers is the authority as one gateway sees it.
type answers func() (*http.Response, error)

func (a answers) RoundTrip(*http.Request) (*http.Response, error) { return a() }

// If the authority is unreachable for one gateway, or refuses only this one, another gateway
// orders soon, also if the first is always the one that began. The first uses the
// certificate at once and does not wait for the end of its own pause.
func TestOneGatewayCannotOrder(t *testing.T) {
	for name, tt := range map[string]struct {
		status int // 0: unreachable
		within time.Duration
	}{
		"unreachable": {0, 2 * time.Second},
		"refused":     {http.StatusForbidden, firstRefusedPause + 2*pollInterval},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, storage := newAuthority(t, 6*time.Hour), newMemory()
				answer := func() (*http.Response, error) {
					if tt.status == 0 {
						return nil, errors.New("connection refused")
					}
					return &http.Response{
						StatusCode: tt.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")),
					}, nil
				}
				cannot := ca.gateway(storage, t.Output(), func(o *Options) {
					o.Client = &http.Client{Transport: answers(answer)}
				})
				can := ca.gateway(storage, t.Output(), nil)
				cannot.spread, can.spread = 0, 0.9 // The gateway that cannot order is the first to try.
				run(t, cannot)
				wait(pollInterval / 2)
				run(t, can)
				if wait(tt.within); can.Expiry().IsZero() {
					t.Fatal("the other gateway did not order")
				}
				if wait(2 * pollInterval); !cannot.Expiry().Equal(can.Expiry()) {
					t.Errorf("expiries %v and %v", cannot.Expiry(), can.Expiry())
				}
				before := can.Expiry()
				wait(5 * time.Hour)
				if !can.Expiry().After(before) || !cannot.Expiry().Equal(can.Expiry()) {
					t.Errorf("not renewed: expiries %v and %v", cannot.Expiry(), can.Expiry())
				}
				if cannot.Failing() || can.Failing() {
					t.Errorf("failing: %v, %v", cannot.Failing(), can.Failing())
				}
			})
		})
	}
}

// A pause that the authority asked for outlasts a restart of the gateway.
func TestRetryAfterOutlastsRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 90*day), newMemory()
		ca.refuse = func(string) *problem { return &problem{http.StatusTooManyRequests, "rateLimited", "7200"} }
		first := ca.gateway(storage, t.Output(), nil)
		stop := run(t, first)
		wait(time.Minute)
		if !first.Failing() {
			t.Error("a gateway whose order was refused does not count as failing")
		}
		stop()
		before, _, _ := ca.numbers()
		ca.set(func() { ca.refuse = nil })
		second := ca.gateway(storage, t.Output(), nil)
		run(t, second)
		if wait(118 * time.Minute); !second.Expiry().IsZero() {
			t.Error("a certificate was ordered during the pause")
		}
		if after, _, _ := ca.numbers(); after != before {
			t.Errorf("%d requests during the pause", after-before)
		}
		if wait(2 * time.Minute); second.Expiry().IsZero() {
			t.Error("no certificate after the pause")
		}
	})
}

// A certificate that could not be stored is stored when the Storage is back, and no other
// gateway orders one meanwhile.
func TestUnstoredCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage, log := newAuthority(t, 90*day), newMemory(), &logtest.Buffer{}
		first, second := ca.gateway(storage, log, nil), ca.gateway(storage, t.Output(), nil)
		ca.refuse = func(path string) *problem {
			if path == "/certificate/1" {
				storage.fail(errors.New("Redis is away"))
			}
			return nil
		}
		run(t, first)
		wait(time.Second)
		run(t, second)
		wait(10 * time.Second)
		if first.Expiry().IsZero() || !second.Expiry().IsZero() || !first.Failing() {
			t.Errorf("while the storage is away: expiries %v and %v", first.Expiry(), second.Expiry())
		}
		storage.fail(nil)
		wait(3 * time.Second)
		if _, orders, _ := ca.numbers(); orders != 1 || !second.Expiry().Equal(first.Expiry()) || first.Failing() {
			t.Errorf("%d orders; expiries %v and %v; failing %v", orders, first.Expiry(), second.Expiry(), first.Failing())
		}
		if log.Count("certificate stored for the other gateways") != 1 {
			t.Error("the log does not say that the certificate was stored")
		}
		storage.mu.Lock()
		defer storage.mu.Unlock()
		if len(storage.leases) != 0 {
			t.Error("the lease was not ended")
		}
	})
}
