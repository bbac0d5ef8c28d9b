package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// wrkAnswers prints the result of a load of 200 redirects in a second.
const wrkAnswers = `echo "Running 1s test"
times='"microseconds": 1000000, "p50": 400, "p99": 900'
echo "RESULT {\"requests\": 200, \"refused\": 0, \"failed\": 0, $times}"`

// TestRun measures some rows from end to end: a real Redis, and fakes of the gateway, the
// floor, the storage and the load.
func TestRun(t *testing.T) {
	install(t, "wrk", wrkAnswers)
	o := testOptions(t)
	o.before = o.keyhole
	o.rounds = 2
	o.only = regexp.MustCompile(`^Keyhole, (pin none|pin auto, checked before|max_clicks, POST), in memory$`)
	o.table, o.json = filepath.Join(o.scratch, "table.md"), filepath.Join(o.scratch, "results.json")
	if err := run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.json)
	if err != nil {
		t.Fatal(err)
	}
	var all results
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range all.Rows {
		r := &all.Rows[i]
		names = append(names, r.Name)
		m := r.Median
		if len(r.Rounds) != 2 || m.Throughput != 200 || m.P50 != 400*time.Microsecond || m.P99 != 900*time.Microsecond {
			t.Errorf("%s: %+v", r.Name, r)
		}
		if m.Rate != 100 || m.RateP50 <= 0 || m.RateP99 < m.RateP50 || m.Memory <= 0 {
			t.Errorf("%s at a rate: %+v", r.Name, m)
		}
	}
	want := []string{
		"echo + GET", "Keyhole, pin none", "Keyhole, pin none, before", "Keyhole, pin auto, checked before",
		"Keyhole, pin auto, checked before, before", "Keyhole, max_clicks, POST", "Keyhole, max_clicks, POST, before",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the rows are %q, want %q", names, want)
	}
	table, err := os.ReadFile(o.table)
	if err != nil || strings.Count(string(table), "\n| ") != len(want)+2 {
		t.Errorf("the table is\n%s, %v", table, err)
	}
}

// TestRunBesideConsoles measures a row of Keyhole without and with consoles, and compares.
func TestRunBesideConsoles(t *testing.T) {
	install(t, "wrk", wrkAnswers)
	o := testOptions(t)
	o.rounds, o.consoles = 2, 3
	o.only = regexp.MustCompile(`^Keyhole, pin none, in memory$`)
	o.table = filepath.Join(o.scratch, "table.md")
	if err := run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(o.table)
	if err != nil || strings.Count(string(table), "| Keyhole, pin none, beside 3 consoles |") != 1 {
		t.Errorf("the table is\n%s, %v", table, err)
	}
	o.before = o.keyhole
	if err := run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "cannot be combined") {
		t.Errorf("with an earlier commit: %v", err)
	}
}

// TestRunFails names the row or the part whose program fails, and ends all servers.
func TestRunFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(o *options)
		wrk    string
		want   string
	}{
		"no storage":   {func(o *options) { o.versitygw = "/nonexistent/versitygw" }, wrkAnswers, "/nonexistent/versitygw"},
		"no floor":     {func(o *options) { o.floor = "/nonexistent/floor" }, wrkAnswers, "echo + GET, in memory"},
		"no gateway":   {func(o *options) { o.keyhole = "/nonexistent/keyhole" }, wrkAnswers, "Keyhole, pin none, in memory"},
		"no load":      {func(*options) {}, "exit 3", "echo + GET, in memory"},
		"no core":      {func(o *options) { o.core = "99999" }, wrkAnswers, "redis-server ended at once"},
		"no directory": {func(o *options) { o.scratch = "/nonexistent" }, wrkAnswers, "/nonexistent"},
	} {
		t.Run(name, func(t *testing.T) {
			install(t, "wrk", tt.wrk)
			o := testOptions(t)
			o.only = regexp.MustCompile(`^Keyhole, pin none, in memory$`)
			tt.change(o)
			if err := run(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error about %q", err, tt.want)
			}
		})
	}
}

// TestRunEndsWithItsContext stops between two turns.
func TestRunEndsWithItsContext(t *testing.T) {
	install(t, "wrk", wrkAnswers)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, testOptions(t)); err == nil {
		t.Error("a benchmark that was interrupted reports no error")
	}
}
