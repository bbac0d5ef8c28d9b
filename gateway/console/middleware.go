package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/request"
)

// The keys of the values that the console stores in a request's context.
const (
	contextSession = "session"
	contextLink    = "link"
	contextName    = "request_id"
)

// policy is the Content-Security-Policy of every page. Nothing is loaded from elsewhere, no
// inline script runs, and no other page can show this one in a frame.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// statusClientGone is the status in the log if the client closed the connection before the
// answer. nginx uses the same number.
const statusClientGone = 499

// nameRequest gives each request a name, and sends it with the answer.
func (c *Console) nameRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		name := request.ID(ctx.Request(), c.o.Proxies)
		ctx.Set(contextName, name)
		ctx.Response().Header()[request.IDHeader] = []string{name}
		return next(ctx)
	}
}

// logRequest writes the answer to an error, and then logs and counts the request. The log
// has neither the query nor the form, because an operator may paste a link into them.
func (c *Console) logRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		begun := c.o.Now()
		r := ctx.Request() // without the deadline of boundTime
		err := c.recoverPanic(next, ctx)
		if err != nil {
			ctx.Error(err)
		}
		status := ctx.Response().Status
		if errors.Is(context.Cause(r.Context()), context.Canceled) {
			status = statusClientGone
		}
		name := pageOf(ctx.Path())
		c.o.Metrics.request(name, status)
		// Each page loads several files, which would hide the requests of operators in the log.
		if name == "static" {
			return nil
		}
		attrs := []slog.Attr{
			slog.String("page", name), slog.String("method", methodName(r.Method)), slog.Int("status", status),
			slog.Int64("duration_us", c.o.Now().Sub(begun).Microseconds()),
			slog.String("address", c.o.FormatAddress(c.client(r))), slog.String("request_id", requestName(ctx)),
		}
		if session := sessionOf(ctx); session != nil {
			attrs = append(attrs, slog.String("actor", session.Actor.Name))
		}
		if id, ok := ctx.Get(contextLink).(gateway.ID); ok {
			attrs = append(attrs, slog.String("link", id.String()))
		}
		level := slog.LevelInfo
		if status == http.StatusInternalServerError { // a defect of this service; outages have other codes
			level = slog.LevelError
		}
		if err != nil && status >= http.StatusBadRequest {
			attrs = append(attrs, slog.String("error", err.Error()))
		}
		c.o.Logger.LogAttrs(r.Context(), level, "console request", attrs...)
		return nil
	}
}

// methodName returns a method of the console unchanged and "other" for all other methods,
// because clients can invent any number of methods.
func methodName(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
		return method
	}
	return "other"
}

// errPanic is the error of a handler that panicked.
var errPanic = errors.New("handler panicked")

// recoverPanic calls next and turns a panic into an error. It logs the stack and not the
// value, because the value may contain a key.
func (c *Console) recoverPanic(next echo.HandlerFunc, ctx echo.Context) (err error) {
	defer func() {
		if recover() != nil {
			c.o.Logger.Error("handler panicked", "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return next(ctx)
}

// secureHeaders sets the headers of every answer. serveStatic replaces Cache-Control.
func secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		h := ctx.Response().Header()
		// Pages contain URLs and passphrases, which must not outlive the session in a cache
		// (RFC 9111 section 5.2.2.5).
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY") // for browsers without frame-ancestors
		// With no-referrer, browsers send "Origin: null" with a form. Over plain http that is
		// all that checkOrigin has, so it would refuse every form.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if request.Ambiguous(ctx.Request()) {
			// A proxy may find another end of this request, and take the next bytes for another
			// request (request smuggling, RFC 9112 section 11.2).
			h.Set("Connection", "close")
		}
		return next(ctx)
	}
}

// trusted returns the names by which the listener may be addressed, and the protection
// against requests of other sites, which trusts pages of these names.
func trusted(o *Options) (map[string]bool, *http.CrossOriginProtection, error) {
	hosts, origins := map[string]bool{"localhost": true}, http.NewCrossOriginProtection()
	if o.OperatorURL != "" {
		address, err := url.Parse(o.OperatorURL)
		if err != nil {
			return nil, nil, fmt.Errorf("the address of the operators' listener: %w", err)
		}
		hosts[strings.ToLower(address.Hostname())] = true
		if err := origins.AddTrustedOrigin(address.Scheme + "://" + address.Host); err != nil {
			return nil, nil, fmt.Errorf("the address of the operators' listener: %w", err)
		}
	}
	scheme := "http://"
	if o.Secure {
		scheme = "https://"
	}
	for _, host := range o.Hosts {
		hosts[hostName(strings.ToLower(host))] = true
		if err := origins.AddTrustedOrigin(scheme + host); err != nil {
			return nil, nil, fmt.Errorf("a host of the operators' listener: %w", err)
		}
	}
	return hosts, origins, nil
}

