package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// fail answers with err as the listener of an audience does, after a handler has prepared
// another answer.
func fail(b *bench, to audience, err error, accept string) answer {
	e := echo.New()
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	c := e.NewContext(r, w)
	c.Response().Header().Set("Set-Cookie", "canary")
	b.api.errorWriter(to)(err, c)
	return answer{status: w.Code, header: w.Header(), body: w.Body.String()}
}

// writtenPage returns the page that answers a refused click.
func writtenPage(t *testing.T, b *bench, refused error, r *http.Request) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	f := b.api.failureOfClick(refused, r)
	if err := writeFailure(echo.New().NewContext(r, w), &f); err != nil {
		t.Fatal(err)
	}
	return w.Body.Bytes()
}

// Recipients get an error in the form that they accept. Of an unexpected error they learn
// only that the link cannot be checked. Headers of an earlier, failed answer are removed.
func TestErrorsOfRecipients(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	request := httptest.NewRequest(http.MethodGet, "/x", nil)
	refused := b.api.pages.Load().refusals[gateway.OutcomeRevoked]
	for name, tt := range map[string]struct {
		err    error
		status int
		retry  string
		code   string
	}{
		"a refusal":         {refused, 410, "", "revoked"},
		"a wrapped refusal": {fmt.Errorf("outer: %w", refused), 410, "", "revoked"},
		"a limited refusal": {
			b.api.refusalOf(request, &gateway.Attempt{}, &gateway.Answer{
				Outcome: gateway.OutcomeRateLimited, Wait: 1500 * time.Millisecond,
			}), 429, "2", "rate_limited",
		},
		"limited, unknown for how long": {
			b.api.refusalOf(request, &gateway.Attempt{}, &gateway.Answer{Outcome: gateway.OutcomeRateLimited}), 429, "1",
			"rate_limited",
		},
		"an unexpected error": {errors.New("canary"), 503, "5", "unavailable"},
		"an operator's error": {gateway.Errorf(gateway.CodeNotFound, "canary"), 503, "5", "unavailable"},
		"a routing error":     {echo.ErrNotFound, 503, "5", "unavailable"},
		"a panic":             {errPanic, 503, "5", "unavailable"},
	} {
		for accept, contentType := range map[string]string{
			"text/html": "text/html; charset=utf-8", "application/json": api.ProblemType, "*/*": "text/plain; charset=utf-8",
		} {
			a := fail(b, recipients, tt.err, accept)
			if a.status != tt.status || a.header.Get("Content-Type") != contentType || a.header.Get("Retry-After") != tt.retry {
				t.Errorf("%s as %s: got %d, %v", name, accept, a.status, a.header)
			}
			if strings.Contains(fmt.Sprint(a.header)+a.body, "canary") {
				t.Errorf("%s as %s: the answer holds what was prepared or the cause: %v %s", name, accept, a.header, a.body)
			}
			wantPublicHeaders(t, name, a.header)
			if contentType == api.ProblemType && a.problem(t).Code != tt.code {
				t.Errorf("%s: got %s", name, a.body)
			}
		}
	}
}

// Operators and probes get a problem, whatever they accept.
func TestErrorsOfOperatorsAndProbes(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, to := range []audience{operators, probes} {
		for _, accept := range []string{"text/html", "application/json", "*/*", ""} {
			for err, code := range map[error]string{
				gateway.Errorf(gateway.CodeForbidden, "m"): "forbidden", errors.New("canary"): "internal",
				b.api.pages.Load().refusals[gateway.OutcomeRevoked]: "internal", // no operator asks for a link's file
			} {
				a := fail(b, to, err, accept)
				if p := a.problem(t); p.Code != code || strings.Contains(a.body, "canary") {
					t.Errorf("%s as %q: got %s, want %s", to, accept, a.body, code)
				}
			}
		}
	}
}

// An error after the status was sent does not change the answer.
func TestErrorAfterTheAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, to := range []audience{recipients, operators} {
		w := httptest.NewRecorder()
		c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/x", nil), w)
		c.Response().WriteHeader(http.StatusOK)
		b.api.errorWriter(to)(errors.New("late"), c)
		if w.Code != http.StatusOK || w.Body.Len() != 0 {
			t.Errorf("%s: got %d %q", to, w.Code, w.Body)
		}
	}
}

// Every field of an error reaches the operator.
func TestFieldsOfAnError(t *testing.T) {
	t.Parallel()
	a := fail(newBench(t, nil), operators, gateway.Invalid("expires_in", "over_policy", "too long"), "")
	p := a.problem(t)
	if a.status != 422 || len(p.Errors) != 1 || p.Errors[0] != (api.FieldError{
		Field: "expires_in", Code: "over_policy",
		Message: "too long",
	}) {
		t.Errorf("got %d %+v", a.status, p)
	}
}
