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

// resultsVersion is the version of the layout of the JSON.
const resultsVersion = 2

// results is the JSON that -json writes. Other tools read it: a change of a field's meaning
// needs another resultsVersion.
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

// machine describes the computer. Figures of two machines cannot be compared, ratios can.
type machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	Redis     string `json:"redis"`
}

// jsonRow is one row with its medians, and with its rounds for a closer look at their spread.
type jsonRow struct {
	Name   string        `json:"name"`
	Redis  string        `json:"redis"`
	Median measurement   `json:"median"`
	Ratio  ratios        `json:"ratio"`
	Rounds []measurement `json:"rounds"`
}

// ratios are medians over the rounds of a row's time divided by that of a floor in the same
// round: the echo handler with a GET to a Redis of the same kind (in memory, if that kind
// was not measured), the echo handler that only redirects, and the obvious version. 0 means
// not measured.
type ratios struct {
	CPU        float64 `json:"cpu_to_get"`
	ToRedirect float64 `json:"cpu_to_redirect"`
	ToObvious  float64 `json:"cpu_to_obvious"`
	RateP99    float64 `json:"rate_p99_to_get"`
}

// floorsOf returns the rounds of a floor by the kind of Redis. It is empty if the floor was
// not chosen.
func floorsOf(measured []*subject, floor string) map[string][]measurement {
	found := map[string][]measurement{}
	for _, s := range measured {
		if s.floor == floor {
			found[s.redis] = s.rounds
		}
	}
	return found
}

// to returns the median of the ratios of one figure, round by round. Both figures of a ratio
// are seconds apart, so a change of the machine's speed cancels out.
func (s *subject) to(floors map[string][]measurement, of func(*measurement) float64) float64 {
	others, ok := floors[s.redis]
	if !ok {
		others = floors[inMemory]
	}
	if len(others) < len(s.rounds) {
		return 0
	}
	all := make([]float64, len(s.rounds))
	for i := range s.rounds {
		all[i] = ratio(of(&s.rounds[i]), of(&others[i]))
	}
	return middle(all)
}

// ratio divides two measured figures. It returns 0, for not measured, if the second is 0:
// the kernel counts processor time in steps of 10 ms, so a short turn may have used none,
// and JSON has no number for the quotient.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// middle returns the median of values, which it sorts. Of an even number of values it is the
// higher of the two in the middle, so that it is a value that was measured.
func middle[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// medianOf returns the median of each figure separately, so the figures of a row may come
// from different rounds.
func medianOf(rounds []measurement) measurement {
	return measurement{
		CPU:               median(rounds, func(m *measurement) float64 { return m.CPU }),
		GatewayCPU:        median(rounds, func(m *measurement) float64 { return m.GatewayCPU }),
		RedisCPU:          median(rounds, func(m *measurement) float64 { return m.RedisCPU }),
		ClicksPerCall:     median(rounds, func(m *measurement) float64 { return m.ClicksPerCall }),
		Throughput:        median(rounds, func(m *measurement) float64 { return m.Throughput }),
		P50:               median(rounds, func(m *measurement) time.Duration { return m.P50 }),
		P99:               median(rounds, func(m *measurement) time.Duration { return m.P99 }),
		Memory:            median(rounds, func(m *measurement) float64 { return m.Memory }),
		Rate:              median(rounds, func(m *measurement) float64 { return m.Rate }),
		RateCPU:           median(rounds, func(m *measurement) float64 { return m.RateCPU }),
		RateRedis:         median(rounds, func(m *measurement) float64 { return m.RateRedis }),
		RateClicksPerCall: median(rounds, func(m *measurement) float64 { return m.RateClicksPerCall }),
		RateP50:           median(rounds, func(m *measurement) time.Duration { return m.RateP50 }),
		RateP99:           median(rounds, func(m *measurement) time.Duration { return m.RateP99 }),
	}
}

// median returns the median of one figure. One slow round, for example while another
// program used the core, does not move it.
func median[T cmp.Ordered](rounds []measurement, of func(*measurement) T) T {
	values := make([]T, len(rounds))
	for i := range rounds {
		values[i] = of(&rounds[i])
	}
	return middle(values)
}

// report prints the table, and writes it and the JSON to the files of the options. The
// directories must exist.
func report(o *options, measured []*subject) error {
	all := results{
		Version: resultsVersion, Commit: o.commit, Date: time.Now().UTC().Format(time.DateOnly), Machine: thisMachine(),
		Rounds: o.rounds, Seconds: o.duration.Seconds(), Links: o.links, Open: o.connections,
	}
	all.Rows = jsonRows(measured)
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

// jsonRows returns the medians and ratios of every row.
func jsonRows(measured []*subject) (rows []jsonRow) {
	gets, redirects := floorsOf(measured, floorGet), floorsOf(measured, floorRedirect)
	obvious := floorsOf(measured, floorObvious)
	cpu := func(m *measurement) float64 { return m.CPU }
	for _, s := range measured {
		rows = append(rows, jsonRow{
			Name: s.name, Redis: s.redis, Median: medianOf(s.rounds), Rounds: s.rounds,
			Ratio: ratios{
				CPU: s.to(gets, cpu), ToRedirect: s.to(redirects, cpu), ToObvious: s.to(obvious, cpu),
				RateP99: s.to(gets, func(m *measurement) float64 { return m.RateP99.Seconds() }),
			},
		})
	}
	return rows
}

// write writes the table in Markdown, as deploy/docs/dev/performance.md has it. Times of the
// processor are in microseconds, latencies in milliseconds, memory in MiB.
func (all *results) write(w io.Writer) {
	fmt.Fprintf(w, "Commit %s, %s. %s, %d cores, Linux %s, %s, %s.\n", all.Commit, all.Date,
		all.Machine.Processor, all.Machine.Cores, all.Machine.Kernel, all.Machine.Go, all.Machine.Redis)
	fmt.Fprintf(w, "Medians of %d rounds of %g s, ratios of what was measured in the same round; %d connections, %d "+
		"links. Gateway and Redis on one core, the load on another.\n\n",
		all.Rounds, all.Seconds, all.Open, all.Links)
	fmt.Fprintln(w, "| what answers | Redis | CPU a click, µs | of it Redis | to echo + GET | to echo alone | to the "+
		"obvious | a second | p50, ms | p99, ms | memory, MiB | at a second | CPU a click, µs | p50, ms | p99, ms | p99 "+
		"to echo + GET |")
	fmt.Fprintln(w, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: "+
		"| ---: | ---: |")
	for i := range all.Rows {
		r := &all.Rows[i]
		m := &r.Median
		fmt.Fprintf(w, "| %s | %s | %.1f | %.1f | %.2f | %.2f | %.2f | %.0f | %s | %s | %.0f | %.0f | %.1f | %s | %s | "+
			"%.2f |\n", r.Name, r.Redis,
			m.CPU, m.RedisCPU, r.Ratio.CPU, r.Ratio.ToRedirect, r.Ratio.ToObvious, m.Throughput, ms(m.P50), ms(m.P99),
			m.Memory, m.Rate, m.RateCPU, ms(m.RateP50), ms(m.RateP99), r.Ratio.RateP99)
	}
}

// ms writes a latency in milliseconds.
func ms(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1000) }

// thisMachine describes the machine of the measurements. What it cannot find out is unknown
// and no error: the figures are valid without it.
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
