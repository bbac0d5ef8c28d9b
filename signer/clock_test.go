package signer

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// noon is the machine's time in these tests.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// handClock is a machine's clock that stands still until it is moved.
type handClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestClockObserve(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		name     string
		date     time.Duration // after noon, as the storage says
		sent     time.Duration // after noon, by this machine
		received time.Duration
		skew     time.Duration
		observed bool
		applied  time.Duration
	}{
		{"same second, at its start", 0, 0, 0, second / 2, true, 0},
		{"same second, at its end", 0, 999 * time.Millisecond, 999 * time.Millisecond, -499 * time.Millisecond, true, 0},
		{
			"just below what is applied", second, 501 * time.Millisecond, 501 * time.Millisecond, 999 * time.Millisecond, true,
			0,
		},
		{"just what is applied", second, 500 * time.Millisecond, 500 * time.Millisecond, second, true, second},
		{"just what is applied, behind", -2 * second, -second / 2, -second / 2, -second, true, -second},
		{"30 s ahead", 30 * second, second / 2, second / 2, 30 * second, true, 30 * second},
		{"16 min behind", -16 * time.Minute, second / 2, second / 2, -16 * time.Minute, true, -16 * time.Minute},
		{"1 h ahead", time.Hour, second / 2, second / 2, time.Hour, true, time.Hour},
		{"the middle of the exchange", 10 * second, 0, 4 * second, 8500 * time.Millisecond, true, 8500 * time.Millisecond},
		{"an exchange of 5 s", 10 * second, 0, 5 * second, 8 * second, true, 8 * second},
		{"an exchange of more", 10 * second, 0, 5*second + 1, 0, false, 0},
		{"received before sent", 10 * second, second, 0, 0, false, 0},
		{"one day", 24 * time.Hour, second / 2, second / 2, 24 * time.Hour, true, 24 * time.Hour},
		{"over one day", 24*time.Hour + second, second / 2, second / 2, 0, false, 0},
		{"over one day behind", -24*time.Hour - second, second / 2, second / 2, 0, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := NewClock(noon)
			clock.Observe(noon().Add(c.date), noon().Add(c.sent), noon().Add(c.received))
			skew, observed := clock.Skew()
			if skew != c.skew || observed != c.observed {
				t.Errorf("Skew() = %v, %v; want %v, %v", skew, observed, c.skew, c.observed)
			}
			if got := clock.Now().Sub(noon()); got != c.applied {
				t.Errorf("Now() is %v off this machine's, want %v", got, c.applied)
			}
		})
	}
}

func TestClockUnobserved(t *testing.T) {
	clock := NewClock(noon)
	if skew, observed := clock.Skew(); skew != 0 || observed {
		t.Errorf("Skew() = %v, %v before any observation", skew, observed)
	}
	if got := clock.Now(); !got.Equal(noon()) {
		t.Errorf("Now() = %v, want this machine's time", got)
	}
	clock.Observe(time.Time{}, noon(), noon())
	if _, observed := clock.Skew(); observed {
		t.Error("a zero Date was observed")
	}
	if got := time.Until(NewClock(nil).Now()).Abs(); got > time.Minute {
		t.Errorf("without a machine's clock Now() is %v off", got)
	}
}

// TestClockIncredible shows that what is ignored leaves what was known.
func TestClockIncredible(t *testing.T) {
	clock := NewClock(noon)
	clock.Observe(noon().Add(time.Minute), noon(), noon())
	clock.Observe(noon().Add(48*time.Hour), noon(), noon())
	if skew, _ := clock.Skew(); skew != time.Minute+time.Second/2 {
		t.Errorf("Skew() = %v, want the one known before", skew)
	}
	clock.Observe(noon(), noon(), noon().Add(time.Second))
	if skew, _ := clock.Skew(); skew != 0 {
		t.Errorf("Skew() = %v, want the latest", skew)
	}
}

func TestClockTransport(t *testing.T) {
	date := func(d time.Duration) string { return noon().Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		name     string
		status   int
		header   map[string]string
		observed bool
	}{
		{"an answer", http.StatusOK, map[string]string{"Date": date(time.Hour)}, true},
		{"a refusal", http.StatusForbidden, map[string]string{"Date": date(time.Hour)}, true},
		{"a failure", http.StatusServiceUnavailable, map[string]string{"Date": date(time.Hour)}, true},
		{"from a cache", http.StatusOK, map[string]string{"Date": date(time.Hour), "Age": "7"}, false},
		{"no Date", http.StatusOK, map[string]string{"Date": ""}, false},
		{"no date in Date", http.StatusOK, map[string]string{"Date": "noon"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range c.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, "body")
			}))
			defer server.Close()

			clock := NewClock(noon)
			client := &http.Client{Transport: clock.Transport(server.Client().Transport)}
			defer client.CloseIdleConnections()
			answer, err := client.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = answer.Body.Close() }()
			if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "body" || answer.StatusCode != c.status {
				t.Errorf("the answer was changed: %d %q, %v", answer.StatusCode, body, err)
			}
			skew, observed := clock.Skew()
			if observed != c.observed || observed && skew != time.Hour+time.Second/2 {
				t.Errorf("Skew() = %v, %v; want observed %v", skew, observed, c.observed)
			}
		})
	}
}

type failingTransport struct{ closed bool }

func (*failingTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route")
}
func (f *failingTransport) CloseIdleConnections() { f.closed = true }

func TestClockTransportFailure(t *testing.T) {
	clock := NewClock(noon)
	next := new(failingTransport)
	client := &http.Client{Transport: clock.Transport(next)}
	answer, err := client.Get("http://storage.invalid/")
	if err == nil {
		_ = answer.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "no route") {
		t.Errorf("got error %v, want the transport's own", err)
	}
	if _, observed := clock.Skew(); observed {
		t.Error("a failure was observed")
	}
	if client.CloseIdleConnections(); !next.closed {
		t.Error("CloseIdleConnections did not reach the transport beneath")
	}
	if o, ok := clock.Transport(nil).(*observer); !ok || o.next != http.DefaultTransport {
		t.Error("nil does not stand for the default transport")
	}
}
