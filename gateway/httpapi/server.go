package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/api"
	"keyhole/gateway/pages"
)

// Options configures an API. Every field is required unless its comment says otherwise.
type Options struct {
	Service *gateway.Service
	// PublicURL is the address of the public listener for recipients, without a path.
	PublicURL string
	// TrustedProxies are the networks of peers whose X-Forwarded-For is believed. It may
	// be empty.
	TrustedProxies []netip.Prefix
	// Operators admits operators by key or token.
	Operators *admission.Authenticator
	// RequestTimeout bounds the whole of an operator's request; 0 means no bound. It must
	// leave time to send the answer within the server's write timeout.
	RequestTimeout time.Duration
	// FormatAddress returns the part of a client's address that may be recorded in events
	// and in the log; "" for none of it.
	FormatAddress func(netip.Addr) string
	// Ready checks whether the service can serve clicks now.
	Ready       func(context.Context) api.Readiness
	Metrics     *Metrics
	MetricsPage http.Handler // answers GET /metrics
	// MetricsApart keeps the routes of probes off the handler for operators, because
	// they have their own listener.
	MetricsApart bool
	Logger       *slog.Logger
}

// API makes the handlers of the listeners. It is safe for concurrent use.
type API struct {
	o        Options
	pages    pageRenderer
	refusals map[gateway.Outcome]*refusal
	// prefetched refuses a link that a browser loaded before its user opened it.
	prefetched *refusal
	secure     bool          // recipients come over https
	public     []fixedHeader // of every answer to recipients
	empty      []fixedHeader // of an answer without content
	// clickMethods are the methods of a link, for the Allow header.
	clickMethods string
	proxyWarning sync.Once // of a proxy that is missing in the configuration
}

// New returns an API. It fails only if an embedded page cannot be parsed.
func New(o Options) (*API, error) {
	renderer, err := pages.New(pages.Options{Messages: pages.English()})
	if err != nil {
		return nil, err
	}
	refusals, prefetched, err := newRefusals(renderer)
	if err != nil {
		return nil, err
	}
	a := &API{
		o: o, pages: renderer, refusals: refusals, prefetched: prefetched, secure: strings.HasPrefix(o.PublicURL, "https://"),
		empty: []fixedHeader{{"Content-Length", []string{"0"}}}, clickMethods: allowedMethods(recipients, clickPath),
		// no-transform: Cloudflare, for one, otherwise rewrites addresses in pages.
		public: fixedHeaders("no-store, no-transform", renderer.Policy(""),
			fixedHeader{"X-Robots-Tag", []string{"noindex, nofollow"}}),
	}
	return a, nil
}

// newEcho returns an echo for one audience. It has none of echo's defaults that print or
// trust headers.
func (a *API) newEcho(to audience) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard) // The request log has everything.
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = a.errorWriter(to)
	if to != recipients {
		e.Use(a.logRequest, secureHeaders, refuseOptions, a.boundTime)
	}
	return e
}
