package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// state is what a gateway knows about the stored certificate.
type state int

const (
	stateUnknown state = iota // the Storage did not answer
	stateAbsent               // nothing is stored
	stateOpened               // it was decrypted, so this gateway has the right secret
	stateSealed               // it was encrypted with another secret, or is damaged
)

// adopt uses the stored certificate if it is newer than the current one.
func (m *Manager) adopt(ctx context.Context) state {
	text, err := m.values.read(ctx, m.names.certificate)
	var stored *tls.Certificate
	result := stateAbsent
	switch {
	case errors.Is(err, errSealed):
		result = stateSealed
	case err != nil:
		result = stateUnknown
	case text != nil:
		result = stateOpened
		stored, err = decodeCertificate(text)
	}
	if err != nil {
		m.unreadable(ctx, err)
		return result
	}
	m.reported = ""
	if result == stateAbsent && m.leaf() == nil {
		m.borrow(ctx)
	}
	if stored != nil && (!m.covers(m.leaf()) || newer(stored.Leaf, m.leaf(), time.Now())) {
		m.current.Store(stored)
		m.unstored = nil
		m.o.Logger.Info("certificate read from the shared storage", "expires", m.Expiry())
	}
	return result
}

// borrow uses the certificate that was issued last, for other names, until the one for the
// configured names has been ordered. So a service whose names have changed has a certificate
// when it starts. It must have one of the names.
func (m *Manager) borrow(ctx context.Context) {
	text, err := m.values.read(ctx, m.names.latest)
	if text == nil || err != nil {
		return // Nothing is lost: a certificate is ordered.
	}
	last, err := decodeCertificate(text)
	if err != nil || time.Now().After(last.Leaf.NotAfter) {
		return
	}
	for _, name := range m.o.Domains {
		if last.Leaf.VerifyHostname(name) == nil {
			m.current.Store(last)
			m.o.Logger.Info("using the certificate that was issued last; its names are not the configured ones",
				"names", last.Leaf.DNSNames, "domains", m.o.Domains, "expires", m.Expiry())
			return
		}
	}
}

// covers tells whether a certificate, nil: none, has all configured names.
func (m *Manager) covers(leaf *x509.Certificate) bool {
	return leaf != nil && !slices.ContainsFunc(m.o.Domains, func(name string) bool {
		return leaf.VerifyHostname(name) != nil
	})
}

// unreadable reports once that the stored certificate cannot be read.
func (m *Manager) unreadable(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	m.failing.Store(true)
	if problem := err.Error(); problem != m.reported {
		m.reported = problem
		m.o.Logger.Warn("the shared certificate cannot be read", "error", fmt.Errorf("read the certificate: %w", err))
	}
}

// leaf returns the certificate in use without its chain, nil if there is none.
func (m *Manager) leaf() *x509.Certificate {
	if current := m.current.Load(); current != nil {
		return current.Leaf
	}
	return nil
}

// newer tells whether a stored certificate replaces the current one, nil: none. The one that
// was issued later does, although its life may be shorter, unless it has expired first. An
// older copy, which anybody who writes to the Storage can put back, does not.
func newer(stored, current *x509.Certificate, now time.Time) bool {
	if current == nil {
		return true
	}
	if now.After(stored.NotAfter) && !now.After(current.NotAfter) {
		return false
	}
	if stored.NotBefore.Equal(current.NotBefore) {
		return stored.NotAfter.After(current.NotAfter)
	}
	return stored.NotBefore.After(current.NotBefore)
}

// accountKey returns the stored key of the account, nil if a new one must be made. The
// error is errSealed if the values of the other gateways were encrypted with another
// secret. A damaged value does not have this effect: if the other value can be decrypted,
// the secret is right.
func (m *Manager) accountKey(ctx context.Context, stored state) ([]byte, error) {
	key, err := m.values.read(ctx, m.names.account)
	switch {
	case errors.Is(err, errSealed) && stored == stateOpened:
		return nil, nil
	case err == nil && key == nil && stored == stateSealed:
		return nil, errSealed
	case err != nil:
		return nil, fmt.Errorf("read the key of the account: %w", err)
	}
	return key, nil
}

// errNotStored means that the other gateways cannot get a new certificate yet.
var errNotStored = errors.New("store the certificate")

// keep stores a new certificate for all gateways, until it expires. The certificate stays
// in m.unstored after an error.
func (m *Manager) keep(ctx context.Context, text []byte) error {
	m.unstored = text
	life := max(time.Until(m.Expiry()), time.Minute)
	for _, name := range []string{m.names.certificate, m.names.latest} {
		if err := m.values.write(ctx, name, text, life); err != nil {
			return fmt.Errorf("%w: %w", errNotStored, err)
		}
	}
	m.unstored = nil
	return nil
}
