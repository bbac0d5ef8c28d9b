package server

import (
	"context"
	"slices"
	"time"

	"keyhole/config"
	"keyhole/gateway/console"
)

// Examiner checks an installation against reality, as keyhole doctor does. It must not
// change anything, and must not use the connections that answer clicks. Its error is a
// mistake in the configuration.
type Examiner func(ctx context.Context, cfg *config.Config) ([]console.Finding, error)

// SetExaminer makes the console show the health of the installation. Without it, the console
// has no such page. Call it before Start. It is no part of New, because the doctor is built
// from parts of the server.
func (s *Server) SetExaminer(examine Examiner) { s.examine = examine }

// checkHealth returns the check that the console offers, or nil. A check ends with
// background at the latest.
func (s *Server) checkHealth(background context.Context) func(context.Context) (console.HealthReport, error) {
	if s.examine == nil {
		return nil
	}
	return func(ctx context.Context) (console.HealthReport, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(background, cancel)()
		found, err := s.examine(ctx, s.published.Load())
		report := console.HealthReport{
			Findings: found, Revision: s.build.Revision, GoVersion: s.build.GoVersion,
		}
		if state := s.reloadState.Load(); state != nil {
			report.Reload = *state
		}
		return report, err
	}
}

// adopt puts the configuration of the start in force.
func (s *Server) adopt() {
	s.current = *s.configured
	s.current.Storage = slices.Clone(s.configured.Storage)
	s.publish()
}

// publish makes the configuration in force visible to other goroutines. Only Reload changes
// current, one call at a time.
func (s *Server) publish() {
	published := s.current
	published.Storage = slices.Clone(s.current.Storage)
	s.published.Store(&published)
}

// recordReload stores the result of an attempt to reload the configuration, for the metric
// and for the console. pending says that the attempt is repeated. reason is that of a
// failure; empty: the attempt succeeded.
func (s *Server) recordReload(pending bool, reason string, needRestart []string) {
	s.reloadState.Store(&console.ReloadState{
		At: time.Now(), Failed: reason != "", Reason: reason, NeedRestart: needRestart,
	})
	failed := 0.0
	if pending {
		failed = 1
	}
	s.reloadFailed.Set(failed)
}
