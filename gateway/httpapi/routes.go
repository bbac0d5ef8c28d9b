package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// route is one line of the table: what is asked with which method, and who answers.
type route struct {
	method  string
	path    string // echo's pattern; also the label of metrics and the path in the OpenAPI description
	handler func(*API, echo.Context) error
}

// operatorRoutes need an operator key.
func operatorRoutes() []route {
	return []route{
		{http.MethodPost, "/api/v1/links", (*API).issueLink},
		{http.MethodGet, "/api/v1/links", (*API).listLinks},
		{http.MethodGet, "/api/v1/links/:id", (*API).showLink},
		{http.MethodPatch, "/api/v1/links/:id", (*API).changeLink},
		{http.MethodDelete, "/api/v1/links/:id", (*API).revokeLink},
		{http.MethodGet, "/api/v1/links/:id/events", (*API).linkEvents},
		{http.MethodPost, "/api/v1/revocations", (*API).revokeLinks},
		{http.MethodGet, "/api/v1/audit", (*API).audit},
		{http.MethodGet, "/api/v1/buckets", (*API).listBuckets},
		{http.MethodGet, "/api/v1/objects", (*API).listObjects},
		{http.MethodGet, "/api/v1/openapi.yaml", (*API).openAPI},
	}
}

// healthRoutes need no key. They are on the operator listener, or on one of
// their own where metrics.listen is set.
func healthRoutes() []route {
	return []route{
		{http.MethodGet, "/metrics", (*API).metrics},
		{http.MethodGet, "/livez", (*API).alive},
		{http.MethodGet, "/readyz", (*API).ready},
	}
}

// Public answers recipients. It has no routes: one handler judges the raw path
// of every request, because a router would decode and clean it first.
func (a *API) Public() http.Handler {
	e := newEcho()
	click := echo.HandlerFunc(a.click)
	e.Pre(func(echo.HandlerFunc) echo.HandlerFunc { return click })
	return e
}

// Operator answers operators, and dashboards unless those have their own listener.
func (a *API) Operator() http.Handler {
	e := a.newOperatorEcho()
	for _, r := range operatorRoutes() {
		e.Add(r.method, r.path, a.bind(r), a.authenticate)
	}
	if !a.o.MetricsApart {
		a.addHealth(e)
	}
	return e
}

// Health answers dashboards and orchestrators on a listener of their own.
func (a *API) Health() http.Handler {
	e := a.newOperatorEcho()
	a.addHealth(e)
	return e
}

// newOperatorEcho returns an echo whose errors are problems.
func (a *API) newOperatorEcho() *echo.Echo {
	e := newEcho()
	e.HTTPErrorHandler = a.writeProblem
	e.Use(a.logRequest, secureHeaders, refuseOptions, a.boundTime)
	return e
}

// addHealth adds the routes that need no key.
func (a *API) addHealth(e *echo.Echo) {
	for _, r := range healthRoutes() {
		e.Add(r.method, r.path, a.bind(r))
		e.HEAD(r.path, a.bind(r)) // some load balancers ask with HEAD
	}
}

// bind makes a handler of a route's method expression.
func (a *API) bind(r route) echo.HandlerFunc {
	return func(c echo.Context) error { return r.handler(a, c) }
}
