package acme

import (
	"crypto/tls"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// No request is lost while a certificate is renewed, neither on connections that are open
// nor on new ones, although the handshakes of challenges use the same listener.
func TestRequestsDuringRenewal(t *testing.T) {
	t.Parallel()
	p, l := startPebble(t, true)
	address := l.Addr().String()
	m := newManager(t, p, newMemory(), nil, nil)
	serveTLS(t, l, m)
	if m.round(t.Context()); m.Expiry().IsZero() {
		t.Fatal("no certificate")
	}
	// A third of the life is left.
	expiring := *m.current.Load()
	leaf := *expiring.Leaf
	leaf.NotBefore, leaf.NotAfter = time.Now().Add(-65*day), time.Now().Add(25*day)
	expiring.Leaf = &leaf
	m.current.Store(&expiring)
	delete(m.o.Storage.(*memory).values, m.names.certificate)

	renewed := make(chan struct{})
	var clients, begun sync.WaitGroup
	begun.Add(2)                     // Each client asks before the renewal, as often as it can during it, and after it.
	var requests, fresh atomic.Int64 // fresh: with the new certificate
	for _, keepAlive := range []bool{true, false} {
		clients.Go(func() {
			transport := &http.Transport{
				DisableKeepAlives: !keepAlive,
				TLSClientConfig:   &tls.Config{ServerName: domain, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
			}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
			var first sync.Once
			defer first.Do(begun.Done)
			for end := false; !end; {
				select {
				case <-renewed:
					end = true // after one more request
				default:
				}
				if err := request(t, client, "https://"+address, func(c *tls.ConnectionState) {
					if c.PeerCertificates[0].Equal(m.current.Load().Leaf) && m.current.Load() != &expiring {
						fresh.Add(1)
					}
				}); err != nil {
					t.Error(err)
					return
				}
				requests.Add(1)
				first.Do(begun.Done)
			}
		})
	}
	begun.Wait()
	pause := m.round(t.Context())
	close(renewed)
	clients.Wait()
	if pause != checkInterval || m.Expiry().Before(time.Now().Add(30*day)) {
		t.Errorf("not renewed: pause %v, expiry %v", pause, m.Expiry())
	}
	if requests.Load() < 4 || fresh.Load() == 0 {
		t.Errorf("%d requests, %d with the new certificate", requests.Load(), fresh.Load())
	}
	if orders, certificates := p.Counts(); orders != 2 || certificates != 2 {
		t.Errorf("the authority got %d orders and issued %d certificates, want 2 of each", orders, certificates)
	}
}

// request makes one request. The server of these tests answers 404.
func request(t *testing.T, client *http.Client, url string, inspect func(*tls.ConnectionState)) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	inspect(answer.TLS)
	if answer.StatusCode != http.StatusNotFound {
		return errors.New(answer.Status)
	}
	return answer.Body.Close()
}
