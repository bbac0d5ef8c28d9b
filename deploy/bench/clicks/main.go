// Command clicks measures the processor time and the latency of a click, and compares
// them with floors: echo handlers that do only a part of the work. deploy/bench/run builds
// the programs and calls it.
//
// The gateway and Redis share one core, and the load has another. All servers run during
// the whole benchmark. Every round measures each row for a short time: at full load from
// 64 connections (wrk), for processor time, throughput and latency; and in an open loop
// at half the rate that the floor reaches, for the latency that a recipient sees.
//
// It prints a Markdown table of medians, and with -json all rounds. Compare ratios to a floor,
// not times: the same program needs other times on another machine, and even on the same one
// an hour later. With -before it measures the program of an earlier commit in the same rounds.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"
)

// options are the flags, as deploy/bench/run sets them. The defaults are for a machine with
// two cores.
type options struct {
	keyhole, floor, versitygw string // programs
	before                    string // keyhole of an earlier commit; empty: none
	script                    string // wrk's
	scratch                   string // a directory for everything that is written
	json, table               string // where the results go; empty: nowhere
	commit                    string
	env                       string // variables of the gateway, separated by blanks
	core                      string // of gateway and Redis
	loadCore                  string // of the storage; the load has that of this process
	rounds                    int
	links                     int
	connections               int
	duration                  time.Duration
	only                      *regexp.Regexp
	profile                   string // a directory for profiles; empty: none are made
}

// main reads the flags and runs the benchmark until it ends or is interrupted. An interrupt
// ends every server too.
func main() {
	var o options
	flag.StringVar(&o.keyhole, "keyhole", "", "the keyhole program")
	flag.StringVar(&o.before, "before", "", "the keyhole program of an earlier commit, measured in the same rounds")
	flag.StringVar(&o.floor, "floor", "", "the floor program")
	flag.StringVar(&o.versitygw, "versitygw", "", "the versitygw program")
	flag.StringVar(&o.script, "script", "", "wrk.lua")
	flag.StringVar(&o.scratch, "scratch", "", "a directory for what the servers write")
	flag.StringVar(&o.json, "json", "", "write the results here")
	flag.StringVar(&o.table, "table", "", "write the table here")
	flag.StringVar(&o.commit, "commit", "unknown", "the commit that is measured")
	flag.StringVar(&o.env, "env", "", "variables of the gateway, such as \"GOGC=100 GOMEMLIMIT=64MiB\"")
	flag.StringVar(&o.core, "core", "0", "the core of gateway and Redis")
	flag.StringVar(&o.loadCore, "load-core", "1", "the core of the storage")
	flag.IntVar(&o.rounds, "rounds", 7, "how often each row is measured")
	flag.IntVar(&o.links, "links", 5000, "different links, each to an object of its own")
	flag.IntVar(&o.connections, "connections", 64, "connections that ask at once")
	flag.DurationVar(&o.duration, "duration", time.Second, "how long each measurement lasts, in whole seconds")
	flag.StringVar(&o.profile, "profile", "", "write what perf sees on the core of gateway and Redis into this directory")
	only := flag.String("only", "", "measure only rows whose name has this regular expression, and the floors that "+
		"are compared with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := error(nil)
	if o.only, err = regexp.Compile(*only); err == nil {
		err = run(ctx, &o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run sets everything up, measures every row in every round, and reports. Rounds are short
// and many, and each has all rows, so that a change of the machine's speed hits all of them.
func run(ctx context.Context, o *options) error {
	b, err := setUp(ctx, o)
	if err != nil {
		return err
	}
	defer b.close()
	subjects, err := b.prepareAll(ctx)
	if err != nil {
		return err
	}
	for round := range o.rounds {
		if err := b.measureAll(ctx, subjects, round); err != nil {
			return err
		}
	}
	compare(os.Stderr, subjects)
	return report(o, subjects)
}

// prepareAll starts the servers of all rows that were chosen. A row of Keyhole is followed
// by the same row of the earlier commit, if there is one.
func (b *bench) prepareAll(ctx context.Context) (subjects []*subject, _ error) {
	for _, r := range rows() {
		if !r.reference && !b.o.only.MatchString(r.title()) {
			continue
		}
		pair := []row{r}
		if b.o.before != "" && r.floor == "" {
			r.name, r.before = r.name+", before", true
			pair = append(pair, r)
		}
		for _, r := range pair {
			s, err := b.prepare(ctx, &r)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.title(), err)
			}
			subjects = append(subjects, s)
		}
	}
	return subjects, nil
}

// measureAll measures every subject once and prints a line for each, so that a person who
// waits sees whether the machine is quiet. The reference comes first, because it gives the
// rate for the others.
func (b *bench) measureAll(ctx context.Context, subjects []*subject, round int) error {
	rate := 0.0
	for _, s := range subjects {
		m, err := b.measure(ctx, s, rate)
		if err != nil {
			return fmt.Errorf("%s: %w", s.title(), err)
		}
		if s.reference {
			rate = m.Rate
		}
		s.rounds = append(s.rounds, m)
		fmt.Fprintf(os.Stderr, "round %d  %-52s %6.1f µs a click (Redis %.1f, %.1f a call), %6.0f a second, p99 %v; at "+
			"%5.0f a second %.1f µs (Redis %.1f, %.1f a call), p50 %v, p99 %v\n",
			round+1, s.title(), m.CPU, m.RedisCPU, m.ClicksPerCall, m.Throughput, m.P99, m.Rate, m.RateCPU, m.RateRedis,
			m.RateClicksPerCall, m.RateP50, m.RateP99)
	}
	return nil
}

// compare prints the processor time of each row divided by the time of the same row at an
// earlier commit. It prints the median of the ratios of the rounds, and their range at full
// load: rounds of one machine differ by more than the two commits do.
func compare(w io.Writer, subjects []*subject) {
	for i, s := range subjects {
		if !s.before {
			continue
		}
		now := subjects[i-1] //nolint:gosec // prepareAll puts it behind the same row of now.
		var load, rate []float64
		for round := range s.rounds {
			load = append(load, ratio(now.rounds[round].CPU, s.rounds[round].CPU))
			rate = append(rate, ratio(now.rounds[round].RateCPU, s.rounds[round].RateCPU))
		}
		slices.Sort(load)
		slices.Sort(rate)
		fmt.Fprintf(w, "%-52s %.3f of before at full load (%.2f to %.2f), %.3f at a rate\n",
			now.title(), load[len(load)/2], load[0], load[len(load)-1], rate[len(rate)/2])
	}
}
