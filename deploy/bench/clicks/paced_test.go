package main

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestWhole(t *testing.T) {
	for answer, want := range map[string]bool{
		"":                           false,
		"HTTP/1.1 302 Found\r\n":     false,
		"HTTP/1.1 302 Found\r\n\r\n": true,
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":            true,
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab":          false,
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc":         true,
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\n\r\nabc": true,
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc":         false,
	} {
		if got := whole([]byte(answer)); got != want {
			t.Errorf("%q: %t", answer, got)
		}
	}
}

func TestRequestFor(t *testing.T) {
	for name, tt := range map[string]struct {
		row              row
		body, forwardedX string
	}{
		"click":     {row{method: http.MethodGet}, "", ""},
		"post":      {row{method: http.MethodPost}, "confirm=1", ""},
		"forwarded": {row{method: http.MethodGet, forwarded: true}, "", "10."},
		"page":      {row{method: http.MethodGet, page: true}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := string(requestFor(&tt.row, "127.0.0.1:8080", "abc", 7))
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
			if err != nil {
				t.Fatal(err)
			}
			if r.Method != tt.row.method || r.URL.Path != "/abc" || r.Host != "127.0.0.1:8080" {
				t.Errorf("%s %s of %s", r.Method, r.URL, r.Host)
			}
			if got := r.FormValue("confirm"); (got == "1") != (tt.body != "") {
				t.Errorf("confirm is %q", got)
			}
			if r.Header.Get("Accept") == acceptPage != tt.row.page || r.Header.Get("Accept-Language") == "" == tt.row.page {
				t.Errorf("the headers are %v", r.Header)
			}
			got := r.Header.Get("X-Forwarded-For")
			if !strings.HasPrefix(got, tt.forwardedX) || got != "" && !strings.HasSuffix(got, ".7") {
				t.Errorf("X-Forwarded-For is %q", got)
			}
		})
	}
}

// atRate returns the options of a load at a rate. A busy machine may be late.
func atRate(connections int, d time.Duration) *options {
	return &options{connections: connections, duration: d, maxBehind: 30 * time.Second, drainTime: 30 * time.Second}
}

// The open loop sends about as many requests as the rate says, and measures each.
func TestOpenLoop(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Location", "https://example.com")
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	r := &row{method: http.MethodGet, status: http.StatusFound}
	o, addresses := atRate(8, 500*time.Millisecond), []string{address, address}
	took, err := openLoop(t.Context(), o, addresses, r, []string{"a", "b"}, 200)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(took); n == 0 || n > 400 || int64(n) != requests.Load() {
		t.Errorf("%d times for %d requests", n, requests.Load())
	}
	if !slices.IsSorted(took) {
		t.Error("the times are not sorted")
	}
}

func TestOpenLoopRefusesWrongAnswers(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	r := &row{method: http.MethodGet, status: http.StatusFound}
	o := atRate(2, 200*time.Millisecond)
	if _, err := openLoop(t.Context(), o, []string{address}, r, []string{"a"}, 100); err == nil {
		t.Error("an answer with another status is accepted")
	}
	if _, err := openLoop(t.Context(), o, []string{"no address"}, r, []string{"a"}, 100); err == nil {
		t.Error("an address that is none is accepted")
	}
}

// TestOpenLoopCountsTheWait includes the time for which a request waited for a connection:
// a server that stalls must not hide its own delay.
func TestOpenLoopCountsTheWait(t *testing.T) {
	const stall = 150 * time.Millisecond
	var first atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if first.CompareAndSwap(false, true) {
			<-time.After(stall)
		}
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	r := &row{method: http.MethodGet, status: http.StatusFound}
	took, err := openLoop(t.Context(), atRate(1, 400*time.Millisecond), []string{address}, r, []string{"a"}, 400)
	if err != nil {
		t.Fatal(err)
	}
	slow := 0
	for _, d := range took {
		if d > stall/3 {
			slow++
		}
	}
	// One connection: about 40 requests come due in the first two thirds of the stall.
	if slow < 10 {
		t.Errorf("%d of %d requests show the stall", slow, len(took))
	}
}

// TestOpenLoopOfASilentServer is an error, because times of unanswered requests are missing.
func TestOpenLoopOfASilentServer(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	address := strings.TrimPrefix(server.URL, "http://")
	r := &row{method: http.MethodGet, status: http.StatusOK}
	o := atRate(2, 100*time.Millisecond)
	o.maxBehind, o.drainTime = time.Second, time.Second
	_, err := openLoop(t.Context(), o, []string{address}, r, []string{"a"}, 200)
	if err == nil || !strings.Contains(err.Error(), "behind the rate") {
		t.Errorf("without a free connection: %v", err)
	}
	// All requests are sent, however busy the machine is.
	o.connections, o.maxBehind = 64, 30*time.Second
	_, err = openLoop(t.Context(), o, []string{address}, r, []string{"a"}, 200)
	if err == nil || !strings.Contains(err.Error(), "not answered") {
		t.Errorf("with free connections: %v", err)
	}
}

// TestOpenLoopOfAClosingServer is an error, because each new connection would cost time.
func TestOpenLoopOfAClosingServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	r := &row{method: http.MethodGet, status: http.StatusFound}
	o := atRate(2, 300*time.Millisecond)
	if _, err := openLoop(t.Context(), o, []string{address}, r, []string{"a"}, 200); err == nil {
		t.Error("a connection that the server closed is no error")
	}
}
