package httpapi

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/api"
)

// retryAfter is how many seconds a 503 asks to wait: long enough for a failover
// to end, short enough for a person to wait.
const retryAfter = "5"

// codeInternal is the code of an error that is nobody's but ours.
const codeInternal gateway.Code = "internal"

// statusOf is the one place where a code becomes an HTTP status.
func statusOf(code gateway.Code) int {
	switch code {
	case gateway.CodeBadRequest:
		return http.StatusBadRequest
	case gateway.CodeUnauthorized:
		return http.StatusUnauthorized
	case gateway.CodeForbidden, gateway.CodeOutOfScope:
		return http.StatusForbidden
	case gateway.CodeNotFound:
		return http.StatusNotFound
	case gateway.CodeMethod:
		return http.StatusMethodNotAllowed
	case gateway.CodeNotActive, gateway.CodeIdempotencyConflict:
		return http.StatusConflict
	case gateway.CodePrecondition:
		return http.StatusPreconditionFailed
	case gateway.CodeRateLimited:
		return http.StatusTooManyRequests
	case gateway.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case gateway.CodeMediaType:
		return http.StatusUnsupportedMediaType
	case gateway.CodeInvalid:
		return http.StatusUnprocessableEntity
	case gateway.CodeUnavailable, gateway.CodeNotConfirmed:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// problemOf turns any error into what an operator may read. An error without a
// code is internal: its text goes to the log, never into an answer.
func problemOf(err error) *gateway.Error {
	var known *gateway.Error
	if errors.As(err, &known) {
		return known
	}
	var routing *echo.HTTPError
	if errors.As(err, &routing) {
		switch routing.Code {
		case http.StatusNotFound:
			return gateway.Errorf(gateway.CodeNotFound, "there is nothing at that path")
		case http.StatusMethodNotAllowed:
			return gateway.Errorf(gateway.CodeMethod, "that path does not answer to that method")
		}
	}
	return gateway.Errorf(codeInternal, "something went wrong in the service; its log says what")
}

// writeProblem answers an operator with application/problem+json.
func (a *API) writeProblem(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	problem := problemOf(err)
	status := statusOf(problem.Code)
	body := newProblem(status, string(problem.Code), problem.Message)
	for _, f := range problem.Fields {
		body.Errors = append(body.Errors, api.FieldError{Field: f.Field, Code: f.Code, Message: f.Message})
	}
	switch status {
	case http.StatusUnauthorized:
		if refused, ok := errors.AsType[*admission.UnauthorizedError](err); ok {
			c.Response().Header().Set("WWW-Authenticate", refused.Challenge)
		}
	case http.StatusMethodNotAllowed:
		// The router lists OPTIONS first, which no path here answers.
		if allow, ok := c.Get(echo.ContextKeyHeaderAllow).(string); ok {
			c.Response().Header().Set("Allow", strings.TrimPrefix(allow, "OPTIONS, "))
		}
	case http.StatusServiceUnavailable:
		c.Response().Header().Set("Retry-After", retryAfter)
	case http.StatusTooManyRequests:
		c.Response().Header().Set("Retry-After", secondsOf(problem.Wait))
	}
	if err := writeJSON(c, status, api.ProblemType, body); err != nil {
		a.o.Logger.Warn("answer not delivered", "error", err)
	}
}

// secondsOf writes a wait as Retry-After has it, RFC 9110 section 10.2.3: in whole
// seconds, rounded up.
func secondsOf(wait time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))
}

// newProblem makes the body of RFC 9457. Its type is a name, not a page.
func newProblem(status int, code, detail string) api.Problem {
	return api.Problem{
		Type: "urn:keyhole:problem:" + code, Title: http.StatusText(status),
		Status: status, Code: code, Detail: detail,
	}
}

// writeJSON answers with v, rendered whole before the first byte is sent. A HEAD
// is answered with the headers alone.
func writeJSON(c echo.Context, status int, contentType string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	body = append(body, '\n')
	return writeBody(c, status, contentType, body)
}

// writeBody answers with a body whose length is said.
func writeBody(c echo.Context, status int, contentType string, body []byte) error {
	h := c.Response().Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return writeOut(c, status, body)
}

// writeOut sends an answer whose headers are set; to HEAD without its body.
func writeOut(c echo.Context, status int, body []byte) error {
	c.Response().WriteHeader(status)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	_, err := c.Response().Write(body)
	return err
}
