package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
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
	// Pages are the languages and the branding of the pages for recipients until SetPages
	// replaces them. The zero value is valid.
	Pages pages.Options
	// TrustedProxies are the networks of the proxies whose X-Forwarded-For Keyhole
	// trusts. It may be empty.
	TrustedProxies []netip.Prefix
	// OperatorProxies are the networks of the proxies in front of the listener for
	// operators. Keyhole trusts their X-Forwarded-For and X-Request-Id. It may be empty.
	OperatorProxies []netip.Prefix
	// Operators admits operators by key or token.
	Operators *admission.Authenticator
	// RequestTimeout is the time limit of a whole operator request; 0: no limit. It must
	// leave time to send the answer within the server's write timeout.
	RequestTimeout time.Duration
	// FormatAddress returns the form of a client's address that events and the log may
	// contain; "" to omit the address.
	FormatAddress func(netip.Addr) string
	// AddressForms returns every form in which events may hold an address. Its error is
	// gateway.ErrUnavailable.
	AddressForms func(context.Context, netip.Addr) ([]string, error)
	// Ready reports whether the service can serve clicks now, and the faults of Redis and
	// the storages.
	Ready       func(context.Context) api.Readiness
	Metrics     *Metrics
	MetricsPage http.Handler // answers GET /metrics
	// MetricsApart means that probes have a separate listener, so the handler for
	// operators does not serve their routes.
	MetricsApart bool
	// Cursors opens the probes of keyhole doctor and seals the answers; nil: a probe is a
	// request like every other one.
	Cursors gateway.Cursors
	// Version is the version of the service, for operators; it may be empty.
	Version string
	Logger  *slog.Logger
}

// API makes the handlers of the listeners. It is safe for concurrent use.
type API struct {
	o      Options
	pages  atomic.Pointer[pageSet]
	secure bool          // recipients come over https
	public []fixedHeader // of every answer to recipients
	empty  []fixedHeader // of an answer without content
	// renderConfirmation renders the pages that cannot be rendered in advance.
	renderConfirmation func(*pages.Locale, pages.Confirmation) ([]byte, error)
	// clickMethods are the methods of a link, for the Allow header.
	clickMethods string
	proxyWarning sync.Once // about a proxy that public.trusted_proxies lacks
}

// New returns an API. It fails if Options.Pages has an unknown language, or if an embedded
// page cannot be parsed.
func New(o Options) (*API, error) {
	a := &API{
		o: o, secure: strings.HasPrefix(o.PublicURL, "https://"), renderConfirmation: (*pages.Locale).Confirmation,
		empty: []fixedHeader{{"Content-Length", []string{"0"}}}, clickMethods: allowedMethods(recipients, clickPath),
		// no-transform: without it Cloudflare, for example, rewrites addresses in pages.
		public: fixedHeaders("no-store, no-transform", pages.Policy(""),
			fixedHeader{"X-Robots-Tag", []string{"noindex, nofollow"}}),
	}
	return a, a.SetPages(o.Pages)
}

// newEcho returns an echo for one audience. It turns off the defaults of echo that print
// to the terminal or trust headers.
func (a *API) newEcho(to audience) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard) // logRequest writes the log.
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = a.errorWriter(to)
	if to == operators {
		e.Use(a.nameRequest)
	}
	if to != recipients {
		e.Use(a.logRequest, secureHeaders, refuseOptions, a.boundTime)
	}
	return e
}
