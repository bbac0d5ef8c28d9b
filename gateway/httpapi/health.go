package httpapi

import (
	_ "embed"
	"net/http"

	"github.com/labstack/echo/v4"

	"keyhole/gateway/api"
)

// alive answers GET /livez with 200 while the process serves requests, also if Redis is
// unreachable.
func (a *API) alive(c echo.Context) error {
	return writeBody(c, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

// ready answers GET /readyz: 200 if Redis responds now as a writable master. The answer
// lists failing storages, but they do not change the status, because a restart of this
// service does not repair a storage.
func (a *API) ready(c echo.Context) error {
	readiness := a.o.Ready(c.Request().Context())
	status := http.StatusOK
	if !readiness.Ready {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(c, status, api.MediaType, readiness)
}

// metrics answers GET /metrics.
func (a *API) metrics(c echo.Context) error {
	a.o.MetricsPage.ServeHTTP(c.Response(), c.Request())
	return nil
}

//go:embed openapi.yaml
var openAPIDescription []byte

// openAPI answers GET /api/v1/openapi.yaml, the description of this API.
func (a *API) openAPI(c echo.Context) error {
	return writeBody(c, http.StatusOK, "application/yaml", openAPIDescription)
}
