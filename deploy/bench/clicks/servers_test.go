package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestLaunch gives a program its core, its variables and a log, and nothing else of this
// process but PATH.
func TestLaunch(t *testing.T) {
	t.Setenv("HOME", "/home/of-the-test")
	o := testOptions(t)
	p, err := launch(o, o.core, itself(t), []string{"GOGC=50"}, "print", "a b", "c")
	if err != nil {
		t.Fatal(err)
	}
	ended(t, p)
	if got := p.printed(); got != "a b c GOGC=50 HOME=\n" {
		t.Errorf("the program printed %q", got)
	}
	p.stop() // It may have ended.
}

// TestLaunchFails needs a directory for the log. Without the program, taskset ends at once.
func TestLaunchFails(t *testing.T) {
	o := testOptions(t)
	o.scratch = "/nonexistent"
	if _, err := launch(o, o.core, itself(t), nil, "print"); err == nil {
		t.Error("a log that cannot be written is no error")
	}
	o = testOptions(t)
	p, err := launch(o, o.core, "/nonexistent/program", nil)
	if err != nil {
		t.Fatal(err)
	}
	ended(t, p)
	if got := p.printed(); !strings.Contains(got, "/nonexistent/program") {
		t.Errorf("the log is %q", got)
	}
}

// TestPrintedWithoutLog returns the reason in place of the log.
func TestPrintedWithoutLog(t *testing.T) {
	p := &process{log: "/nonexistent/log"}
	if got := p.printed(); !strings.Contains(got, "no such file") {
		t.Errorf("got %q", got)
	}
}

// TestAwait calls ready until it succeeds.
func TestAwait(t *testing.T) {
	o := testOptions(t)
	p := start(t, o, "hang")
	calls := 0
	err := p.await(t.Context(), func(context.Context) error {
		if calls++; calls < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	select {
	case <-p.ended:
		t.Error("a program that is ready was stopped")
	default:
	}
}

// TestAwaitOfEnded reports what a program printed before it ended, at once and not at the
// end of the time.
func TestAwaitOfEnded(t *testing.T) {
	o := testOptions(t)
	p := start(t, o, "print", "no port is free")
	err := p.await(t.Context(), func(context.Context) error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "ended at once") ||
		!strings.Contains(err.Error(), "no port is free") {
		t.Errorf("got %v", err)
	}
}

// TestAwaitStops stops a program that does not get ready before the context ends.
func TestAwaitStops(t *testing.T) {
	o := testOptions(t)
	p := start(t, o, "hang")
	ctx, cancel := context.WithCancel(t.Context())
	cause := errors.New("not yet")
	err := p.await(ctx, func(context.Context) error { cancel(); return cause })
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("got %v", err)
	}
	ended(t, p)
}

// TestCPU counts the processor time of a process in both modes.
func TestCPU(t *testing.T) {
	this := &process{}
	o := testOptions(t)
	idle := start(t, o, "hang")
	this.cmd = idle.cmd
	first, err := this.cpu()
	if err != nil || first < 0 || first > startTimeout {
		t.Errorf("an idle process: %v, %v", first, err)
	}
	together, err := cpu([]*process{idle, idle})
	if err != nil || together < 2*first {
		t.Errorf("twice the same process: %v, %v, once %v", together, err, first)
	}
	if none, err := cpu(nil); none != 0 || err != nil {
		t.Errorf("no process: %v, %v", none, err)
	}
}

// TestMemory reads the peak memory in MiB. A Go program needs between one and a hundred.
func TestMemory(t *testing.T) {
	o := testOptions(t)
	p := start(t, o, "hang")
	// taskset becomes the program when it has set the core.
	err := p.await(t.Context(), func(context.Context) error {
		if had, err := p.memory(); err != nil || had < 1 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	had, err := p.memory()
	if err != nil || had < 1 || had > 100 {
		t.Errorf("%g MiB, %v", had, err)
	}
	peak, err := peakMemory([]*process{p, p})
	if err != nil || peak < had {
		t.Errorf("the peak of two is %g MiB, %v; one has %g", peak, err, had)
	}
}

// TestFiguresOfEnded fails for a process that has ended: a figure of 0 would be wrong.
func TestFiguresOfEnded(t *testing.T) {
	o := testOptions(t)
	p := start(t, o, "print", "x")
	ended(t, p)
	if _, err := p.cpu(); err == nil {
		t.Error("the processor time of an ended process is no error")
	}
	if _, err := cpu([]*process{p}); err == nil {
		t.Error("the processor time of ended processes is no error")
	}
	if _, err := p.memory(); err == nil {
		t.Error("the memory of an ended process is no error")
	}
	if _, err := peakMemory([]*process{p}); err == nil {
		t.Error("the peak memory of an ended process is no error")
	}
}

// TestFreeAddress returns addresses on which a server can listen, and that no other socket gets
// by chance.
func TestFreeAddress(t *testing.T) {
	for range 3 {
		address, err := freeAddress()
		if err != nil {
			t.Fatal(err)
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil || host != "127.0.0.1" {
			t.Errorf("%s: %v", address, err)
		}
		if n, err := strconv.Atoi(port); err != nil || n < firstPort || n > lastPort {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestListening tells a server that listens from an address without one.
func TestListening(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.Listener.Addr().String()
	if err := listening(address)(t.Context()); err != nil {
		t.Errorf("a server: %v", err)
	}
	server.Close()
	if err := listening(address)(t.Context()); err == nil {
		t.Error("a closed server listens")
	}
}

// TestReady is about the status of /readyz alone.
func TestReady(t *testing.T) {
	status := http.StatusServiceUnavailable
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || r.Method != http.MethodGet {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		w.WriteHeader(status)
	}))
	address := server.Listener.Addr().String()
	if err := ready(address)(t.Context()); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a gateway without Redis: %v", err)
	}
	status = http.StatusOK
	if err := ready(address)(t.Context()); err != nil {
		t.Errorf("a gateway: %v", err)
	}
	server.Close()
	if err := ready(address)(t.Context()); err == nil {
		t.Error("a closed gateway is ready")
	}
	if err := ready("not an address")(t.Context()); err == nil {
		t.Error("what is no address is ready")
	}
}

// TestStartStorage starts the storage on the core of the load, with directories of its own.
func TestStartStorage(t *testing.T) {
	o := testOptions(t)
	p, endpoint, err := startStorage(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	if !strings.HasPrefix(endpoint, "http://127.0.0.1:") {
		t.Errorf("the endpoint is %s", endpoint)
	}
	var args []string
	deadline := time.Now().Add(startTimeout)
	for len(args) == 0 || args[0] == "taskset" {
		if time.Now().After(deadline) {
			t.Fatalf("the arguments are %q", args)
		}
		text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		args = strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	}
	last := args[len(args)-1]
	if info, err := os.Stat(last); err != nil || !info.IsDir() || !strings.HasPrefix(last, o.scratch) {
		t.Errorf("the objects are in %s: %v", last, err)
	}
	o.scratch = "/nonexistent"
	if _, _, err := startStorage(t.Context(), o); err == nil {
		t.Error("a storage without a directory is no error")
	}
}
