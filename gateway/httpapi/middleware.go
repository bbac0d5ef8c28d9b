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

// The keys of the values that handlers store in a request's context.
const (
	contextActor = "actor"
	contextLink  = "link"
	contextBatch = "batch"
	contextName  = "request_id"
)

// secureHeaders sets the headers of every answer to operators and probes.
func secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	headers := fixedHeaders("no-store", "default-src 'none'; frame-ancestors 'none'")
	return func(c echo.Context) error {
		setHeaders(c, headers)
		return next(c)
	}
}

// logRequest writes the answer to an error, and then logs and counts the request. It does
// not log or count health checks and scrapes.
func (a *API) logRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begun := time.Now()
		ctx := c.Request().Context() // without the deadline of boundTime
		err := a.recoverPanic(next, c)
		if err != nil {
			c.Error(err)
		}
		route := tablePath(c.Path())
		if !strings.HasPrefix(route, "/api/") {
			if route != "" {
				return nil
			}
			route = "none"
		}
		status := c.Response().Status
		if errors.Is(context.Cause(ctx), context.Canceled) { // the client closed the connection; a shutdown has another cause
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
		if name := requestNameOf(c); name != "" {
			attrs = append(attrs, slog.String("request_id", name))
		}
		if actor, ok := c.Get(contextActor).(*gateway.Actor); ok {
			attrs = append(attrs, slog.String("actor", actor.Name))
		}
		if id, ok := c.Get(contextLink).(gateway.ID); ok {
			attrs = append(attrs, slog.String("link", id.String()))
		}
		level := slog.LevelInfo
		if batch, ok := c.Get(contextBatch).(*batchSummary); ok {
			attrs = append(attrs, batch.attrs()...)
			level = batch.level()
		}
		if status == http.StatusInternalServerError { // a defect of this service; outages have other codes
			level = slog.LevelError
		}
		if err != nil && status >= http.StatusBadRequest {
			attrs = append(attrs, slog.String("error", err.Error()))
		}
		a.o.Logger.LogAttrs(ctx, level, "operator request", attrs...)
		return nil
	}
}

// boundTime gives an operator's request the deadline of RequestTimeout. The timeouts of
// Redis and of the storages limit single calls, and one request makes several calls. If
// the deadline passes or the service stops, the request gets 503 before the write timeout
// of its connection.
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
		if _, known := errors.AsType[*gateway.Error](err); known || err == nil || ctx.Err() == nil {
			return err
		}
		return &gateway.Error{Code: gateway.CodeUnavailable, Message: "the request took too long; try again", Err: err}
	}
}

// statusClientGone is the status in log and metrics if the client closed the connection
// before the answer, which is not a failure of the service. nginx uses the same number.
const statusClientGone = 499

// microseconds returns the duration of a request for the log, as an integer, because
// formatting a fraction would cost as much as the rest of the line.
func microseconds(d time.Duration) slog.Attr {
	return slog.Int64("duration_us", d.Microseconds())
}

// refuseOptions answers OPTIONS like every other method that a path does not support.
// Without refuseOptions, the router would answer OPTIONS itself, before it checks the
// key.
func refuseOptions(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method == http.MethodOptions && c.Get(echo.ContextKeyHeaderAllow) != nil {
			return echo.ErrMethodNotAllowed
		}
		return next(c)
	}
}

// foldMethod returns a known method unchanged and "other" for all other methods, because
// clients can invent any number of methods.
func foldMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete:
		return method
	}
	return "other"
}

// errPanic is the error of a handler that panicked.
var errPanic = errors.New("handler panicked")

// recoverPanic calls next and turns a panic into an error.
func (a *API) recoverPanic(next echo.HandlerFunc, c echo.Context) (err error) {
	defer a.recovered(&err)
	return next(c)
}

// recovered turns a panic of the function that defers it into an error. It logs the stack
// and not the value, because the value may contain a key or a signature.
func (a *API) recovered(err *error) {
	if recover() != nil {
		a.o.Logger.Error("handler panicked", "stack", string(debug.Stack()))
		*err = errPanic
	}
}

// authenticate admits the operator who sent the request, and adds the headers of the
// quota.
func (a *API) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		actor, quota, err := a.o.Operators.Admit(r.Context(), admission.Request{
			Authorization: r.Header["Authorization"], Peer: a.operatorClient(r), Address: a.operatorAddress(c),
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

// setQuota sets the headers of the operator's quota
// (draft-ietf-httpapi-ratelimit-headers-10).
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
