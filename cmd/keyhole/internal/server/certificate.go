package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/cmd/keyhole/internal/acme"
	"keyhole/config"
)

// certificateExpiry reports the ends of the certificates of the listeners that speak TLS.
type certificateExpiry struct {
	ends map[string]func() time.Time // by the name of the listener
	desc *prometheus.Desc
}

// newCertificateExpiry returns the collector for the given listeners.
func newCertificateExpiry(ends map[string]func() time.Time) *certificateExpiry {
	return &certificateExpiry{ends, prometheus.NewDesc("keyhole_certificate_expiry_timestamp_seconds",
		"When the certificate of a listener expires, Unix time; 0 if it has no certificate yet, and absent without TLS.",
		[]string{"listener"}, nil)}
}

// Describe implements prometheus.Collector.
func (e *certificateExpiry) Describe(out chan<- *prometheus.Desc) { out <- e.desc }

// Collect implements prometheus.Collector.
func (e *certificateExpiry) Collect(out chan<- prometheus.Metric) {
	for name, end := range e.ends {
		seconds := 0.0
		if at := end(); !at.IsZero() {
			seconds = float64(at.Unix())
		}
		out <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, seconds, name)
	}
}

// certificateEnds returns for each listener that speaks TLS the end of its certificate. The
// functions may be called when the listeners are open.
func (s *Server) certificateEnds() map[string]func() time.Time {
	ends := map[string]func() time.Time{}
	if s.configured.Public.TLS.CertFile != "" {
		ends["public"] = func() time.Time { return s.public.CertificateExpiry() }
	}
	if s.certificates != nil {
		ends["public"] = s.certificates.Expiry
	}
	if s.configured.Operator.TLS.CertFile != "" {
		ends["operator"] = func() time.Time { return s.operator.CertificateExpiry() }
	}
	return ends
}

// newOrderFailed returns the gauge of failed orders of a certificate.
func newOrderFailed(failing func() bool) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "keyhole", Name: "certificate_order_failed",
		Help: "1 if this gateway failed at its last attempt to order, renew, read or store the certificate for " +
			"recipients (see the log); otherwise 0, and absent without public.tls.acme.",
	}, func() float64 {
		if failing() {
			return 1
		}
		return 0
	})
}

// acmeTimeout bounds one request to the certificate authority.
const acmeTimeout = 30 * time.Second

// prepareACME reads the certificate for recipients that a gateway has ordered before, if
// the configuration says that certificates are ordered.
func (s *Server) prepareACME(ctx context.Context) error {
	c := s.configured.Public
	if !c.TLS.ACME.Enabled() {
		return nil
	}
	secret, err := config.ReadACMESecret(c.TLS.ACME.SecretFile)
	if err != nil {
		return fmt.Errorf("read public.tls.acme.secret_file: %w", err)
	}
	s.certificates, err = acme.New(acme.Options{
		Domains: c.TLS.ACME.Domains, Email: c.TLS.ACME.Email, DirectoryURL: c.TLS.ACME.DirectoryURL, Secret: secret,
		HTTPChallenges: c.RedirectListen != "", Storage: s.store, Client: &http.Client{Timeout: acmeTimeout},
		Logger: s.log.Logger,
	})
	if err != nil {
		return fmt.Errorf("prepare ACME: %w", err)
	}
	s.certificates.Load(ctx)
	return nil
}

// runACME orders and renews the certificate in the background. It begins when the
// listeners answer, because the certificate authority connects to them.
func (s *Server) runACME(background context.Context) {
	if s.certificates == nil {
		return
	}
	ctx, cancel := context.WithCancel(background)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.certificates.Run(ctx)
	}()
	// Run gives its lease back, for which it needs Redis.
	s.cleanups.add("certificates", func(ctx context.Context) error {
		cancel()
		select {
		case <-ended:
		case <-ctx.Done():
		}
		return nil
	})
}

// challenges returns the handler of HTTP-01 challenges, nil without ACME.
func (s *Server) challenges() http.Handler {
	if s.certificates == nil {
		return nil // A nil *acme.Manager would not be a nil http.Handler.
	}
	return s.certificates
}

// serveCertified answers on the listeners, with certificates that it orders and reports. It
// reports the connections too. ctx and closeRedis are those of serve; background ends with
// the service.
func (s *Server) serveCertified(
	ctx, background context.Context, registry prometheus.Registerer, closeRedis func() error,
) error {
	if err := s.prepareACME(ctx); err != nil {
		return err
	}
	registry.MustRegister(newCertificateExpiry(s.certificateEnds()))
	if s.certificates != nil {
		registry.MustRegister(newOrderFailed(s.certificates.Failing))
	}
	if err := s.serve(ctx, closeRedis); err != nil {
		return err
	}
	registerConnections(registry, s.limitedListeners())
	s.runACME(background)
	return nil
}
