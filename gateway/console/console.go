package console

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
)

// Options configures a Console. Every field is required unless its comment says otherwise.
type Options struct {
	Service  *gateway.Service
	Sessions *admission.Sessions
	// PublicURL is the address of the recipients' listener, without a path: links begin
	// with it.
	PublicURL string
	// OperatorURL is the address of the operators' listener as browsers see it, without a
	// path; it may be empty.
	OperatorURL string
	// Hosts are further names of the operators' listener, host or host:port. It may be
	// empty. Requests for other names are refused, because a foreign site may have made
	// its name point here (DNS rebinding).
	Hosts []string
	// Secure means that browsers reach the listener by https.
	Secure bool
	// ClearText means that operators come over plain http from other machines. The page for
	// the sign-in then warns.
	ClearText bool
	// Proxies are the networks of the proxies in front of the operators' listener. Keyhole
	// trusts their X-Forwarded-For and X-Request-Id. It may be empty.
	Proxies []netip.Prefix
	// RequestTimeout is the time limit of a whole request. It must leave time to send the
	// answer within the server's write timeout.
	RequestTimeout time.Duration
	// FormatAddress returns the form of a client's address that events and the log may
	// contain; "" to omit the address.
	FormatAddress func(netip.Addr) string
	Metrics       *Metrics
	// Health checks the installation within the time limit of its context. One call runs at
	// a time. nil: there is no page about the health of the service.
	Health func(context.Context) (HealthReport, error)
	// RecipientPages shows operators what recipients see; nil: there is no preview.
	RecipientPages RecipientPages
	// OneTimeSignIn is the sign-in of keyhole demo; nil: there is none.
	OneTimeSignIn *OneTimeSignIn
	// Version is the version of the service; it may be empty.
	Version string
	Logger  *slog.Logger
	Now     func() time.Time
}

// Console serves the pages for operators. It is safe for concurrent use.
type Console struct {
	o       Options
	hosts   map[string]bool // lower case, without port
	origins *http.CrossOriginProtection
	static  *staticFiles
	pages   templates
	health  *healthChecks // nil: no Health
	gzip    sync.Pool     // of *gzip.Writer, each about 1 MB
	handler http.Handler
}

// New returns a Console. It fails if an embedded file is damaged, or if an address of the
// options cannot be a trusted origin.
func New(o Options) (*Console, error) {
	static, err := loadStatic()
	if err != nil {
		return nil, err
	}
	pages, err := parseTemplates(static)
	if err != nil {
		return nil, err
	}
	c := &Console{o: o, static: static, pages: pages}
	if o.Health != nil {
		c.health = &healthChecks{check: o.Health, now: o.Now, log: o.Logger}
	}
	if c.hosts, c.origins, err = trusted(&o); err != nil {
		return nil, err
	}
	c.handler = c.newEcho()
	return c, nil
}

// ServeHTTP serves the paths that Serves reports.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// Serves reports whether a request to the operators' listener is for the console: every
// path below /console, and the root in a browser.
func Serves(r *http.Request) bool {
	path := r.URL.Path
	if path == "/" {
		return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
			strings.Contains(strings.Join(r.Header["Accept"], ","), "text/html")
	}
	return path == base || strings.HasPrefix(path, base+"/")
}

// newEcho returns the echo with all routes and middleware. It turns off the defaults of
// echo that print to the terminal or trust headers.
func (c *Console) newEcho() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard) // logRequest writes the log.
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = c.writeError
	// The order matters: logRequest needs the name and logs the refusals of everything after
	// it, and secureHeaders runs before the first refusal.
	e.Use(c.nameRequest, c.logRequest, secureHeaders, c.checkHost, c.boundTime, c.findOperatorOfError)
	for _, r := range c.routes() {
		var chain []echo.MiddlewareFunc
		// The origin is checked before the session: a request of another site must not keep a
		// session alive.
		if r.changesState {
			chain = append(chain, c.checkOrigin)
		}
		if !r.signedOut {
			chain = append(chain, c.requireSession)
		}
		handler := func(ctx echo.Context) error { return r.handler(c, ctx) }
		e.Add(r.method, r.path, handler, chain...)
		// A resource that answers GET answers HEAD too (RFC 9110 section 9.1).
		if r.method == http.MethodGet {
			e.Add(http.MethodHead, r.path, handler, chain...)
		}
	}
	return e
}
