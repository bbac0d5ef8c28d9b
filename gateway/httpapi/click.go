package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/pages"
)

// publicMethods is the Allow of a 405 on the public listener.
const publicMethods = "GET, HEAD, POST"

// robots keeps every crawler out: a link is for whom it was sent to.
const robots = "User-agent: *\nDisallow: /\n"

// click answers every request of the public listener.
func (a *API) click(c echo.Context) error {
	begun := time.Now()
	setHeaders(c, a.public)
	r := c.Request()
	path := rawPath(r)
	if path == "/robots.txt" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return writeBody(c, http.StatusOK, "text/plain; charset=utf-8", []byte(robots))
	}
	client := a.recipient(r)
	attempt := gateway.Attempt{Method: r.Method, Client: client, Address: a.o.FormatAddress(client)}
	var answer gateway.Answer
	cause := a.judge(c, path, &attempt, &answer)
	if err := a.send(c, path, &answer); err != nil && !c.Response().Committed {
		// Nothing has been sent, and what was prepared must not be.
		cause = errors.Join(cause, err)
		answer = gateway.Answer{Outcome: gateway.OutcomeUnavailable}
		clear(c.Response().Header())
		setHeaders(c, a.public)
		_ = a.refuse(c, &answer) // It fails only if the client has gone.
	}
	elapsed := time.Since(begun)
	a.o.Metrics.Clicked(answer.Outcome, r.Method, elapsed)
	a.logClick(r, &attempt, &answer, begun, elapsed, cause)
	return nil // Every request has been answered, or its client has gone.
}

// send writes the answer.
func (a *API) send(c echo.Context, path string, answer *gateway.Answer) (err error) {
	defer a.recovered(&err)
	switch answer.Outcome {
	case gateway.OutcomeRedirected, gateway.OutcomeResumed:
		a.setGrant(c, path, answer)
		a.redirect(c, answer.Location)
		return nil
	case gateway.OutcomePage:
		return a.showConfirmation(c, http.StatusOK, pages.Confirmation{Page: answer.Page})
	case gateway.OutcomeWrongPassphrase:
		if answer.Page != nil && accepted(c.Request().Header["Accept"]) == formHTML {
			return a.showConfirmation(c, http.StatusForbidden, pages.Confirmation{Page: answer.Page, WrongPassphrase: true})
		}
	}
	return a.refuse(c, answer)
}

// judge goes through the checks in the order that the documentation promises.
// What it returns is for the log.
func (a *API) judge(c echo.Context, path string, attempt *gateway.Attempt, answer *gateway.Answer) (err error) {
	// A panic must not end the connection without an answer: doubt is a refusal.
	*answer = gateway.Answer{Outcome: gateway.OutcomeUnavailable}
	defer a.recovered(&err)
	r := c.Request()
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		answer.Outcome = gateway.OutcomeMethodNotAllowed
		return nil
	}
	token, ok := strings.CutPrefix(path, "/")
	if !ok || !gateway.ValidToken(token) {
		answer.Outcome = gateway.OutcomeNotFound
		return nil
	}
	attempt.ID = gateway.IDOf(token)
	// These ask nothing of the store, and anybody can send any number: no line each.
	if prefetched(r) {
		*answer = gateway.Answer{Outcome: gateway.OutcomeBadRequest, Repeated: true}
		return nil
	}
	if attempt.Form, err = formOf(c); err != nil {
		*answer = gateway.Answer{Outcome: gateway.OutcomeBadRequest, Repeated: true}
		return err
	}
	attempt.Page, attempt.Grant = wantsPage(r), grantOf(r)
	// A recipient who hangs up does not undo a click that Redis is counting.
	judged, err := a.o.Service.Click(context.WithoutCancel(r.Context()), *attempt)
	if _, known := a.refusals[pages.Refusal{Outcome: judged.Outcome}]; !known && !delivers(judged.Outcome) {
		return fmt.Errorf("there is no answer for the outcome %q", judged.Outcome)
	}
	*answer = judged
	return err
}

// delivers tells whether an outcome gives recipients what they came for.
func delivers(outcome gateway.Outcome) bool {
	switch outcome {
	case gateway.OutcomeRedirected, gateway.OutcomeResumed, gateway.OutcomePage:
		return true
	}
	return false
}

// wantsPage tells whether a link that needs confirmation is shown as a page: to
// who asks for HTML, or does not say.
func wantsPage(r *http.Request) bool {
	accept := r.Header["Accept"]
	return len(accept) == 0 || accepted(accept) == formHTML
}

// rawPath returns the request's path as it came over the wire: never decoded,
// never cleaned. What a proxy and this service read differently opens doors.
func rawPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	return r.URL.EscapedPath() // the absolute form, RFC 9112 section 3.2.2
}

// prefetched tells whether a client loads a link ahead of its user, who has not decided
// yet. It says so by Sec-Purpose of the Fetch standard, or by one of the headers that
// Chromium, Safari and Firefox sent before that.
func prefetched(r *http.Request) bool {
	h := r.Header
	return purposeIs(h["Sec-Purpose"], "prefetch") || purposeIs(h["X-Moz"], "prefetch") ||
		purposeIs(h["Purpose"], "prefetch", "preview") || purposeIs(h["X-Purpose"], "prefetch", "preview")
}

// purposeIs tells whether a line of a header names one of the purposes.
func purposeIs(lines []string, purposes ...string) bool {
	for _, line := range lines {
		named, _, _ := strings.Cut(line, ";")
		named = strings.Trim(named, ": \t") // Old versions of Safari sent ": preview".
		if slices.ContainsFunc(purposes, func(p string) bool { return strings.EqualFold(p, named) }) {
			return true
		}
	}
	return false
}

// redirect sends the recipient to the presigned URL. It is 302 for GET and HEAD
// and 303 for POST: never 307 or 308, because the URL is signed for one method,
// and never cacheable, because it dies in seconds. The header is set by hand so
// that nothing rewrites the signed URL; there is no body to put it in.
func (a *API) redirect(c echo.Context, location string) {
	status := http.StatusFound
	if c.Request().Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	setHeaders(c, a.empty)
	c.Response().Header()["Location"] = []string{location}
	c.Response().WriteHeader(status)
}

// logClick writes one line for one request of a recipient. Delivered clicks are
// in the audit, so they are logged at debug alone, and so is what was refused so often
// that it would fill the log. The path is never logged: a part of it may be a token.
func (a *API) logClick(
	r *http.Request, attempt *gateway.Attempt, answer *gateway.Answer, begun time.Time, d time.Duration, cause error,
) {
	level := slog.LevelInfo
	if delivers(answer.Outcome) || answer.Repeated && answer.Outcome != gateway.OutcomeUnavailable {
		level = slog.LevelDebug
	}
	if !a.o.Logger.Enabled(r.Context(), level) {
		return
	}
	// Not by LogAttrs, which looks for the place in the source that logs, and at
	// the clock: no line shows the one, and the other is known.
	line := slog.NewRecord(begun.Add(d), level, "click", 0)
	line.AddAttrs(
		slog.String("outcome", string(answer.Outcome)),
		slog.String("method", foldMethod(r.Method)),
		slog.String("address", attempt.Address),
		microseconds(d),
	)
	if attempt.ID != (gateway.ID{}) {
		line.AddAttrs(slog.String("link", attempt.ID.String()))
	}
	if cause != nil {
		line.AddAttrs(slog.String("error", cause.Error()))
	}
	_ = a.o.Logger.Handler().Handle(r.Context(), line) // There is no other place to say so.
}
