package listen

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// TLS names the files of a certificate, in PEM, or a source that makes certificates. The
// zero value means plain HTTP.
type TLS struct {
	CertFile, KeyFile string
	Source            CertificateSource // used instead of the files if it is not nil
}

// enabled tells whether the listener speaks TLS.
func (t TLS) enabled() bool { return t.CertFile != "" || t.Source != nil }

// CertificateSource makes the certificates of a listener.
type CertificateSource interface {
	// Certificate returns the certificate for a handshake. After an error the handshake
	// fails. It is called in each handshake and must not wait for other machines, except
	// for a handshake of a challenge.
	Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Protocols returns the protocols of challenges (ALPN), besides those of HTTP.
	Protocols() []string
}

// run serves until the server is stopped.
func (l *Listener) run(certificate TLS) error {
	if !certificate.enabled() {
		return l.server.Serve(l.acceptor)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if source := certificate.Source; source != nil {
		config.GetCertificate = source.Certificate
		config.NextProtos = append([]string{"h2", "http/1.1"}, source.Protocols()...)
	} else {
		if err := l.LoadCertificate(certificate); err != nil {
			return err
		}
		config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.certificate.Load(), nil }
	}
	l.server.TLSConfig = config
	return l.server.ServeTLS(l.acceptor, "", "")
}

// LoadCertificate reads the certificate for new connections. After an error the
// previous certificate stays in use.
func (l *Listener) LoadCertificate(files TLS) error {
	certificate, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return fmt.Errorf("read the certificate of %s: %w", l.Addr(), err)
	}
	l.certificate.Store(&certificate)
	return nil
}

// CertificateExpiry returns the end of the certificate that was read from files. It is the
// zero time without such a certificate.
func (l *Listener) CertificateExpiry() time.Time {
	if certificate := l.certificate.Load(); certificate != nil {
		return ChainExpiry(certificate)
	}
	return time.Time{}
}

// ChainExpiry returns the earliest end of the certificates of a chain, because clients
// refuse a chain with one expired certificate. It returns the zero time if the chain is
// empty or cannot be parsed.
func ChainExpiry(chain *tls.Certificate) time.Time {
	var earliest time.Time
	for _, der := range chain.Certificate {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return time.Time{}
		}
		if earliest.IsZero() || parsed.NotAfter.Before(earliest) {
			earliest = parsed.NotAfter
		}
	}
	return earliest
}
