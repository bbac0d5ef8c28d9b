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
	headers := fixedHeaders("no-store", "default-src 'none'; frame-ancestors 'none'")
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
func fixedHeaders(cache, policy string, more ...fixedHeader) []fixedHeader {
	return append([]fixedHeader{
		{"Cache-Control", []string{cache}},
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
	closeWhereAmbiguous(c)
}

// closeWhereAmbiguous closes the connection after a request whose end a proxy may
// find elsewhere, because the proxy could take what follows for another request.
// That is one in chunks, which may state a length too (RFC 9112 section 6.1), and
// every one of HTTP/1.0, which may state chunks too: net/http removes either header
// before a handler can see it.
func closeWhereAmbiguous(c echo.Context) {
	if r := c.Request(); len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
		c.Response().Header().Set("Connection", "close")
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
// the three parts of one is looked at. The holder is told why a token is refused; what
// it says of itself is for the log only.
func (a *API) holderOfToken(c echo.Context, token string) (*gateway.Actor, error) {
	if strings.Count(token, ".") != 2 {
		return nil, a.guessed(c, "this service does not know that operator key")
	}
	tokens := a.tokens.Load()
	if tokens == nil {
		return nil, a.guessed(c, "this service takes no tokens of an identity provider; use an operator key")
	}
	actor, err := (*tokens).Verify(c.Request().Context(), token)
	var refused *gateway.TokenError
	switch {
	case err == nil:
		return actor, nil
	case errors.Is(err, gateway.ErrIssuer):
		const why = "the identity provider is not the one of operator.oidc.issuer: " +
			"the configuration must be corrected; use an operator key until then"
		return nil, &gateway.Error{Code: gateway.CodeUnavailable, Message: why, Err: err}
	case errors.Is(err, gateway.ErrUnavailable):
		const why = "the identity provider cannot be asked now; try again, or use an operator key"
		return nil, &gateway.Error{Code: gateway.CodeUnavailable, Message: why, Err: err}
	case errors.As(err, &refused):
		a.o.Logger.Info("token refused", "reason", string(refused.Reason), "error", refused.Err)
		if refused.Reason.Signed() { // nobody guesses what the provider has signed
			return nil, invalidToken(c, refusalOf(refused.Reason))
		}
		return nil, a.guessed(c, refusalOf(refused.Reason))
	}
	a.o.Logger.Info("token refused", "error", err)
	return nil, a.guessed(c, refusalOf(gateway.TokenMalformed))
}

// refusalOf tells the holder of a token why it is refused. The sentences stand in a
// header too: ASCII without quotes and backslashes, RFC 6750 section 3.
func refusalOf(reason gateway.TokenReason) string {
	switch reason {
	case gateway.TokenExpired:
		return "the token has expired"
	case gateway.TokenNotYet:
		return "the token is not valid yet"
	case gateway.TokenAudience:
		return "the token is for another audience than this service"
	case gateway.TokenClient:
		return "the token was issued to a client that this service does not accept"
	case gateway.TokenIssuer:
		return "the token is of another issuer than the identity provider of this service"
	case gateway.TokenSignature:
		return "the token is not signed by a key of the identity provider of this service"
	case gateway.TokenKind:
		return "the token is neither an access token nor an ID token"
	case gateway.TokenNoName:
		return "the token does not say whose it is"
	default:
		return "this is no token that the service understands"
	}
}

// guessed refuses what may be a guess, and after too many of them from one address
// says no more than that. A right key passes from there all the same.
func (a *API) guessed(c echo.Context, why string) error {
	if wait := a.keyGuesses.Failed(peerOf(c.Request())); wait > 0 {
		return &gateway.Error{Code: gateway.CodeRateLimited, Message: "too many wrong keys came from this address; wait and try again", Wait: wait}
	}
	return invalidToken(c, why)
}

// bearer reads the one Authorization header, RFC 6750 section 2.1. One or more spaces
// separate the key from the scheme, RFC 9110 section 11.4.
func bearer(headers []string) (string, bool) {
	if len(headers) != 1 {
		return "", false
	}
	scheme, key, ok := strings.Cut(headers[0], " ")
	key = strings.TrimLeft(key, " ")
	return key, ok && strings.EqualFold(scheme, "Bearer") && key != ""
}

// challenge says how to be admitted, RFC 9110 section 11.6.1.
const challenge = `Bearer realm="keyhole"`

// unauthorized refuses a request that came without a credential.
func unauthorized(c echo.Context, why string) error {
	c.Response().Header().Set("WWW-Authenticate", challenge)
	return &gateway.Error{Code: gateway.CodeUnauthorized, Message: why}
}

// invalidToken refuses a key or a token, which are both bearer tokens, RFC 6750 section
// 3.1. The text must be one that fits into the header.
func invalidToken(c echo.Context, why string) error {
	c.Response().Header().Set("WWW-Authenticate", challenge+`, error="invalid_token", error_description="`+why+`"`)
	return &gateway.Error{Code: gateway.CodeUnauthorized, Message: why}
}

// actorOf returns the key that authenticate found.
func actorOf(c echo.Context) *gateway.Actor {
	return c.Get(contextActor).(*gateway.Actor)
}
