package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/api"
	"keyhole/gateway/convert"
)

// retryAfter is the Retry-After of a 503 in seconds: long enough for a failover, short
// enough for a person to wait.
const retryAfter = "5"

// codeInternal is the code of an error that is a defect of the service.
const codeInternal gateway.Code = "internal"

// failure is the response to an error: a body that was rendered in advance, or a problem.
type failure struct {
	status    int
	body      *body
	problem   *api.Problem
	allow     string // of 405: the allowed methods
	challenge string // of 401: how to authenticate
	// retryAfter is the value of the header of 429.
	retryAfter []string
	// details is the refusal whose page has facts; nil: the content is that of body.
	details *detailedRefusal
}

// errorWriter returns the function that answers an audience with an error. No other
// function turns an error into a response. Recipients get a page, problem+json or a line
// of text, according to their Accept header. Operators and probes get problem+json.
func (a *API) errorWriter(to audience) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			return
		}
		var f failure
		if to == recipients {
			discardHeaders(c.Response().Header())
			setHeaders(c, a.public)
			f = a.failureOfClick(err, c.Request())
		} else {
			f = failureOfRequest(err, c)
		}
		// Recipients often close the connection early, so that is not logged.
		if err := writeFailure(c, &f); err != nil && to != recipients {
			a.o.Logger.Warn("error response not delivered", "error", err)
		}
	}
}

// discardHeaders removes the headers of an answer that failed. A listener that drains has
// decided before that the connection closes, so that header stays.
func discardHeaders(h http.Header) {
	connection := h["Connection"]
	clear(h)
	if connection != nil {
		h["Connection"] = connection
	}
}

// writeFailure sends the response to an error.
func writeFailure(c echo.Context, f *failure) error {
	h := c.Response().Header()
	switch f.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", f.challenge)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", f.allow)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter)
	case http.StatusTooManyRequests:
		h["Retry-After"] = f.retryAfter
	}
	if f.body == nil {
		return writeJSON(c, f.status, api.ProblemType, f.problem)
	}
	if f.details != nil {
		return f.details.write(c, f.body.headers)
	}
	return f.body.write(c, f.status)
}

// failureOfClick returns the response to a refused click, in the form that the client
// accepts. An error that is not a refusal becomes OutcomeUnavailable, because in doubt
// Keyhole refuses.
func (a *API) failureOfClick(err error, r *http.Request) failure {
	refused, ok := errors.AsType[*refusal](err)
	if !ok {
		refused = a.pages.Load().refusals[gateway.OutcomeUnavailable]
	}
	f := failure{status: refused.status, allow: a.clickMethods}
	details, detailed := errors.AsType[*detailedRefusal](err)
	if detailed && details.retryAfter[0] != "" {
		f.retryAfter = details.retryAfter[:]
	}
	accepts := formHTML
	if !detailed || !details.html {
		accepts = accepted(r.Header["Accept"])
	}
	switch accepts {
	case formHTML:
		locale := refused.locale(r, details)
		if f.body = &refused.html[locale.Index]; detailed {
			details.locale, f.details = locale, details
		}
	case formJSON:
		f.body = &refused.json
	default:
		f.body = &refused.text
	}
	return f
}

// failureOfRequest returns the response to a failed request of an operator or probe.
func failureOfRequest(err error, c echo.Context) failure {
	problem := problemOf(err)
	document := problemJSON(problem)
	document.RequestID = requestNameOf(c)
	f := failure{status: document.Status, problem: &document, retryAfter: []string{secondsOf(problem.Wait)}}
	if refused, ok := errors.AsType[*admission.UnauthorizedError](err); ok {
		f.challenge = refused.Challenge
	}
	if allow, ok := c.Get(echo.ContextKeyHeaderAllow).(string); ok {
		// The router lists OPTIONS first, but no path here answers OPTIONS.
		f.allow = strings.TrimPrefix(allow, "OPTIONS, ")
	}
	return f
}

// problemJSON returns the document about an error of an operator's request.
func problemJSON(problem *gateway.Error) api.Problem {
	document := newProblem(convert.Status(problem.Code), string(problem.Code), problem.Message)
	for _, f := range problem.Fields {
		document.Errors = append(document.Errors, api.FieldError{Field: f.Field, Code: f.Code, Message: f.Message})
	}
	return document
}

// problemOf returns the part of an error that an operator may read. An error without a code
// is internal: its text goes to the log only.
func problemOf(err error) *gateway.Error {
	if known, ok := errors.AsType[*gateway.Error](err); ok {
		return known
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch routing.Code {
		case http.StatusNotFound:
			return gateway.Errorf(gateway.CodeNotFound, "nothing exists at this path; check the path")
		case http.StatusMethodNotAllowed:
			return gateway.Errorf(gateway.CodeMethod, "this path does not support this method")
		}
	}
	return gateway.Errorf(codeInternal, "internal error; the log of the service has the cause")
}

// newProblem returns the document of RFC 9457. Its type is a URN, which names the problem
// and is not an address.
func newProblem(status int, code, detail string) api.Problem {
	return api.Problem{
		Type: "urn:keyhole:problem:" + code, Title: http.StatusText(status),
		Status: status, Code: code, Detail: detail,
	}
}
