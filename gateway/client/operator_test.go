package client

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"keyhole/gateway/api"
)

const operatorBody = `{"name":"ci","admitted_by":"key","can":["read"],"objects":["*"],"max_expiry":"2h",` +
	`"caps":{"sensitive":"2h","not_stated":"2h","not_sensitive":"2h"},` +
	`"presets":[{"name":"handoff","expires_in":"15m"}],"version":"1.2.3"}`

// Operator sends the key and returns the rights that the service reports for the key.
func TestOperator(t *testing.T) {
	t.Parallel()
	s, c := newServer(t, http.StatusOK, api.MediaType, operatorBody)
	o, err := c.Operator(t.Context())
	if err != nil || o.Name != "ci" || *o.MaxExpiry != "2h" || o.Presets[0].ExpiresIn != "15m" || o.Version != "1.2.3" {
		t.Errorf("got %+v, %v", o, err)
	}
	if r := s.requests[0]; r.method != "GET" || r.target != "/api/v1/operator" || r.authorization != "Bearer "+key {
		t.Errorf("sent %+v", r)
	}
}

// Diagnose describes the connection after a refusal too, but not if no answer came.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	date := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		status int
		body   string
		is     error // nil: an Error of the service
	}{
		"refused":        {http.StatusUnauthorized, `{"code":"unauthorized","status":401}`, nil},
		"an old service": {http.StatusNotFound, `{"code":"not_found","status":404}`, ErrOldService},
		"another server": {http.StatusOK, `{"status":"UP"}`, ErrNotKeyhole},
		"a page":         {http.StatusOK, `<html>`, ErrNotKeyhole},
		"a proxy":        {http.StatusBadGateway, `<html>`, ErrProxy},
	} {
		_, c := newServer(t, tt.status, api.ProblemType, tt.body, "Date", date.Format(http.TimeFormat))
		_, seen, err := c.Diagnose(t.Context())
		refused, is := errors.AsType[*Error](err)
		if err == nil || tt.is != nil && !errors.Is(err, tt.is) || tt.is == nil && (!is || refused.Status != tt.status) {
			t.Errorf("%s: got %v", name, err)
		}
		if !seen.Date.Equal(date) || seen.TLS != nil || seen.Received.Before(seen.Sent) {
			t.Errorf("%s: the connection is %+v", name, seen)
		}
	}
	c, err := New("http://127.0.0.1:1", key)
	if err != nil {
		t.Fatal(err)
	}
	if _, seen, err := c.Diagnose(t.Context()); !errors.Is(err, ErrUnreachable) || seen != (Connection{}) {
		t.Errorf("unreachable: %+v, %v", seen, err)
	}
}
