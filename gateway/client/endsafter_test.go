package client

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keyhole/gateway/api"
)

// The end of links is a filter of lists and of revocations.
func TestEndsAfter(t *testing.T) {
	t.Parallel()
	var query, body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query = r.URL.Query().Get("ends_after"); r.Method == http.MethodPost {
			sent, _ := io.ReadAll(r.Body)
			body = string(sent)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}")
	}))
	defer s.Close()
	c, err := New(s.URL, "khk_key")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.List(t.Context(), ListOptions{EndsAfter: "24h"}); err != nil || query != "24h" {
		t.Errorf("the list sent %q: %v", query, err)
	}
	after := "2026-11-25T08:00:00Z"
	_, err = c.RevokeAll(t.Context(), api.RevocationRequest{EndsAfter: &after})
	if err != nil || !strings.Contains(body, `"ends_after":"`+after+`"`) {
		t.Errorf("the revocation sent %s: %v", body, err)
	}
}
