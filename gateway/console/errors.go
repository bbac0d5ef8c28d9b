package console

import (
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/convert"
)

var (
	// errMisdirected refuses a name that is not of this service (RFC 9110 section 15.5.20).
	errMisdirected = errors.New("the host is not a name of this service")
	// errCrossOrigin refuses a change that a page of another site has sent.
	errCrossOrigin = errors.New("another site has sent this request")
)

// errorView is the view of error.html.
type errorView struct {
	Heading string
	Message string
	Advice  string // what to do next
	Code    string // the code of the API; empty: none
	Fields  []gateway.FieldError
	Name    string // of the request, for a report
	Back    string // the address of the list that the request came from; empty: unknown
	First   string // the address of the first page that the operator may use
	// Repeat has the input of a form whose sender was signed out, so that nothing typed is
	// lost; nil: there is none.
	Repeat *repeatView
}

// repeatView is a form that can be sent again.
type repeatView struct {
	Action string
	Fields []formField
	SignIn string // the path of the sign-in
}

// formField is a field with its value.
type formField struct {
	Name, Value string
}

// writeError answers with a page about an error. No other function turns an error into a
// page, except that a form shows its own refusals.
func (c *Console) writeError(err error, ctx echo.Context) {
	if ctx.Response().Committed {
		return
	}
	status, view := describe(err)
	view.Name, view.First = requestName(ctx), base+"/objects"
	if session := sessionOf(ctx); session != nil {
		view.First = firstPage(session.Actor, view.First)
	}
	h := ctx.Response().Header()
	switch status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	case http.StatusTooManyRequests:
		if known, ok := errors.AsType[*gateway.Error](err); ok {
			// In whole seconds (RFC 9110 section 10.2.3). Rounded down, the client would come
			// back too early and be refused again.
			h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(known.Wait.Seconds())))))
		}
	case http.StatusUnauthorized:
		// The words of describe promise that the input is still here. Without a form there
		// is no input.
		view.Repeat = repeatOf(ctx)
		if known, _ := errors.AsType[*gateway.Error](err); known == nil && view.Repeat == nil {
			view.Message = "Your session has ended, so nothing was changed."
		}
	}
	if err := c.render(ctx, status, "error", document{Title: view.Heading, View: view}); err != nil {
		c.o.Logger.Warn("error page not delivered", "error", err)
	}
}

// describe returns the status of an error and its words.
func describe(err error) (int, errorView) {
	known, isKnown := errors.AsType[*gateway.Error](err)
	byRouter, isRouters := errors.AsType[*echo.HTTPError](err)
	// The text of an unknown error goes only to the log: it may name hosts and keys of Redis.
	status, view := http.StatusInternalServerError, errorView{
		Message: "The service has made a mistake.", Advice: "Try again. If it happens again, report the request below.",
	}
	switch {
	case errors.Is(err, errMisdirected):
		status = http.StatusMisdirectedRequest
		view.Message = "This service does not answer under the name in the address of this page."
		view.Advice = "Use the address that your administrator gave you. An administrator can add the name to operator.hosts."
	case errors.Is(err, errCrossOrigin):
		status, view.Code = http.StatusForbidden, "cross_origin"
		view.Message = "Another site has sent this request, so nothing was changed."
		view.Advice = "Open the console yourself and make the change there."
	case errors.Is(err, admission.ErrNoSession), errors.Is(err, admission.ErrTokenExpired):
		status = http.StatusUnauthorized
		view.Message = "Your session has ended, so nothing was changed. What you entered is still here."
		view.Advice = "Sign in again, then send it again."
	case isKnown:
		status = convert.Status(known.Code)
		view.Message, view.Code, view.Fields, view.Advice = known.Message, string(known.Code), known.Fields, ""
	case isRouters:
		status = byRouter.Code
		view.Message, view.Advice = "There is no such page.", "Check the address."
		if status == http.StatusMethodNotAllowed {
			view.Message = "This page cannot be used like that."
		}
	}
	view.Heading = statusTitle(status)
	return status, view
}

// repeatOf returns the form of a request whose sender was signed out, or nil if there is no
// form, or a larger one than the console takes.
func repeatOf(ctx echo.Context) *repeatView {
	r := ctx.Request()
	if r.Method != http.MethodPost || parseForm(ctx) != nil {
		return nil
	}
	repeat := &repeatView{Action: r.URL.RequestURI(), SignIn: signInPath("")}
	for _, name := range slices.Sorted(maps.Keys(r.PostForm)) {
		for _, value := range r.PostForm[name] {
			repeat.Fields = append(repeat.Fields, formField{name, value})
		}
	}
	return repeat
}

// asRefusal returns the error if the operator can mend what it refuses: the page then shows
// it in its place.
func asRefusal(err error) (*gateway.Error, bool) {
	known, ok := errors.AsType[*gateway.Error](err)
	if !ok {
		return nil, false
	}
	switch known.Code {
	// Other codes are about the session, the rate or an outage; no field can mend them.
	case gateway.CodeInvalid, gateway.CodeNotFound, gateway.CodeBadRequest, gateway.CodeOutOfScope:
		return known, true
	}
	return nil, false
}
