package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
)

// The keys under which a request's context carries what later steps need.
const (
	contextActor = "actor"
	contextLink  = "link"
)

// secureHeaders sets what every answer of the operator listener carries.
func secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	headers := fixedHeaders("default-src 'none'; frame-ancestors 'none'")
	return func(c echo.Context) error {
		setHeaders(c, headers)
		return next(c)
	}
}

// fixedHeader is a header that many answers carry. Its value is made once: net/http
// only reads it.
type fixedHeader struct {
	name  string // in canonical form
	value []string
}

// fixedHeaders returns what every answer of a listener carries.
func fixedHeaders(policy string, more ...fixedHeader) []fixedHeader {
	return append([]fixedHeader{
		{"Cache-Control", []string{"no-store"}},
		{"X-Content-Type-Options", []string{"nosniff"}},
		{"Referrer-Policy", []string{"no-referrer"}},
		{"Content-Security-Policy", []string{policy}},
	}, more...)
}

// setHeaders sets what every answer of a listener carries.
func setHeaders(c echo.Context, headers []fixedHeader) {
	h := c.Response().Header()
	for i := range headers {
		h[headers[i].name] = headers[i].value
	}
	closeAfterChunks(c)
}

// closeAfterChunks ends the connection after a request in chunks. One that says
// a length too may hide a second request from a proxy (RFC 9112 section 6.1), and
// net/http drops that length before anybody can see it.
func closeAfterChunks(c echo.Context) {
	if len(c.Request().TransferEncoding) > 0 {
		c.Response().Header().Set("Connection", "close")
	}
}

// logRequest writes one line and counts one request when it is answered.
// Health checks and scrapes are not worth a line.
func (a *API) logRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begun := time.Now()
		err := a.guard(next, c)
		if err != nil {
			c.Error(err)
		}
		route := c.Path()
		if !strings.HasPrefix(route, "/api/") {
			if route != "" {
				return nil
			}
			route = "none"
		}
		status := c.Response().Status
		if errors.Is(c.Request().Context().Err(), context.Canceled) {
			status = statusClientGone
		}
		a.o.Metrics.APIRequest(route, c.Request().Method, strconv.Itoa(status))
		attrs := []slog.Attr{
			slog.String("route", route),
			slog.String("method", foldMethod(c.Request().Method)),
			slog.Int("status", status),
			microseconds(time.Since(begun)),
			slog.String("address", a.operatorAddress(c)),
		}
		if actor, ok := c.Get(contextActor).(*gateway.Actor); ok {
			attrs = append(attrs, slog.String("actor", actor.Name))
		}
		if id, ok := c.Get(contextLink).(gateway.ID); ok {
			attrs = append(attrs, slog.String("link", id.String()))
		}
		level := slog.LevelInfo
		if status == http.StatusInternalServerError { // an outage has its own line; this is ours to mend
			level = slog.LevelError
		}
		if err != nil && status >= http.StatusBadRequest {
			attrs = append(attrs, slog.String("error", err.Error()))
		}
		a.o.Logger.LogAttrs(c.Request().Context(), level, "operator request", attrs...)
		return nil
	}
}

// statusClientGone stands in log and metrics for the answer to a client that had
// hung up before it: no failure of the service's. 499 is nginx' number for it.
const statusClientGone = 499

// microseconds writes how long a request took. A fraction would cost a line's
// handler as much as all the rest of it.
func microseconds(d time.Duration) slog.Attr {
	return slog.Int64("duration_us", d.Microseconds())
}

// refuseOptions answers OPTIONS like any method that a path does not know: the
// router would answer it by itself, without a key.
func refuseOptions(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method == http.MethodOptions && c.Get(echo.ContextKeyHeaderAllow) != nil {
			return echo.ErrMethodNotAllowed
		}
		return next(c)
	}
}

// foldMethod bounds what clients could otherwise invent values for in the log.
func foldMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete:
		return method
	}
	return "other"
}

// errPanic marks a handler that panicked.
var errPanic = errors.New("handler panicked")

