package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keyhole/gateway/api"
)

// A batch whose answer is incomplete is repeated once, with the same Idempotency-Key.
func TestBatchIsRepeated(t *testing.T) {
	t.Parallel()
	var keys, bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		keys, bodies = append(keys, r.Header.Get("Idempotency-Key")), append(bodies, r.URL.Path+" "+string(body))
		w.Header().Set("Content-Type", "application/json")
		if len(keys) == 1 {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"results":[`) // and hangs up
			return
		}
		_, _ = io.WriteString(w, `{"results":[{"status":201,"link":{"id":"x","url":"http://127.0.0.1/x"}},`+
			`{"status":422,"problem":{"code":"invalid"}}]}`)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	batch, err := c.IssueBatch(t.Context(), api.BatchRequest{Links: []api.IssueRequest{{Bucket: "b", Key: "k"}, {}}})
	if err != nil || len(batch.Results) != 2 || batch.Results[0].Link.URL == "" ||
		batch.Results[1].Problem.Code != "invalid" {
		t.Errorf("got %+v, %v", batch, err)
	}
	if len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] || bodies[0] != bodies[1] ||
		!strings.HasPrefix(bodies[0], "/api/v1/links:batch {") {
		t.Errorf("sent %q with the keys %q", bodies, keys)
	}
}

// The caller's key is used, and text that JSON cannot hold is refused before it is sent.
func TestBatchKeyAndUTF8(t *testing.T) {
	t.Parallel()
	var sent []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get("Idempotency-Key"))
		_, _ = io.WriteString(w, `{"results":[]}`)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.IssueBatch(t.Context(), api.BatchRequest{IdempotencyKey: "mine"}); err != nil || sent[0] != "mine" {
		t.Errorf("sent %q, %v", sent, err)
	}
	links := []api.IssueRequest{{Key: "a"}, {Key: "a\xff"}}
	if _, err := c.IssueBatch(t.Context(), api.BatchRequest{Links: links}); !errors.Is(err, ErrNotUTF8) ||
		!strings.Contains(err.Error(), "link 1") {
		t.Errorf("got %v, want ErrNotUTF8", err)
	}
	if len(sent) != 1 {
		t.Errorf("sent %d requests", len(sent))
	}
}
