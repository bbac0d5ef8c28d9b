package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// audience is a group of clients. The audience of a route decides which listener serves
// the route, how clients are admitted, and in which form they get errors.
type audience int

const (
	recipients audience = iota // have a link; errors by their Accept header
	operators                  // have an operator key or a token; errors as problem+json
	probes                     // scrape metrics and check health, without a credential; errors as problem+json
)

// String returns the name of the audience.
func (a audience) String() string {
	return [...]string{recipients: "recipients", operators: "operators", probes: "probes"}[a]
}

// route is one line of the table of routes.
type route struct {
	method   string
	path     string // echo's pattern; also the label of metrics and the path in openapi.yaml
	audience audience
	// changesState says that the client requests a change of state. A GET of a link is
	// not such a request although Keyhole counts it: RFC 9110 section 9.2.1 calls GET
	// safe.
	changesState bool
	handler      func(*API, echo.Context) error
}

// read makes a route that changes nothing.
func read(by audience, path string, handler func(*API, echo.Context) error) route {
	return route{method: http.MethodGet, path: path, audience: by, handler: handler}
}

// change makes a route that changes state. No other function makes one, so that protection
// against cross-origin requests can be added in one place.
func change(by audience, method, path string, handler func(*API, echo.Context) error) route {
	return route{method: method, path: path, audience: by, changesState: true, handler: handler}
}

// clickPath stands for the path of a link, whose token is the whole path.
const clickPath = "/:token"

// routes returns the table of all routes.
func routes() []route {
	return []route{
		// One handler takes all requests of recipients and compares their raw paths.
		read(recipients, robotsPath, (*API).recipientRequest),
		read(recipients, clickPath, (*API).recipientRequest),
		change(recipients, http.MethodPost, clickPath, (*API).recipientRequest),

		change(operators, http.MethodPost, "/api/v1/links", (*API).issueLink),
		change(operators, http.MethodPost, "/api/v1/links:batch", (*API).issueBatch),
		read(operators, "/api/v1/links", (*API).listLinks),
		read(operators, "/api/v1/links/:id", (*API).showLink),
		change(operators, http.MethodPatch, "/api/v1/links/:id", (*API).changeLink),
		change(operators, http.MethodDelete, "/api/v1/links/:id", (*API).revokeLink),
		read(operators, "/api/v1/links/:id/events", (*API).linkEvents),
		change(operators, http.MethodPost, "/api/v1/revocations", (*API).revokeLinks),
		read(operators, "/api/v1/audit", (*API).audit),
		change(operators, http.MethodPost, "/api/v1/audit/erasures", (*API).eraseAddresses),
		read(operators, "/api/v1/buckets", (*API).listBuckets),
		read(operators, "/api/v1/objects", (*API).listObjects),
		read(operators, "/api/v1/operator", (*API).showOperator),
		read(operators, "/api/v1/openapi.yaml", (*API).openAPI),

		// On the operator listener, or on a separate listener if metrics.listen is set.
		read(probes, "/metrics", (*API).metrics),
		read(probes, "/livez", (*API).alive),
		read(probes, "/readyz", (*API).ready),
	}
}

// routesOf returns the routes of one audience.
func routesOf(to audience) []route {
	return slices.DeleteFunc(routes(), func(r route) bool { return r.audience != to })
}

// allowedMethods returns the methods of a path for the Allow header, HEAD with GET.
func allowedMethods(to audience, path string) string {
	var methods []string
	for _, r := range routesOf(to) {
		if r.path != path {
			continue
		}
		if methods = append(methods, r.method); r.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	return strings.Join(methods, ", ")
}

// Public returns the handler for recipients. It has no router: a router would decode and
// clean paths before the handler compares them.
func (a *API) Public() http.Handler {
	e := a.newEcho(recipients)
	handler := echo.HandlerFunc(a.recipientRequest) // made once: echo asks for it at each request
	e.Pre(func(echo.HandlerFunc) echo.HandlerFunc { return handler })
	if !a.secure {
		return e
	}
	return a.strictTransport(e)
}

// Operator returns the handler for operators. It also serves probes, unless MetricsApart
// is set.
func (a *API) Operator() http.Handler {
	e := a.newEcho(operators)
	a.register(e, operators, a.authenticate)
	if !a.o.MetricsApart {
		a.register(e, probes)
	}
	return e
}

// Health returns the handler for probes on their own listener.
func (a *API) Health() http.Handler {
	e := a.newEcho(probes)
	a.register(e, probes)
	return e
}

// register adds the routes of one audience. No other function adds routes.
func (a *API) register(e *echo.Echo, to audience, middleware ...echo.MiddlewareFunc) {
	for _, r := range routesOf(to) {
		handler := func(c echo.Context) error { return r.handler(a, c) }
		e.Add(r.method, echoPath(r.path), handler, middleware...)
		if to == probes { // some load balancers ask with HEAD
			e.Add(http.MethodHead, r.path, handler, middleware...)
		}
	}
}

// echoPath returns a path of the table in the form that echo reads. A colon after a slash
// begins a parameter; echo needs a backslash before every other colon.
func echoPath(path string) string {
	escaped := strings.ReplaceAll(path, ":", `\:`)
	return strings.ReplaceAll(escaped, `/\:`, "/:")
}

// tablePath returns the path of the table for a path that echoPath returned.
func tablePath(path string) string { return strings.ReplaceAll(path, `\:`, ":") }
