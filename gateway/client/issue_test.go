package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"keyhole/gateway/api"
)

// An issue whose answer is incomplete is repeated once, with the same Idempotency-Key.
func TestIssueIsRepeated(t *testing.T) {
	t.Parallel()
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if keys = append(keys, r.Header.Get("Idempotency-Key")); len(keys) == 1 {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"id":"x","url":`) // and hangs up
			return
		}
		_, _ = io.WriteString(w, `{"id":"x","url":"http://127.0.0.1/x","results":[{"status":201,"link":{"id":"x"}}]}`)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	link, err := c.Issue(t.Context(), api.IssueRequest{Bucket: "b", Key: "k"})
	if err != nil || link.URL == "" || len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] {
		t.Errorf("got %+v, %v, under the keys %q", link, err, keys)
	}
	// The Date of the answer comes with the link, also in a batch.
	batch, err := c.IssueBatch(t.Context(), api.BatchRequest{Links: []api.IssueRequest{{Bucket: "b", Key: "k"}}})
	if err != nil || len(batch.Results) != 1 || link.Answered.IsZero() || batch.Results[0].Link.Answered.IsZero() {
		t.Errorf("answered at %s, %+v, %v", link.Answered, batch, err)
	}
}

// An error of a proxy in front of the service differs from the error of a wrong address,
// because the service may have carried out the request.
func TestAnswersOfProxies(t *testing.T) {
	t.Parallel()
	for status, proxy := range map[int]bool{
		http.StatusBadGateway: true, http.StatusGatewayTimeout: true, http.StatusNotFound: false,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>no")
		}))
		t.Cleanup(server.Close)
		c, err := New(server.URL, "key")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Issue(t.Context(), api.IssueRequest{}); !errors.Is(err, ErrNotKeyhole) ||
			errors.Is(err, ErrProxy) != proxy {
			t.Errorf("%d: got %v", status, err)
		}
	}
}
