package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// aLoad returns a load on one address.
func aLoad() *wrk {
	return &wrk{
		addresses: []string{"127.0.0.1:1"}, script: "wrk.lua", file: "links", method: "GET", connections: 64,
	}
}

// TestWrkArguments passes what wrk.lua reads behind the two hyphens.
func TestWrkArguments(t *testing.T) {
	record := filepath.Join(t.TempDir(), "arguments")
	install(t, "wrk", `echo "$*" >>`+record+"\n"+wrkAnswers)
	for _, tt := range []struct {
		change func(w *wrk)
		d      time.Duration
		want   string
	}{
		{
			func(*wrk) {}, 2 * time.Second,
			"--threads 1 --connections 64 --duration 2s --latency --script wrk.lua http://127.0.0.1:1 -- links GET",
		},
		{
			func(w *wrk) { w.method, w.forwarded = "POST", true }, time.Second,
			"--threads 1 --connections 64 --duration 1s --latency --script wrk.lua http://127.0.0.1:1 -- links POST forwarded",
		},
		{
			func(w *wrk) { w.forwarded, w.page = true, true }, time.Second,
			"--threads 1 --connections 64 --duration 1s --latency --script wrk.lua http://127.0.0.1:1 " +
				"-- links GET forwarded text/html de-DE,de;q=0.9,en;q=0.8",
		},
		{ // wrk knows whole seconds only.
			func(w *wrk) { w.connections = 8 }, 300 * time.Millisecond,
			"--threads 1 --connections 8 --duration 1s --latency --script wrk.lua http://127.0.0.1:1 -- links GET",
		},
	} {
		w := aLoad()
		tt.change(w)
		if _, err := w.run(t.Context(), tt.d); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if got := lines[len(lines)-1]; got != tt.want {
			t.Errorf("got %s\nwant %s", got, tt.want)
		}
	}
}

// TestWrkOverSeveralAddresses adds the requests, and keeps the longest time and the highest
// latencies: a service is as slow as its slowest gateway.
func TestWrkOverSeveralAddresses(t *testing.T) {
	install(t, "wrk", `case "$*" in
*127.0.0.1:1*) echo 'RESULT {"requests": 10, "microseconds": 900, "p50": 7, "p99": 20}' ;;
*127.0.0.1:2*) echo 'RESULT {"requests": 30, "microseconds": 1000, "p50": 5, "p99": 40}' ;;
esac`)
	w := aLoad()
	w.addresses = append(w.addresses, "127.0.0.1:2")
	got, err := w.run(t.Context(), time.Second)
	want := wrkResult{Requests: 40, Microseconds: 1000, P50: 7, P99: 40}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if got.p50() != 7*time.Microsecond || got.p99() != 40*time.Microsecond {
		t.Errorf("the latencies are %v and %v", got.p50(), got.p99())
	}
}

// TestWrkRefused expects every answer to be a refusal if the row asks for one, and none
// otherwise.
func TestWrkRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		refused bool
		result  string
		ok      bool
	}{
		"all redirected":              {false, `{"requests": 5}`, true},
		"all refused, as expected":    {true, `{"requests": 5, "refused": 5}`, true},
		"one refused":                 {false, `{"requests": 5, "refused": 1}`, false},
		"one redirected":              {true, `{"requests": 5, "refused": 4}`, false},
		"one failed":                  {false, `{"requests": 5, "failed": 1}`, false},
		"one failed of the refused":   {true, `{"requests": 5, "refused": 5, "failed": 1}`, false},
		"no request":                  {false, `{"requests": 0}`, false},
		"no request, none refused":    {true, `{"requests": 0}`, false},
		"a result of another version": {false, `{"requests": "five"}`, false},
		"a result that was cut off":   {false, `{"requests": 5`, false},
	} {
		t.Run(name, func(t *testing.T) {
			install(t, "wrk", "echo 'RESULT "+tt.result+"'")
			w := aLoad()
			w.refused = tt.refused
			if _, err := w.run(t.Context(), time.Second); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestWrkFails shows what wrk printed.
func TestWrkFails(t *testing.T) {
	for name, tt := range map[string]struct{ script, want string }{
		"it fails":           {"echo unable to connect >&2; exit 1", "unable to connect"},
		"it prints nothing":  {"exit 0", "no result"},
		"it prints no JSON":  {"echo RESULT none", "read what wrk printed"},
		"another line only":  {"echo Requests/sec: 7", "Requests/sec: 7"},
		"it is ended by 141": {"exit 141", "141"},
	} {
		t.Run(name, func(t *testing.T) {
			install(t, "wrk", tt.script)
			if _, err := aLoad().run(t.Context(), time.Second); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error about %q", err, tt.want)
			}
		})
	}
}

// TestWrkScript runs the script of wrk itself over the fake gateway: it reads the tokens,
// sends the form and prints the result that ask reads.
func TestWrkScript(t *testing.T) {
	o := testOptions(t)
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, o, "-kind", floorRedirect, "-listen", address)
	if err := p.await(t.Context(), listening(address)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "links")
	if err := os.WriteFile(file, []byte(strings.Repeat(madeUp()+"\n", 3)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "POST"} {
		w := &wrk{addresses: []string{address}, script: "wrk.lua", file: file, method: method, connections: 2}
		got, err := w.run(t.Context(), time.Second)
		for range 2 { // wrk takes answers after more than 2 s for failures; the machine may be busy.
			if err != nil && strings.Contains(err.Error(), " failed, 0 were answered with 400") {
				got, err = w.run(t.Context(), time.Second)
			}
		}
		if err != nil || got.Requests == 0 || got.Microseconds < 500_000 || got.P99 < got.P50 {
			t.Errorf("%s: %+v, %v", method, got, err)
		}
	}
}
