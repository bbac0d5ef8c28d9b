package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// The answer names the field whose value has the wrong type, if the request has that field.
func TestBodyNamesItsField(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"max_clicks":"three"}`: "each value of its type (see max_clicks)",
		`{"max_clicks":`:         "each value of its type",
	} {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/links", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		err := decode(echo.New().NewContext(r, httptest.NewRecorder()), &api.IssueRequest{})
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

// goneWriter is the connection of a client that hung up: writes fail.
type goneWriter struct{ http.ResponseWriter }

func (goneWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// A click counts with its own outcome if the client hangs up while the answer is written,
// because the status was sent.
func TestClientGoesAmidAnAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.store.outcome = gateway.OutcomeRevoked
	w := httptest.NewRecorder()
	b.api.Public().ServeHTTP(goneWriter{w}, httptest.NewRequest(http.MethodGet, "/"+liveToken, nil))
	if w.Code != http.StatusGone {
		t.Errorf("answered %d", w.Code)
	}
	outcomes := map[string]float64{}
	for series, n := range b.counters(t) {
		if _, labels, ok := strings.Cut(series, "outcome="); ok && n > 0 {
			outcome, _, _ := strings.Cut(strings.TrimSuffix(labels, "}"), ",")
			outcomes[outcome] += n
		}
	}
	if len(outcomes) != 1 || outcomes["revoked"] != 1 {
		t.Errorf("counted %v, want one revoked", outcomes)
	}
	if lines := b.lines(t); len(lines) != 1 || lines[0]["msg"] != "click" {
		t.Errorf("a recipient who hangs up is logged as %s", b.log)
	}
}

// An error that does not reach an operator is logged.
func TestOperatorGoesAmidAnError(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	r := httptest.NewRequest(http.MethodGet, "/nothing", nil)
	b.api.Operator().ServeHTTP(goneWriter{httptest.NewRecorder()}, r)
	if lines := b.lines(t); len(lines) != 2 || lines[0]["msg"] != "error response not delivered" ||
		lines[0]["level"] != "WARN" {
		t.Errorf("logged %s", b.log)
	}
}
