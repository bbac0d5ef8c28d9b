package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"keyhole/cmd/keyhole/internal/systemd"
)

// probesPerWatchdog is how often the server probes itself within the time of the watchdog.
// One lost probe must not end the service.
const probesPerWatchdog = 3

// report tells the service manager about a change of state. A failure is only logged: the
// service runs as well without a manager.
func (s *Server) report(ctx context.Context, change func(context.Context) error) {
	if err := change(ctx); err != nil {
		s.log.Warn("report to systemd failed", "error", err)
	}
}

// keepAlive reports to the watchdog of the manager while the server answers, until ctx ends.
// It returns at once if there is no watchdog.
func (s *Server) keepAlive(ctx context.Context, manager systemd.Manager) {
	interval := manager.Watchdog() / probesPerWatchdog
	if interval <= 0 {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := s.probe(ctx, interval); err != nil {
				s.log.Error("watchdog probe failed; systemd restarts the service if it goes on", "error", err)
				continue
			}
			s.report(ctx, manager.Alive)
		}
	}
}

// probe asks the server for /livez on a connection of its own, as a client would, within a
// time limit. It does not ask for readiness: an outage of Redis must not cause restarts.
func (s *Server) probe(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	listener, scheme := s.operator, "http"
	if s.configured.Operator.TLS.CertFile != "" {
		scheme = "https"
	}
	if s.metrics != nil {
		listener, scheme = s.metrics, "http"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+listener.Addr()+"/livez", http.NoBody)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		// The certificate is for the name that operators use, and nothing secret is sent.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the peer is this process
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // only the status counts
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("probe: status %d", response.StatusCode)
	}
	return nil
}
