package server

import (
	"reflect"
	"time"

	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/identity"
)

// newSessions returns the sessions of the console, over the parts that Start has made.
func (s *Server) newSessions(metrics *gateway.Metrics, tokens admission.TokenVerifier) *admission.Sessions {
	c := s.configured.Console
	return admission.NewSessions(admission.SessionsOptions{
		Authenticator: s.operators, Store: s.store, Idle: c.Idle, Max: c.Max,
		Provider: s.signInFlow(s.configured, tokens),
		Logger:   s.log.Logger, Now: time.Now, SignInFailed: metrics.SignInFailed,
	})
}

// callbackPath is the path at which the identity provider sends browsers back.
const callbackPath = "/console/oidc/callback"

// signInFlow returns the sign-in at the identity provider of the configuration, nil for
// none. tokens is the provider, from operatorTokens.
func (s *Server) signInFlow(cfg *config.Config, tokens admission.TokenVerifier) admission.Flow {
	provider, ok := tokens.(*identity.Provider)
	o := &cfg.Operator.OIDC
	if !ok || o.ClientID == "" || !s.configured.Console.Enabled {
		return nil
	}
	return provider.Flow(identity.Client{
		ID: o.ClientID, Secret: o.ClientSecret.Reveal(),
		// The address may have port 0 until the listener is open.
		RedirectURL: func() string { return s.configured.Operator.BaseURL(s.OperatorAddr()) + callbackPath },
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
