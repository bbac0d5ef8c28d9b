package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// result is what was measured of one row.
type result struct {
	row

	Rounds []measurement
}

// resultsVersion is that of the layout of the JSON.
const resultsVersion = 1

// results is the JSON.
type results struct {
	Version int       `json:"version"`
	Commit  string    `json:"commit"`
	Date    string    `json:"date"`
	Machine machine   `json:"machine"`
	Rounds  int       `json:"rounds"`
	Seconds float64   `json:"seconds_each"`
	Links   int       `json:"links"`
	Open    int       `json:"connections"`
	Rows    []jsonRow `json:"rows"`
}

type machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	Redis     string `json:"redis"`
}

type jsonRow struct {
	Name   string        `json:"name"`
	AOF    bool          `json:"aof_everysec"`
	Median measurement   `json:"median"`
	Ratio  ratios        `json:"ratio"`
	Rounds []measurement `json:"rounds"`
}

// ratios of a row to the floor on a Redis of the same kind, and of its p99 at a
// rate to the floor's at the same.
type ratios struct {
	CPU     float64 `json:"cpu"`
	RateP99 float64 `json:"rate_p99"`
}

// medianOf returns the median of each figure by itself.
func medianOf(rounds []measurement) measurement {
	return measurement{
		CPU:        median(rounds, func(m *measurement) float64 { return m.CPU }),
		GatewayCPU: median(rounds, func(m *measurement) float64 { return m.GatewayCPU }),
		RedisCPU:   median(rounds, func(m *measurement) float64 { return m.RedisCPU }),
		Joined:     median(rounds, func(m *measurement) float64 { return m.Joined }),
		Throughput: median(rounds, func(m *measurement) float64 { return m.Throughput }),
		P50:        median(rounds, func(m *measurement) time.Duration { return m.P50 }),
		P99:        median(rounds, func(m *measurement) time.Duration { return m.P99 }),
		Rate:       median(rounds, func(m *measurement) float64 { return m.Rate }),
		RateCPU:    median(rounds, func(m *measurement) float64 { return m.RateCPU }),
		RateP50:    median(rounds, func(m *measurement) time.Duration { return m.RateP50 }),
		RateP99:    median(rounds, func(m *measurement) time.Duration { return m.RateP99 }),
	}
}

// median returns the median of one figure.
func median[T cmp.Ordered](rounds []measurement, of func(*measurement) T) T {
	values := make([]T, len(rounds))
	for i := range rounds {
		values[i] = of(&rounds[i])
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// report prints the table, and writes it and the JSON where the options say.
func report(o *options, measured []*result) error {
	all := results{
		Version: resultsVersion, Commit: o.commit, Date: time.Now().UTC().Format(time.DateOnly), Machine: thisMachine(),
		Rounds: o.rounds, Seconds: o.duration.Seconds(), Links: o.links, Open: o.connections,
	}
	floors := map[bool]measurement{}
	for _, r := range measured {
		if r.floor == floorGet {
			floors[r.aof] = medianOf(r.Rounds)
		}
	}
	for _, r := range measured {
		floor, ok := floors[r.aof]
		if !ok {
			floor = floors[false]
		}
		m := medianOf(r.Rounds)
		all.Rows = append(all.Rows, jsonRow{
			Name: r.name, AOF: r.aof, Median: m, Rounds: r.Rounds,
			Ratio: ratios{CPU: m.CPU / floor.CPU, RateP99: float64(m.RateP99) / float64(floors[false].RateP99)},
		})
	}
	var table strings.Builder
	all.write(&table)
	fmt.Print(table.String())
	if o.table != "" {
		if err := os.WriteFile(o.table, []byte(table.String()), 0o600); err != nil {
			return err
		}
	}
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(text, '\n'), 0o600)
}

// write writes the table.
func (all *results) write(w io.Writer) {
	fmt.Fprintf(w, "Commit %s, %s. %s, %d cores, Linux %s, %s, %s.\n", all.Commit, all.Date,
		all.Machine.Processor, all.Machine.Cores, all.Machine.Kernel, all.Machine.Go, all.Machine.Redis)
	fmt.Fprintf(w, "Medians of %d rounds of %g s; %d connections, %d links. Gateway and Redis on one core, the load on another.\n\n",
		all.Rounds, all.Seconds, all.Open, all.Links)
	fmt.Fprintln(w, "| what answers | Redis | CPU a click, µs | of it Redis | to echo + GET | a second | p50, ms | p99, ms | at a second | CPU a click, µs | p50, ms | p99, ms |")
	fmt.Fprintln(w, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for i := range all.Rows {
		r := &all.Rows[i]
		persistence := "in memory"
		if r.AOF {
			persistence = "AOF everysec"
		}
		m := &r.Median
		fmt.Fprintf(w, "| %s | %s | %.1f | %.1f | %.2f | %.0f | %s | %s | %.0f | %.1f | %s | %s |\n", r.Name, persistence,
			m.CPU, m.RedisCPU, r.Ratio.CPU, m.Throughput, ms(m.P50), ms(m.P99), m.Rate, m.RateCPU, ms(m.RateP50), ms(m.RateP99))
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1000) }

// thisMachine tells what the figures are of.
func thisMachine() machine {
	m := machine{Processor: "unknown processor", Go: runtime.Version(), Redis: "unknown Redis"}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.Cores = strings.Count(string(text), "processor\t")
		if _, name, found := strings.Cut(string(text), "model name\t: "); found {
			m.Processor, _, _ = strings.Cut(name, "\n")
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := exec.Command("redis-server", "--version").Output(); err == nil { //nolint:noctx // It ends at once.
		if fields := strings.Fields(string(text)); len(fields) > 2 {
			m.Redis = "Redis " + strings.TrimPrefix(fields[2], "v=")
		}
	}
	return m
}
