package demo

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
)

// absentMetrics returns the metrics that the demo does not have. An absent metric is right for
// them: a panel or an alert that reads 0 would show a certificate, a Redis or a full audit
// that does not exist.
func absentMetrics() []string {
	return []string{
		"gauge keyhole_audit_complete_since_timestamp_seconds", // a full partition of the audit
		"gauge keyhole_certificate_expiry_timestamp_seconds",   // a listener with TLS
		"gauge keyhole_certificate_order_failed",               // ACME
		"counter keyhole_redis_restarts_total",                 // redis.mode local
	}
}

// The /metrics of a running service has the metrics of the document and no others,
// beside those of Go and of the process, and those that the demo cannot have.
func TestMetricsDocumentIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../../deploy/docs/run/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	rows := regexp.MustCompile("(?m)^\\| `(keyhole_\\w+)` \\| (counter|gauge|histogram) \\|")
	for _, row := range rows.FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, row[2]+" "+row[1])
	}
	d := startDemo(t)
	slices.Sort(documented)
	// A scrape lacks what Redis could not tell in time, on a machine that does much else.
	for end := time.Now().Add(20 * time.Second); ; {
		served := servedMetrics(t, d)
		if len(served) >= 15 && slices.Equal(served, documented) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("a service can serve\n%s\nand the document has\n%s", strings.Join(served, "\n"),
				strings.Join(documented, "\n"))
		}
	}
}

// servedMetrics returns the type and name of each metric that a demo serves, and those that it
// cannot have, sorted.
func servedMetrics(t *testing.T, d *runningDemo) []string {
	t.Helper()
	response, err := http.Get(d.operator + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var served []string
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (keyhole_\w+) (\w+)$`).FindAllStringSubmatch(string(page), -1) {
		served = append(served, found[2]+" "+found[1])
	}
	for _, absent := range absentMetrics() {
		if slices.Contains(served, absent) {
			t.Errorf("the demo serves %s, which it cannot know", absent)
		}
	}
	served = append(served, absentMetrics()...)
	slices.Sort(served)
	return served
}

// runningDemo is a demo in this process.
type runningDemo struct {
	operator, key string // URL and key of the operator API
	printed       string // until it waits
	stop          func() error
}

// startDemo runs the demo on free ports until the test ends. It returns when the demo
// has printed its last line.
func startDemo(t *testing.T, files ...string) *runningDemo {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := &lastLine{text: "Ctrl-C", seen: make(chan struct{})}
	env := &command.Env{Stdout: out, Stderr: out}
	done := make(chan error, 1)
	go func() {
		cmd := NewCommand(env, nil)
		cmd.SetArgs(append([]string{"--public", "127.0.0.1:0", "--operator", "127.0.0.1:0", "--s3", "127.0.0.1:0"}, files...))
		done <- cmd.ExecuteContext(ctx)
	}()
	d := &runningDemo{stop: func() error { cancel(); err := <-done; done <- nil; return err }}
	t.Cleanup(func() { _ = d.stop() }) // a test that cares has stopped it
	select {
	case <-out.seen:
	case err := <-done:
		done <- nil // for stop
		t.Fatalf("the demo ended with %v: %s", err, out.String())
	}
	d.printed = out.String()
	operator := regexp.MustCompile(`Operator API +(\S+)`).FindStringSubmatch(d.printed)
	key := regexp.MustCompile(`Operator key +(\S+)`).FindStringSubmatch(d.printed)
	if operator == nil || key == nil {
		t.Fatalf("no operator API or key in:\n%s", d.printed)
	}
	d.operator, d.key = operator[1], key[1]
	return d
}

// lastLine collects output and closes seen when it contains text.
type lastLine struct {
	text string
	seen chan struct{}

	mu     sync.Mutex
	buffer bytes.Buffer
	closed bool
}

func (w *lastLine) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.String()
}

func (w *lastLine) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buffer.Write(p)
	if !w.closed && strings.Contains(w.buffer.String(), w.text) {
		w.closed = true
		close(w.seen)
	}
	return len(p), nil
}
