package acme

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"keyhole/gateway/logtest"
)

// A gateway whose names have changed uses the certificate that was issued last until it has
// ordered another one, so that no handshake fails meanwhile.
func TestNamesChanged(t *testing.T) {
	const added = "files.example.com"
	for name, tt := range map[string]struct {
		domains   []string
		directory string
		age       time.Duration // of the certificate
		borrowed  bool
		orders    int // of the gateway, while the authority refuses nothing
	}{
		"one more":          {[]string{domain, added}, standIn + "/dir", time.Hour, true, 1},
		"another order":     {[]string{added, domain}, standIn + "/dir", time.Hour, true, 1},
		"others only":       {[]string{added}, standIn + "/dir", time.Hour, false, 1},
		"another authority": {[]string{domain, added}, standIn + "/dir?staging", time.Hour, false, 1},
		"expired":           {[]string{domain, added}, standIn + "/dir", 91 * day, false, 1},
		"fewer":             {[]string{domain}, standIn + "/dir", time.Hour, true, 0},
		"the last is due":   {[]string{domain}, standIn + "/dir", 70 * day, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, storage, log := newAuthority(t, 90*day), newMemory(), &logtest.Buffer{}
				before := ca.gateway(storage, t.Output(), func(o *Options) { o.Domains = []string{domain, "two.example.com"} })
				before.round(t.Context())
				last := before.leaf()
				time.Sleep(tt.age)
				ca.set(func() {
					ca.refuse = func(string) *problem { return &problem{http.StatusForbidden, "unauthorized", ""} }
				})
				m := ca.gateway(storage, log, func(o *Options) { o.Domains, o.DirectoryURL = tt.domains, tt.directory })
				m.Load(t.Context())
				shown, err := m.Certificate(&tls.ClientHelloInfo{ServerName: domain})
				if (err == nil) != tt.borrowed || err == nil && !shown.Leaf.Equal(last) {
					t.Fatalf("after the start: %v", err)
				}
				if borrowed := log.Count("using the certificate that was issued last") == 1; borrowed != tt.borrowed {
					t.Errorf("the log: %s", log)
				}
				run(t, m)
				wait(time.Minute)
				if (m.leaf() != nil) != tt.borrowed {
					t.Errorf("while the authority refuses orders: expiry %v", m.Expiry())
				}
				ca.set(func() { ca.refuse = nil })
				wait(10 * time.Minute)
				_, orders, _ := ca.numbers()
				if orders != 1+tt.orders || !m.covers(m.leaf()) || m.due(time.Now()) {
					t.Errorf("%d orders, certificate for %v", orders, m.leaf().DNSNames)
				}
				if tt.orders == 1 && !slices.Equal(m.leaf().DNSNames, tt.domains) {
					t.Errorf("the new certificate is for %v", m.leaf().DNSNames)
				}
			})
		})
	}
}

// A second gateway with the new names takes over what the first has ordered, although it
// uses a borrowed certificate that was issued later.
func TestBorrowedCertificateIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newAuthority(t, 90*day), newMemory()
		names := func(o *Options) { o.Domains = []string{domain, "files.example.com"} }
		first, second := ca.gateway(storage, t.Output(), names), ca.gateway(storage, t.Output(), names)
		ca.gateway(storage, t.Output(), nil).round(t.Context())
		second.Load(t.Context())
		borrowed := *second.current.Load()
		leaf := *borrowed.Leaf
		leaf.NotBefore = leaf.NotBefore.Add(day)
		borrowed.Leaf = &leaf
		second.current.Store(&borrowed)
		first.round(t.Context())
		second.round(t.Context())
		if _, orders, _ := ca.numbers(); orders != 2 || !second.leaf().Equal(first.leaf()) || !second.covers(second.leaf()) {
			t.Errorf("%d orders; certificates for %v and %v", orders, first.leaf().DNSNames, second.leaf().DNSNames)
		}
	})
}

// Certificates of common lives are renewed before the alerts for their ends fire, by the
// last gateway too.
func TestRenewalBeforeAlerts(t *testing.T) {
	m := newAuthority(t, day).gateway(newMemory(), t.Output(), nil)
	m.spread = 1
	now := time.Now()
	for _, tt := range []struct{ life, least time.Duration }{
		{90 * day, 29 * day}, {64 * day, 20 * day}, {45 * day, 14*day + 6*time.Hour},
	} {
		leaf := &x509.Certificate{NotBefore: now, NotAfter: now.Add(tt.life)}
		if left := tt.life - m.untilDue(leaf, now); left < tt.least {
			t.Errorf("a certificate of %v is renewed %v before its end, want %v", tt.life, left, tt.least)
		}
	}
}
