package httpapi

import (
	"crypto/rand"
	"encoding/base32"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// requestIDHeader is the header that names a request, in canonical form.
const requestIDHeader = "X-Request-Id"

// maxRequestID is the length of the longest X-Request-Id that is accepted.
const maxRequestID = 64

// nameRequest gives each request of an operator a name, and sends it with the answer. The
// log has the name too, so that an operator who reports an error can be found there.
func (a *API) nameRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		name := a.requestName(c.Request())
		c.Set(contextName, name)
		c.Response().Header()[requestIDHeader] = []string{name}
		return next(c)
	}
}

// requestName returns the X-Request-Id of a trusted proxy if it is well-formed, or else a
// new name. Other clients cannot choose the name: they could make two requests look like
// one in the log.
func (a *API) requestName(r *http.Request) string {
	if sent := r.Header[requestIDHeader]; len(sent) == 1 && validRequestID(sent[0]) &&
		containedIn(a.o.OperatorProxies, peerOf(r)) {
		return sent[0]
	}
	drawn := make([]byte, 16)
	_, _ = rand.Read(drawn) // It never fails.
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(drawn))
}

// validRequestID reports whether s matches [A-Za-z0-9._-]{1,64}.
func validRequestID(s string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return s != "" && len(s) <= maxRequestID && strings.Trim(s, allowed) == ""
}

// requestNameOf returns the name of a request, "" for a listener that names none.
func requestNameOf(c echo.Context) string {
	name, _ := c.Get(contextName).(string)
	return name
}
