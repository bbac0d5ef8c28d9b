package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"keyhole/cmd/keyhole/internal/listen"
	"keyhole/cmd/keyhole/internal/systemd"
	"keyhole/config"
)

// probesPerWatchdog is how often the server probes itself within the time of the watchdog.
// One lost probe must not end the service.
const probesPerWatchdog = 3

// The start of the service, while a Redis of its own loads its data.
const (
	// startExtension is how long the manager waits for the next message of a start.
	startExtension = 30 * time.Second
	// longestStart bounds a start, because its progress is not known. At 10 MB/s, Redis loads 36 GB in it.
	longestStart = time.Hour
)

// extendStart asks the manager for time, each time for extension, until ctx ends or
// longestStart is over. Killed by the manager, a Redis that loads for longer than
// TimeoutStartSec would begin again, for ever. Nothing else of a start takes long, so without
// a Redis of its own it returns at once.
func (s *Server) extendStart(ctx context.Context, manager systemd.Manager, extension time.Duration) {
	if s.configured.Redis.Mode != config.RedisLocal {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, longestStart)
	defer cancel()
	ticker := time.NewTicker(extension / probesPerWatchdog)
	defer ticker.Stop()
	for {
		// The end of the start must not cut a message: that would log an error.
		s.report(context.WithoutCancel(ctx), func(ctx context.Context) error { return manager.Extend(ctx, extension) })
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

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
			if s.isAlive(ctx, interval) {
				s.report(ctx, manager.Alive)
			}
		}
	}
}

// isAlive tells whether the server answers a probe, or cannot because its listener is full. A
// restart would not help against clients that hold all connections, and anybody who reaches
// the listener could cause one after the other.
func (s *Server) isAlive(ctx context.Context, limit time.Duration) bool {
	err := s.probe(ctx, limit)
	if err == nil {
		return true
	}
	listener, _ := s.probed()
	if open, most := listener.Connections(); most > 0 && open >= most {
		s.log.Warn("watchdog probe failed because the listener is full", "error", err, "connections", open)
		return true
	}
	s.log.Error("watchdog probe failed; systemd restarts the service if it goes on", "error", err)
	return false
}

// probed returns the listener that answers probes, and the scheme of its URL.
func (s *Server) probed() (l *listen.Listener, scheme string) {
	switch {
	case s.metrics != nil:
		return s.metrics, "http"
	case s.configured.Operator.TLS.CertFile != "":
		return s.operator, "https"
	default:
		return s.operator, "http"
	}
}

// probe asks the server for /livez on a connection of its own, as a client would, within a
// time limit. It does not ask for readiness: an outage of Redis must not cause restarts.
func (s *Server) probe(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	listener, scheme := s.probed()
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
