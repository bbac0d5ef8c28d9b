package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/gateway"
)

// HTTP/1.0 has no chunks, so net/http reads a chunked body as the next request. A proxy may
// read it differently. So the connection ends with the first answer.
func TestHTTP10EndsTheConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	const keepAlive, chunks = "\r\nConnection: keep-alive", "\r\nTransfer-Encoding: chunked\r\n\r\n"
	hidden := "0\r\n\r\nGET /" + liveToken + " HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, tt := range map[string]struct {
		handler http.Handler
		request string
	}{
		"recipient":             {b.api.Public(), "POST /x HTTP/1.0\r\nHost: a" + keepAlive + chunks + hidden},
		"recipient, no chunks":  {b.api.Public(), "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + hidden},
		"recipient, both":       {b.api.Public(), "POST /x HTTP/1.0" + keepAlive + "\r\nContent-Length: 5" + chunks + hidden},
		"operator":              {b.api.Operator(), "POST /api/v1/links HTTP/1.0\r\nHost: a" + keepAlive + chunks + hidden},
		"operator, no route":    {b.api.Operator(), "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + hidden},
		"a listener for health": {b.api.Health(), "GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + hidden},
	} {
		answers := exchange(t, serve(t, tt.handler), tt.request)
		if n := strings.Count(answers, "HTTP/1.0 ") + strings.Count(answers, "HTTP/1.1 "); n != 1 {
			t.Errorf("%s: %d answers, want 1:\n%s", name, n, answers)
		}
	}
	if len(b.store.attempts) != 0 {
		t.Errorf("the hidden request was a click: %+v", b.store.attempts)
	}
}

// exchange sends bytes to a server and returns its answers until it closes the connection.
func exchange(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answers, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("%.40q: %v", request, err)
	}
	return string(answers)
}

// A form that arrives only in part does not count as a click, although a link without
// confirmation needs no form.
func TestUnfinishedFormCountsNothing(t *testing.T) {
	t.Parallel()
	for _, confirms := range []bool{false, true} {
		b := newBench(t, nil)
		b.store.confirms = confirms
		conn, err := net.Dial("tcp", serve(t, b.api.Public()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		request := line("POST", "/"+liveToken, "Content-Type: application/x-www-form-urlencoded", "Content-Length: 50") +
			"confirm=1"
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(conn.(*net.TCPConn).CloseWrite(),
			conn.SetDeadline(time.Now().Add(10*time.Second))); err != nil {
			t.Fatal(err)
		}
		answers, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answers), "HTTP/1.1 400 ") {
			t.Errorf("confirmation %v: %v, answered %.80q, want 400", confirms, err, answers)
		}
		if len(b.store.attempts) != 0 {
			t.Errorf("confirmation %v: the store was asked %+v", confirms, b.store.attempts)
		}
	}
}

// patientStorage answers when the context of the request ends, with an error made of its error.
type patientStorage struct {
	stubStorage

	answer func(error) error
}

func (s *patientStorage) Prove(ctx context.Context, _, _, _ string) (gateway.ObjectInfo, error) {
	<-ctx.Done()
	return gateway.ObjectInfo{}, s.answer(ctx.Err())
}

// An operator's request gets 503 if it takes longer than RequestTimeout or until the service
// stops.
func TestOperatorRequestsEndInTime(t *testing.T) {
	t.Parallel()
	errStopping := errors.New("stopping")
	for name, answer := range map[string]func(error) error{
		"a known error":   func(err error) error { return fmt.Errorf("%w: %w", gateway.ErrUnavailable, err) },
		"a bare error":    func(err error) error { return err },
		"another's error": func(error) error { return errors.New("interrupted") },
	} {
		for _, stopping := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				storage := &patientStorage{answer: answer}
				b := newBench(t, func(o *Options) {
					o.RequestTimeout = 75 * time.Second
					o.Service = gateway.New(gateway.Options{
						Storages: []*gateway.Storage{{
							Name: "main", Buckets: []string{"reports"}, Objects: storage, Presigner: storage,
							Timeout: time.Minute,
						}},
						Policy: gateway.Policy{
							MaxExpiry: time.Hour,
							Presets:   map[string]time.Duration{gateway.PresetBusiness: time.Hour},
						},
						Metrics: gateway.NewMetrics(prometheus.NewRegistry(), gateway.MetricsOptions{Storages: []string{"main"}}),
						Logger:  o.Logger, Now: time.Now,
					})
				})
				ctx, end := context.WithCancelCause(t.Context())
				defer end(nil)
				want := 75 * time.Second
				if stopping {
					want = 10 * time.Second
					time.AfterFunc(want, func() { end(errStopping) })
				}
				begun := time.Now()
				a := askWithin(ctx, b.api.Operator(), "POST", "/api/v1/links", `{"bucket":"reports","key":"a.txt"}`,
					"Authorization", "Bearer "+opsKey, "Content-Type", "application/json")
				if p := a.problem(t); a.status != 503 || p.Code != "unavailable" || a.header.Get("Retry-After") == "" {
					t.Errorf("%s, stopping %v: %d %+v, want 503 unavailable", name, stopping, a.status, p)
				}
				if took := time.Since(begun); took != want {
					t.Errorf("%s, stopping %v: answered after %s, want %s", name, stopping, took, want)
				}
				if series := "keyhole_api_requests_total{code=503,method=POST,route=/api/v1/links}"; b.count(t, series) != 1 {
					t.Errorf("%s, stopping %v: counted as %v", name, stopping, b.counters(t))
				}
			})
		}
	}
}