// hostName returns a host without its port and brackets.
func hostName(host string) string {
	name := (&url.URL{Host: host}).Hostname()
	return strings.TrimSuffix(name, ".")
}

// checkHost refuses requests for names that are not of this service. A foreign site can
// make its own name point to this address, and would then count as the same origin.
func (c *Console) checkHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		name := strings.ToLower(hostName(ctx.Request().Host))
		// Any IP address is allowed as the host: DNS rebinding needs a name.
		if _, err := netip.ParseAddr(name); err != nil && !c.hosts[name] {
			return errMisdirected
		}
		return next(ctx)
	}
}

// checkOrigin refuses a change that a page of another site has sent.
func (c *Console) checkOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		if err := c.origins.Check(ctx.Request()); err != nil {
			return fmt.Errorf("%w: %w", errCrossOrigin, err)
		}
		return next(ctx)
	}
}

// boundTime gives a request the deadline of RequestTimeout.
func (c *Console) boundTime(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		bounded, cancel := context.WithTimeout(ctx.Request().Context(), c.o.RequestTimeout)
		defer cancel()
		ctx.SetRequest(ctx.Request().WithContext(bounded))
		err := next(ctx)
		if _, known := errors.AsType[*gateway.Error](err); known || err == nil || bounded.Err() == nil {
			return err
		}
		return &gateway.Error{Code: gateway.CodeUnavailable, Message: "the request took too long; try again", Err: err}
	}
}

// refreshHeader marks the automatic refreshes of a page. They do not keep a session alive.
const refreshHeader = "X-Keyhole-Refresh"

// requireSession admits operators who have signed in. A page sends others to the sign-in,
// which returns here afterwards.
func (c *Console) requireSession(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		r := ctx.Request()
		session, err := c.o.Sessions.Resume(r.Context(), c.cookie(r), c.request(r), r.Header.Get(refreshHeader) == "")
		if session != nil {
			ctx.Set(contextSession, session)
		}
		switch {
		case err == nil:
			return next(ctx)
		case errors.Is(err, admission.ErrNoSession), errors.Is(err, admission.ErrTokenExpired):
			if r.Method == http.MethodPost {
				return err // writeError keeps the input
			}
			return c.redirectToSignIn(ctx, errors.Is(err, admission.ErrTokenExpired))
		}
		return err
	}
}

// findOperatorOfError finds the operator of a request that no route answers, so that the page
// about it has the navigation. Anyone can lead a browser to such an address, so the request is
// no activity of the operator.
func (c *Console) findOperatorOfError(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		err := next(ctx)
		if _, unknown := errors.AsType[*echo.HTTPError](err); !unknown || sessionOf(ctx) != nil {
			return err
		}
		r := ctx.Request()
		session, resumeErr := c.o.Sessions.Resume(r.Context(), c.cookie(r), c.request(r), false)
		switch {
		case session != nil: // also over the rate limit, or with an expired ID token
			ctx.Set(contextSession, session)
		case !errors.Is(resumeErr, admission.ErrNoSession):
			// The page is useful without the navigation.
			c.o.Logger.Warn("error page without navigation: session not read", "error", resumeErr)
		}
		return err
	}
}

// client returns the address of the client.
func (c *Console) client(r *http.Request) netip.Addr { return request.Client(r, c.o.Proxies) }

// request returns the parts of a request that admission reads.
func (c *Console) request(r *http.Request) admission.Request {
	client := c.client(r)
	return admission.Request{Peer: client, Address: c.o.FormatAddress(client)}
}

// sessionOf returns the session of a request, or nil.
func sessionOf(ctx echo.Context) *admission.Session {
	session, _ := ctx.Get(contextSession).(*admission.Session)
	return session
}

// actorOf returns the operator who sent a request that requireSession has admitted.
func actorOf(ctx echo.Context) *gateway.Actor { return sessionOf(ctx).Actor }

// requestName returns the name of a request.
func requestName(ctx echo.Context) string {
	name, _ := ctx.Get(contextName).(string)
	return name
}
