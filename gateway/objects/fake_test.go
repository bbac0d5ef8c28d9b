package objects

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
)

// said is one answer of a storage.
type said struct {
	status int
	code   string // of the error in the body, which a HEAD does not have
	body   string
	length string // Content-Length; empty: the length of the body
	kms    bool   // encrypted with a key of KMS
	// headers replace the default headers; an empty value removes a header.
	headers map[string]string
}

// scripted is a storage with fixed answers to HEAD and GET.
type scripted struct {
	head, get said

	mu       sync.Mutex
	requests []*http.Request
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	a := s.get
	if r.Method == http.MethodHead {
		a = s.head
	}
	body := a.body
	if a.code != "" {
		body = "<Error><Code>" + a.code + "</Code><Message>message-canary</Message></Error>"
	}
	h := w.Header()
	h.Set("ETag", `"abc"`)
	h.Set("Last-Modified", "Sun, 01 Nov 2026 12:00:00 GMT")
	h.Set("Content-Type", "text/plain")
	h.Set("X-Amz-Version-Id", "v1")
	if a.kms {
		h.Set("X-Amz-Server-Side-Encryption", "aws:kms")
	}
	if a.length != "" {
		h.Set("Content-Length", a.length)
	}
	for name, value := range a.headers {
		h.Set(name, value)
		if value == "" {
			h.Del(name)
		}
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, body) // the client may have hung up
	}
}

// asked returns the method and Range of each request.
func (s *scripted) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, r := range s.requests {
		out = append(out, strings.TrimSpace(r.Method+" "+r.Header.Get("Range")))
	}
	return out
}

// observations collects the calls of Observe.
type observations struct {
	mu   sync.Mutex
	told []string
}

func (o *observations) observe(operation, result string, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told = append(o.told, operation+" "+result)
}

// storageAt returns a Storage of the endpoint, after change has changed its options.
func storageAt(endpoint string, change func(*Options)) (*Storage, *observations) {
	seen := &observations{}
	o := Options{
		Endpoint: endpoint, Region: "us-east-1", PathStyle: true, Buckets: []string{"reports"},
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret-canary", ""), Timeout: 5 * time.Second,
		Observe: seen.observe,
	}
	if change != nil {
		change(&o)
	}
	return New(o), seen
}

// serve starts a storage.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}
