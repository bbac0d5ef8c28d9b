package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMiddle(t *testing.T) {
	for name, tt := range map[string]struct {
		values []float64
		want   float64
	}{
		"one":            {[]float64{3}, 3},
		"odd":            {[]float64{9, 1, 5}, 5},
		"even, the next": {[]float64{4, 1, 3, 2}, 3},
	} {
		if got := middle(tt.values); got != tt.want {
			t.Errorf("%s: %g, want %g", name, got, tt.want)
		}
	}
}

// TestRatio has no quotient that JSON could not hold.
func TestRatio(t *testing.T) {
	for _, tt := range [][3]float64{{6, 4, 1.5}, {0, 4, 0}, {6, 0, 0}, {0, 0, 0}} {
		if got := ratio(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%g to %g is %g, want %g", tt[0], tt[1], got, tt[2])
		}
	}
}

// The figures of a median may come from different rounds.
func TestMedianOf(t *testing.T) {
	got := medianOf([]measurement{
		{CPU: 1, RedisCPU: 30, P99: 2 * time.Millisecond, ClicksPerCall: 3, RateClicksPerCall: 1},
		{CPU: 2, RedisCPU: 10, P99: 3 * time.Millisecond, ClicksPerCall: 1, RateClicksPerCall: 2},
		{CPU: 3, RedisCPU: 20, P99: 1 * time.Millisecond, ClicksPerCall: 2, RateClicksPerCall: 3},
	})
	want := measurement{CPU: 2, RedisCPU: 20, P99: 2 * time.Millisecond, ClicksPerCall: 2, RateClicksPerCall: 2}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// measured returns a subject with the processor times of its rounds.
func measured(name, redis, floor string, cpu ...float64) *subject {
	s := &subject{row: row{name: name, redis: redis, floor: floor}}
	for _, c := range cpu {
		s.rounds = append(s.rounds, measurement{CPU: c, RateP99: time.Duration(c) * time.Millisecond})
	}
	return s
}

func TestRatios(t *testing.T) {
	all := []*subject{
		measured("echo + GET", inMemory, floorGet, 10, 20, 40),
		measured("echo + GET", appendOnly, floorGet, 5, 5, 5),
		measured("Keyhole", inMemory, "", 20, 20, 20),
		measured("Keyhole", appendOnly, "", 20, 20, 20),
		measured("Keyhole", clusterOf3, "", 20, 20, 20),
	}
	gets := floorsOf(all, floorGet)
	if len(gets) != 2 {
		t.Fatalf("the floor was measured on %d kinds of Redis, want 2", len(gets))
	}
	cpu := func(m *measurement) float64 { return m.CPU }
	for i, want := range []float64{1, 1, 1, 4, 1} {
		if got := all[i].to(gets, cpu); got != want {
			t.Errorf("%s: ratio %g, want %g", all[i].title(), got, want)
		}
	}
	if got := all[2].to(floorsOf(all, floorObvious), cpu); got != 0 {
		t.Errorf("the ratio to a floor that was not measured is %g, want 0", got)
	}
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	o := &options{
		rounds: 3, links: 7, connections: 64, duration: time.Second, commit: "0123456789ab",
		table: filepath.Join(dir, "table.md"), json: filepath.Join(dir, "results.json"),
	}
	err := report(o, []*subject{
		measured("echo + GET", inMemory, floorGet, 10, 10, 10),
		measured("Keyhole, pin none", inMemory, "", 15, 15, 15),
	})
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(o.table)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"Commit 0123456789ab, ", "Medians of 3 rounds of 1 s",
		"| Keyhole, pin none | in memory | 15.0 |",
	} {
		if !strings.Contains(string(table), part) {
			t.Errorf("the table has no %q:\n%s", part, table)
		}
	}
	text, err := os.ReadFile(o.json)
	if err != nil {
		t.Fatal(err)
	}
	var all results
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if all.Version != resultsVersion || len(all.Rows) != 2 || all.Rows[1].Ratio.CPU != 1.5 ||
		len(all.Rows[1].Rounds) != 3 {
		t.Errorf("the JSON has %+v", all)
	}
	// Every row of the table has as many cells as its head.
	rows := strings.Split(strings.TrimSpace(string(table)[strings.Index(string(table), "\n|"):]), "\n")
	for _, r := range rows {
		if strings.Count(r, "|") != strings.Count(rows[0], "|") {
			t.Errorf("%q has other cells than %q", r, rows[0])
		}
	}
	if err := report(&options{table: filepath.Join(dir, "missing", "table.md")}, nil); err == nil {
		t.Error("a file that cannot be written is no error")
	}
}

func TestRows(t *testing.T) {
	titles, references := map[string]bool{}, 0
	for _, r := range rows() {
		if titles[r.title()] {
			t.Errorf("%s appears twice", r.title())
		}
		titles[r.title()] = true
		if r.reference {
			references++
		}
		if r.method == "" || r.status < 300 || r.check == "" || r.links == "" ||
			(r.links == linksOfFloors) != (r.floor != "") {
			t.Errorf("%s is incomplete: %+v", r.title(), r)
		}
	}
	if references != 1 {
		t.Errorf("%d rows are the reference, want 1", references)
	}
}

func TestClicksPerCall(t *testing.T) {
	if got := clicksPerCall(9, 4); got != 2.25 {
		t.Errorf("9 clicks in 4 calls: %g", got)
	}
	if got := clicksPerCall(9, 0); got != 0 {
		t.Errorf("without calls: %g", got)
	}
	if got := microsecondsEach(3*time.Millisecond, 2); got != 1500 {
		t.Errorf("3 ms for 2: %g µs", got)
	}
	if got := microsecondsEach(time.Millisecond, 0); got != 1000 {
		t.Errorf("1 ms for none: %g µs", got)
	}
}

// TestThisMachine knows the machine of the tests, and names what it cannot find out.
func TestThisMachine(t *testing.T) {
	m := thisMachine()
	if m.Cores < 1 || m.Kernel == "" || !strings.HasPrefix(m.Go, "go1.") || !strings.HasPrefix(m.Redis, "Redis ") {
		t.Errorf("got %+v", m)
	}
	t.Setenv("PATH", t.TempDir())
	if m := thisMachine(); m.Redis != "unknown Redis" {
		t.Errorf("without Redis: %q", m.Redis)
	}
	if got := ms(1234567 * time.Nanosecond); got != "1.23" {
		t.Errorf("1,234,567 ns are %s ms", got)
	}
}
