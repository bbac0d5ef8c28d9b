package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/admission"
)

// The keys under which a request's context carries what later steps need.
const (
	contextActor = "actor"
	contextLink  = "link"
)

// secureHeaders sets what every answer of the operator listener carries.
func secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	headers := fixedHeaders("no-store", "default-src 'none'; frame-ancestors 'none'")
	return func(c echo.Context) error {
		setHeaders(c, headers)
		return next(c)
	}
}

// logRequest writes one line and counts one request when it is answered.
// Health checks and scrapes are not worth a line.
func (a *API) logRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begun := time.Now()
		ctx := c.Request().Context() // without the limit of boundTime
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
		if errors.Is(context.Cause(ctx), context.Canceled) { // a shutdown has another cause
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
		a.o.Logger.LogAttrs(ctx, level, "operator request", attrs...)
		return nil
	}
}

// boundTime ends what an operator's request waits for after RequestTimeout. The
// timeouts of Redis and of a storage bound one question each; one request asks
// several. A request that ends this way, or because the service stops, is answered
// with 503 while the connection can still be written to.
func (a *API) boundTime(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		if a.o.RequestTimeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, a.o.RequestTimeout)
			defer cancel()
			c.SetRequest(c.Request().WithContext(ctx))
		}
		err := next(c)
		var known *gateway.Error
		if err == nil || ctx.Err() == nil || errors.As(err, &known) {
			return err
		}
		return &gateway.Error{Code: gateway.CodeUnavailable, Message: "the request took too long; try again", Err: err}
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

// authenticate admits the operator who sent the request, and tells the operator's quota.
func (a *API) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		actor, quota, err := a.o.Operators.Admit(r.Context(), admission.Request{
			Authorization: r.Header["Authorization"], Peer: peerOf(r), Address: a.operatorAddress(c),
		})
		if actor != nil { // also with an error: the operator is known and has sent too many requests
			c.Set(contextActor, actor)
			setQuota(c.Response().Header(), quota)
		}
		if err != nil {
			return err
		}
		return next(c)
	}
}

// setQuota tells an operator what the quota leaves,
// draft-ietf-httpapi-ratelimit-headers-10.
func setQuota(header http.Header, q admission.Quota) {
	if q.Limit == 0 {
		return
	}
	header.Set("RateLimit-Policy", fmt.Sprintf(`"operator";q=%d;w=%s`, q.Limit, secondsOf(q.Window)))
	header.Set("RateLimit", fmt.Sprintf(`"operator";r=%d;t=%s`, q.Remaining, secondsOf(q.Reset)))
}

// actorOf returns the operator whom authenticate admitted.
func actorOf(c echo.Context) *gateway.Actor {
	return c.Get(contextActor).(*gateway.Actor)
}
