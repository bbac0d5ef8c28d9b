package server

import (
	"reflect"
	"time"

	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/admission"
)

// newSessions returns the sessions of the console, over the parts that Start has made.
func (s *Server) newSessions(metrics *gateway.Metrics) *admission.Sessions {
	c := s.configured.Console
	return admission.NewSessions(admission.SessionsOptions{
		Authenticator: s.operators, Store: s.store, Idle: c.Idle, Max: c.Max,
		Logger: s.log.Logger, Now: time.Now, SignInFailed: metrics.SignInFailed,
	})
}

// reloadSessions applies changed limits of sessions, to sessions that exist too.
func (s *Server) reloadSessions(cfg *config.Config) {
	next := s.current.Console
	next.Idle, next.Max = cfg.Console.Idle, cfg.Console.Max
	if reflect.DeepEqual(s.current.Console, next) {
		return
	}
	s.sessions.SetLimits(next.Idle, next.Max)
	s.current.Console = next
}
