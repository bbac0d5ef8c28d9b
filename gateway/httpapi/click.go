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

// robotsPath is the path of the file for crawlers, and robots its content. The file
// excludes all crawlers, because a link is only for the people who received it.
const (
	robotsPath = "/robots.txt"
	robots     = "User-agent: *\nDisallow: /\n"
)

// recipientRequest answers every request of the public listener. It compares the raw
// path, which a router would decode and clean first.
func (a *API) recipientRequest(c echo.Context) error {
	r := c.Request()
	path := rawPath(r)
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if path == robotsPath {
			return a.robots(c)
		}
		if asset, current, found := a.pages.Load().renderer.Asset(path); found {
			return a.asset(c, asset, current)
		}
		if probe, ok := a.openProbe(r); ok {
			return a.answerProbe(c, probe)
		}
	}
	return a.click(c, path)
}

// robots answers GET /robots.txt.
func (a *API) robots(c echo.Context) error {
	setHeaders(c, a.public)
	return writeBody(c, http.StatusOK, "text/plain; charset=utf-8", []byte(robots))
}

// click answers a request for a link. It measures and logs the request after the answer,
// so it writes errors itself and always returns nil.
func (a *API) click(c echo.Context, path string) error {
	begun := time.Now()
	r := c.Request()
	client := a.recipient(r)
	attempt := gateway.Attempt{Method: r.Method, Client: client, Address: a.o.FormatAddress(client)}
	var answer gateway.Answer
	cause := a.decide(c, path, &attempt, &answer)
	if err := a.deliver(c, path, &attempt, &answer); err != nil && !c.Response().Committed {
		if _, refused := errors.AsType[*refusal](err); !refused {
			cause = errors.Join(cause, err)
			answer = gateway.Answer{Outcome: gateway.OutcomeUnavailable}
		}
		c.Error(err)
	}
	elapsed := time.Since(begun)
	a.o.Metrics.Clicked(answer.Outcome, r.Method, elapsed)
	a.logClick(r, &attempt, &answer, begun, elapsed, cause)
	return nil
}

// deliver sends the redirect or the page, or returns the error to answer with.
func (a *API) deliver(c echo.Context, path string, attempt *gateway.Attempt, answer *gateway.Answer) (err error) {
	defer a.recovered(&err)
	switch answer.Outcome {
	case gateway.OutcomeRedirected, gateway.OutcomeResumed:
		setHeaders(c, a.public)
		a.setCookies(c, path, answer)
		a.redirect(c, answer.Location)
		return nil
	case gateway.OutcomePage:
		return a.showConfirmation(c, http.StatusOK, pages.Confirmation{Page: answer.Page})
	case gateway.OutcomeWrongPassphrase:
		if answer.Page != nil && accepted(c.Request().Header["Accept"]) == formHTML {
			return a.showConfirmation(c, http.StatusForbidden, pages.Confirmation{
				Page: answer.Page, WrongPassphrase: true, AttemptsLeft: answer.AttemptsLeft,
			})
		}
	case gateway.OutcomeBadRequest:
		if prefetched(c.Request()) {
			return a.pages.Load().prefetched
		}
	}
	return a.refusalOf(c.Request(), attempt, answer)
}

// decide makes the checks of a click in the documented order, and fills in attempt and
// answer. The returned error is the cause, for the log only.
func (a *API) decide(c echo.Context, path string, attempt *gateway.Attempt, answer *gateway.Answer) (err error) {
	// After a panic the answer is OutcomeUnavailable, because in doubt Keyhole refuses.
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
	// The next two refusals do not ask the store, so no limit counts them, and clients
	// can cause any number of them. Repeated keeps them out of the log at level info.
	if prefetched(r) {
		*answer = gateway.Answer{Outcome: gateway.OutcomeBadRequest, Repeated: true}
		return nil
	}
	if attempt.Form, err = formOf(c); err != nil {
		*answer = gateway.Answer{Outcome: gateway.OutcomeBadRequest, Repeated: true}
		return err
	}
	attempt.Page, attempt.Grant = wantsPage(r), grantOf(r)
	// Redis may already be counting the click, so the call continues if the recipient
	// closes the connection.
	clicked, err := a.o.Service.Click(context.WithoutCancel(r.Context()), *attempt)
	if _, known := a.pages.Load().refusals[clicked.Outcome]; !known && !delivers(clicked.Outcome) {
		return fmt.Errorf("outcome %q has no answer", clicked.Outcome)
	}
	*answer = clicked
	return err
}

// delivers reports whether the answer to an outcome is a redirect or a page, and not a
// refusal.
func delivers(outcome gateway.Outcome) bool {
	switch outcome {
	case gateway.OutcomeRedirected, gateway.OutcomeResumed, gateway.OutcomePage:
		return true
	}
	return false
}

// wantsPage reports whether a client gets the page of a link that needs confirmation: the
// Accept header names HTML, or there is no Accept header.
func wantsPage(r *http.Request) bool {
	accept := r.Header["Accept"]
	return len(accept) == 0 || accepted(accept) == formHTML
}

// rawPath returns the path of a request as the client sent it. Keyhole neither decodes
// nor cleans the path, because an attacker can exploit a path that a proxy and Keyhole
// read differently.
func rawPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	return r.URL.EscapedPath() // the absolute form, RFC 9112 section 3.2.2
}

// prefetched reports whether a browser loads a link before the user opens it. The browser
// then sends Sec-Purpose (Fetch standard), or one of the headers that Chromium, Safari
// and Firefox used before that standard.
func prefetched(r *http.Request) bool {
	h := r.Header
	return purposeIs(h["Sec-Purpose"], "prefetch") || purposeIs(h["X-Moz"], "prefetch") ||
		purposeIs(h["Purpose"], "prefetch", "preview") || purposeIs(h["X-Purpose"], "prefetch", "preview")
}

// purposeIs reports whether one line of a header names one of the purposes.
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

// redirect sends the recipient to the presigned URL, with 302 after GET and HEAD and 303
// after POST. 307 and 308 would repeat the POST, but the URL is signed for GET. The
// answer is not cacheable, because the URL expires in seconds. redirect sets Location
// itself, so that no helper can change the signed URL.
func (a *API) redirect(c echo.Context, location string) {
	status := http.StatusFound
	if c.Request().Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	setHeaders(c, a.empty)
	c.Response().Header()["Location"] = []string{location}
	c.Response().WriteHeader(status)
}

// logClick writes one line for one request of a recipient. Downloads have level debug,
// because the audit has them. Repeated refusals have level debug too, so that they do not
// fill the log. The line never contains the path, because a part of the path may be a
// token.
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
	// LogAttrs would look up the source line, which the log does not show, and read the
	// clock again.
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
	_ = a.o.Logger.Handler().Handle(r.Context(), line) // There is no other place to report a failing log.
}
