//go:build system

package system

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority is a private authority, with a certificate for loopback that it made.
type authority struct {
	caFile            string
	certFile, keyFile string
	roots             *x509.CertPool
}

// newAuthority makes one.
func newAuthority(t *testing.T) *authority {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	sign := func(template, parent *x509.Certificate, public, private any) []byte {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, private)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	caKey, key := newKey(), newKey()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "keyhole test authority"}, IsCA: true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	caDER := sign(ca, ca, caKey.Public(), caKey)
	der := sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "keyhole test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, DNSNames: []string{"localhost"},
	}, ca, key.Public(), caKey)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{
		caFile: write("ca.pem", "CERTIFICATE", caDER), certFile: write("cert.pem", "CERTIFICATE", der),
		keyFile: write("key.pem", "PRIVATE KEY", private), roots: x509.NewCertPool(),
	}
	parsed, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	a.roots.AddCert(parsed)
	return a
}

// client is a client that knows the authority and follows redirects.
func (a *authority) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs:    a.roots,
		MinVersion: tls.VersionTLS12,
	}}}
}

// startWithTLS starts a gateway whose listeners for recipients and operators speak TLS with
// the certificate of ca, and waits until it is ready. apart is the address of its metrics
// and probes, which have no TLS.
func (in *installation) startWithTLS(ca *authority, env ...string) (g *instance, apart string) {
	in.t.Helper()
	apart = freeAddress(in.t)
	g = in.launch(append(env, "KEYHOLE_METRICS_LISTEN="+apart,
		"KEYHOLE_PUBLIC_TLS_CERT_FILE="+ca.certFile, "KEYHOLE_PUBLIC_TLS_KEY_FILE="+ca.keyFile,
		"KEYHOLE_OPERATOR_TLS_CERT_FILE="+ca.certFile, "KEYHOLE_OPERATOR_TLS_KEY_FILE="+ca.keyFile)...)
	c := unfollowed()
	defer c.CloseIdleConnections()
	eventually(in.t, "the service to be ready", func() error {
		a, err := ask(in.t.Context(), c, http.MethodGet, "http://"+apart+"/readyz", nil)
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("%d", a.status)
		}
		return err
	})
	return g, apart
}