// guard calls next and turns a panic into an error.
func (a *API) guard(next echo.HandlerFunc, c echo.Context) (err error) {
	defer a.recovered(&err)
	return next(c)
}

// recovered turns a panic of the function that defers it into an error. What it
// panicked with may hold anything, a key or a signature too, so the place is
// logged, never the value.
func (a *API) recovered(err *error) {
	if recover() != nil {
		a.o.Logger.Error("handler panicked", "stack", string(debug.Stack()))
		*err = errPanic
	}
}

// authenticate finds who presents the Authorization header: by an operator key, or
// by a token of the identity provider where one is configured.
func (a *API) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		presented, ok := bearer(c.Request().Header["Authorization"])
		if !ok {
			return unauthorized(c, "an operator key is needed: Authorization: Bearer KEY")
		}
		actor := a.holderOf(presented)
		if actor == nil {
			var err error
			if actor, err = a.holderOfToken(c, presented); err != nil {
				return err
			}
		}
		actor.Address = a.operatorAddress(c)
		c.Set(contextActor, actor)
		if err := a.rates.admit(c.Response().Header(), actor.Name); err != nil {
			return err
		}
		return next(c)
	}
}

// holderOf returns who has an operator key, nil for one that nobody has. Every key is
// compared, in constant time, so that the time says nothing about which.
func (a *API) holderOf(key string) *gateway.Actor {
	sum := sha256.Sum256([]byte(key))
	var found *OperatorKey
	keys := *a.keys.Load()
	for i := range keys {
		if subtle.ConstantTimeCompare(sum[:], keys[i].SHA256[:]) == 1 {
			found = &keys[i]
		}
	}
	if found == nil {
		return nil
	}
	return &gateway.Actor{Name: found.Name, Can: found.Can, Objects: found.Objects, MaxExpiry: found.MaxExpiry}
}

// holderOfToken returns who holds a token of the identity provider. Only what has
// the three parts of one is looked at: what it says of itself is for the log alone.
func (a *API) holderOfToken(c echo.Context, token string) (*gateway.Actor, error) {
	tokens := a.tokens.Load()
	if tokens == nil || strings.Count(token, ".") != 2 {
		return nil, a.wrongKey(c)
	}
	actor, err := (*tokens).Verify(c.Request().Context(), token)
	switch {
	case errors.Is(err, gateway.ErrUnavailable):
		return nil, &gateway.Error{Code: gateway.CodeUnavailable, Message: "the identity provider cannot be asked now; try again, or use an operator key", Err: err}
	case err != nil:
		a.o.Logger.Info("token refused", "error", err)
		return nil, a.wrongKey(c)
	}
	return actor, nil
}

// wrongKey refuses a key that nobody has, and after too many of them from one
// address says no more than that. A right key passes from there all the same.
func (a *API) wrongKey(c echo.Context) error {
	peer := peerOf(c.Request())
	if wait := a.keyGuesses.Wait(peer); wait > 0 {
		return &gateway.Error{Code: gateway.CodeRateLimited, Message: "too many wrong keys came from this address; wait and try again", Wait: wait}
	}
	a.keyGuesses.Failed(peer)
	return unauthorized(c, "this service does not know that operator key")
}

// bearer reads the one Authorization header, RFC 6750 section 2.1.
func bearer(headers []string) (string, bool) {
	if len(headers) != 1 {
		return "", false
	}
	scheme, key, ok := strings.Cut(headers[0], " ")
	return key, ok && strings.EqualFold(scheme, "Bearer") && key != ""
}

// unauthorized refuses and says how to be admitted, RFC 9110 section 11.6.1.
func unauthorized(c echo.Context, why string) error {
	c.Response().Header().Set("WWW-Authenticate", `Bearer realm="keyhole"`)
	return &gateway.Error{Code: gateway.CodeUnauthorized, Message: why}
}

// actorOf returns the key that authenticate found.
func actorOf(c echo.Context) *gateway.Actor {
	return c.Get(contextActor).(*gateway.Actor)
}
