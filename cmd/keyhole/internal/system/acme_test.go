//go:build system

package system

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/acme/acmetest"
)

// Two gateways start while the certificate authority is away. When it is back, one of them
// orders, and both serve the same certificate over HTTP/2.
func TestACMECertificates(t *testing.T) {
	t.Parallel()
	in := install(t)
	first, second := acmetest.FreeAddress(t), acmetest.FreeAddress(t)
	p := acmetest.NewPebble(t, first, acmetest.FreeAddress(t))
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("0a", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{first, second} {
		in.launch("SSL_CERT_FILE="+p.CAFile, "KEYHOLE_PUBLIC_LISTEN="+address, "KEYHOLE_PUBLIC_URL=https://dl.example.com",
			"KEYHOLE_PUBLIC_TLS_ACME_DOMAINS=dl.example.com", "KEYHOLE_PUBLIC_TLS_ACME_ACCEPT_TERMS=true",
			"KEYHOLE_PUBLIC_TLS_ACME_DIRECTORY_URL="+p.DirectoryURL, "KEYHOLE_PUBLIC_TLS_ACME_SECRET_FILE="+secret)
	}
	serial := func(address string) (string, error) {
		dialer := &tls.Dialer{Config: &tls.Config{
			ServerName: "dl.example.com", InsecureSkipVerify: true, NextProtos: []string{"h2"},
		}}
		c, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			return "", err
		}
		defer c.Close()
		state := c.(*tls.Conn).ConnectionState()
		return state.NegotiatedProtocol + state.PeerCertificates[0].SerialNumber.String(), nil
	}
	eventually(t, "a handshake without a certificate to be refused", func() error {
		if _, err := serial(first); err == nil || !strings.Contains(err.Error(), "remote error: tls") {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	p.Start(t)
	eventually(t, "both gateways to serve one certificate", func() error {
		one, err := serial(first)
		if err != nil {
			return err
		}
		if two, err := serial(second); err != nil || one != two || !strings.HasPrefix(one, "h2") {
			return fmt.Errorf("%s and %s, %w", one, two, err)
		}
		return nil
	})
	if orders, certificates := p.Counts(); orders != 1 || certificates != 1 {
		t.Errorf("the authority got %d orders and issued %d certificates, want 1 of each", orders, certificates)
	}
}
