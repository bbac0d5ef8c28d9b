package server

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/gateway/console"
)

// newConsole returns the pages for operators, over the parts that Start has made; nil if
// the configuration turns them off. background ends when the server stops.
func (s *Server) newConsole(
	background context.Context, format func(netip.Addr) string, registry *prometheus.Registry,
) (*console.Console, error) {
	cfg := s.configured
	if !cfg.Console.Enabled {
		return nil, nil //nolint:nilnil // operatorHandler knows that there is none.
	}
	return console.New(console.Options{
		Service: s.domain, Sessions: s.sessions, PublicURL: cfg.Public.URL,
		OperatorURL: cfg.Operator.URL, Hosts: cfg.Operator.Hosts,
		Secure:    cfg.Operator.TLS.CertFile != "" || strings.HasPrefix(cfg.Operator.URL, "https://"),
		ClearText: cfg.Operator.ClearText(), Proxies: cfg.Operator.ProxyPrefixes(), RequestTimeout: operatorTimeout,
		FormatAddress: format, Metrics: console.NewMetrics(registry), Version: s.build.Version, Logger: s.log.Logger,
		Now: time.Now, Health: s.checkHealth(background), OneTimeSignIn: s.oneTimeSignIn,
		RecipientPages: &s.previews,
	})
}

// SignInOnce lets one browser of this machine sign in to the console with an operator key,
// and returns the path of the page that does it. It must be called before Start, and only
// if nobody else can reach the listeners.
func (s *Server) SignInOnce(key string) string {
	s.oneTimeSignIn = console.NewOneTimeSignIn(key, time.Now)
	return s.oneTimeSignIn.Path()
}

// operatorHandler returns the handler of the operators' listener: the console for its
// pages, and the API for everything else.
func operatorHandler(pages *console.Console, api http.Handler) http.Handler {
	if pages == nil {
		return api
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if console.Serves(r) {
			pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}
