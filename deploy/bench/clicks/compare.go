package main

import (
	"fmt"
	"io"
	"slices"
)

// compare prints the processor time of each row divided by the time of the same row at an
// earlier commit. It prints the median of the ratios of the rounds, and their range at full
// load: rounds of one machine differ by more than the two commits do.
func compare(w io.Writer, subjects []*subject) {
	cpu, rateCPU := func(m *measurement) float64 { return m.CPU }, func(m *measurement) float64 { return m.RateCPU }
	for i, s := range subjects {
		if !s.before {
			continue
		}
		now := subjects[i-1] //nolint:gosec // prepareAll puts it behind the same row of now.
		load, rate := ratiosOf(now, s, cpu), ratiosOf(now, s, rateCPU)
		fmt.Fprintf(w, "%-52s %.3f of before at full load (%.2f to %.2f), %.3f at a rate\n",
			now.title(), load[len(load)/2], load[0], load[len(load)-1], rate[len(rate)/2])
	}
}

// compareConsoles prints the figures of each row beside consoles divided by those of the same
// row without them: the median of the ratios of the rounds, and their range. The processor
// time of the pages is a part of the figures, because clicks and pages share it.
func compareConsoles(w io.Writer, subjects []*subject) {
	for i, s := range subjects {
		if s.consoles == 0 {
			continue
		}
		without := subjects[i-1] // prepareAll puts it behind the same row without consoles.
		for _, figure := range []struct {
			name string
			of   func(*measurement) float64
		}{
			{"CPU a click at full load", func(m *measurement) float64 { return m.CPU }},
			{"clicks a second at full load", func(m *measurement) float64 { return m.Throughput }},
			{"p99 at full load", func(m *measurement) float64 { return m.P99.Seconds() }},
			{"CPU a click at a rate", func(m *measurement) float64 { return m.RateCPU }},
			{"p50 at a rate", func(m *measurement) float64 { return m.RateP50.Seconds() }},
			{"p99 at a rate", func(m *measurement) float64 { return m.RateP99.Seconds() }},
		} {
			all := ratiosOf(s, without, figure.of)
			fmt.Fprintf(w, "%s: %s %.3f of the same without (%.2f to %.2f)\n",
				s.title(), figure.name, all[len(all)/2], all[0], all[len(all)-1])
		}
	}
}

// ratiosOf divides a figure of one subject by that of another in the same round, and returns
// the ratios of all rounds, sorted.
func ratiosOf(a, b *subject, of func(*measurement) float64) []float64 {
	all := make([]float64, len(b.rounds))
	for round := range b.rounds {
		all[round] = ratio(of(&a.rounds[round]), of(&b.rounds[round]))
	}
	slices.Sort(all)
	return all
}
