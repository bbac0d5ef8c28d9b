package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"time"
)

const (
	// refusalInterval is how often the log repeats that the secret is another one.
	refusalInterval = time.Hour
	// maxLogged bounds what the log has of an error, in bytes. The authority writes a part
	// of it.
	maxLogged = 2000
)

// Run orders the certificate, renews it and takes over what other gateways have ordered,
// until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	defer m.leave(ctx)
	// During a pause, another gateway may order successfully.
	for sleep(ctx, min(m.round(ctx), m.lookInterval(time.Now()))) {
	}
}

// leave ends the lease of a gateway that stops, so that another gateway need not wait. A
// pause that the authority asked for stays in force for all gateways.
func (m *Manager) leave(ctx context.Context) {
	if m.asked && time.Now().Before(m.resume) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = m.o.Storage.DropACMELease(ctx, m.names.lease, m.holder) // The lease ends by itself.
}

// round does what is due, and returns the pause until the next round.
func (m *Manager) round(ctx context.Context) time.Duration {
	stored := m.adopt(ctx)
	now := time.Now()
	if !m.due(now) {
		m.succeeded(ctx, stored)
		return m.lookInterval(now)
	}
	if wait := m.resume.Sub(now); wait > 0 {
		return wait
	}
	// Before it takes the lease, a gateway makes sure that it can use what the others have
	// stored. With another secret it would only keep the others from ordering.
	if _, err := m.accountKey(ctx, stored); err != nil {
		m.refuse(now, err)
		return m.lookInterval(now)
	}
	leased, err := m.o.Storage.TakeACMELease(ctx, m.names.lease, m.holder, leaseLife)
	if err != nil || !leased { // adopt logs that the Storage is unreachable
		return m.lookInterval(now)
	}
	// The gateway that had the lease before may have stored a certificate meanwhile.
	if stored = m.adopt(ctx); !m.due(time.Now()) {
		err = m.o.Storage.DropACMELease(ctx, m.names.lease, m.holder)
	} else {
		err = m.orderLeased(ctx, stored)
	}
	if err != nil {
		return m.failed(ctx, err)
	}
	m.succeeded(ctx, stored)
	return m.lookInterval(time.Now())
}

// succeeded ends the pauses of a gateway whose certificate is not due. It stores a new
// certificate that the Storage did not take before.
func (m *Manager) succeeded(ctx context.Context, stored state) {
	m.failures, m.resume, m.asked = 0, time.Time{}, false
	if m.unstored != nil {
		if m.keep(ctx, m.unstored) != nil {
			return // The log has said that it is not stored.
		}
		m.o.Logger.Info("certificate stored for the other gateways", "expires", m.Expiry())
		// The lease kept other gateways from ordering another certificate. It ends by itself.
		_ = m.o.Storage.DropACMELease(ctx, m.names.lease, m.holder)
	}
	if stored == stateAbsent || stored == stateOpened {
		m.failing.Store(false)
	}
}

// refuse reports why this gateway must not order. If the Storage is unreachable, adopt has
// reported it.
func (m *Manager) refuse(now time.Time, err error) {
	if !errors.Is(err, errSealed) {
		return
	}
	m.failing.Store(true)
	if now.Sub(m.refused) < refusalInterval {
		return
	}
	m.refused = now
	m.o.Logger.Error("certificate not ordered: other gateways use another public.tls.acme.secret_file", "error", err,
		"account", m.names.account, "has_certificate", m.current.Load() != nil)
}

// orderLeased orders and extends the lease meanwhile.
func (m *Manager) orderLeased(ctx context.Context, stored state) error {
	ordering, cancel := context.WithCancel(ctx)
	extended := make(chan struct{})
	go func() {
		defer close(extended)
		for sleep(ordering, leaseLife/3) {
			leased, err := m.o.Storage.TakeACMELease(ordering, m.names.lease, m.holder, leaseLife)
			if err == nil && !leased {
				cancel() // Another gateway orders.
			}
		}
	}()
	err := m.orderSafely(ordering, stored)
	cancel()
	<-extended
	if err != nil {
		return err
	}
	m.o.Logger.Info("certificate issued", "domains", m.o.Domains, "expires", m.Expiry())
	if m.due(time.Now()) {
		return errAlreadyDue
	}
	return m.o.Storage.DropACMELease(ctx, m.names.lease, m.holder)
}

// failed logs a failed order and returns the pause before the next one. If the reason
// concerns all gateways, none of them orders before that. Otherwise another gateway may
// succeed, so the lease ends.
func (m *Manager) failed(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return 0 // The service stops.
	}
	m.failing.Store(true)
	m.failures++
	now := time.Now()
	pause := pauseAfter(err, m.failures, now)
	m.resume, m.asked = now.Add(pause), askedPause(err, now) > 0
	has := m.current.Load() != nil
	log := m.o.Logger.With("error", shorten(err), "directory", m.o.DirectoryURL, "retry_in", pause.String(),
		"has_certificate", has)
	if has {
		log.Error("certificate order failed; keeping the previous certificate")
	} else {
		log.Error("certificate order failed; TLS handshakes fail until a certificate is issued")
	}
	if !concernsAll(err) {
		// The lease ends by itself within leaseLife.
		_ = m.o.Storage.DropACMELease(ctx, m.names.lease, m.holder)
		return pause
	}
	// Another gateway is next, because the authority may refuse only this one.
	m.resume = m.resume.Add(m.lookInterval(now) + pollInterval)
	if _, err := m.o.Storage.TakeACMELease(ctx, m.names.lease, m.holder, pause); err != nil {
		m.o.Logger.Warn("the pause after a failed certificate order is not known to other gateways", "error", err)
	}
	return pause
}

// due tells whether a certificate must be ordered: there is none, it lacks a name, or at most
// a third of its life is left. Gateways differ by up to a thirtieth of the life, and at most
// half a day.
func (m *Manager) due(now time.Time) bool {
	leaf := m.leaf()
	return !m.covers(leaf) || m.untilDue(leaf, now) <= 0
}

// untilDue returns the time until a certificate must be renewed.
func (m *Manager) untilDue(leaf *x509.Certificate, now time.Time) time.Duration {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	return leaf.NotAfter.Sub(now) - (life/3 - time.Duration(m.spread*float64(min(life/30, maxSpread))))
}

// lookInterval returns the longest pause before the next look at the Storage.
func (m *Manager) lookInterval(now time.Time) time.Duration {
	leaf := m.leaf()
	if !m.covers(leaf) || m.unstored != nil {
		return pollInterval
	}
	wait := m.untilDue(leaf, now)
	if wait <= 0 { // Another gateway may be renewing it.
		wait = leaf.NotAfter.Sub(now) / 10
	}
	return min(max(wait, pollInterval), checkInterval)
}

// shorten returns the text of an error for the log.
func shorten(err error) string {
	text := err.Error()
	if len(text) <= maxLogged {
		return text
	}
	return strings.ToValidUTF8(text[:maxLogged], "") + "… (shortened)"
}
