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
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// options are the flags, as deploy/bench/run sets them. The defaults are for a machine with
// two cores.
type options struct {
	keyhole, floor, versitygw string // programs
	before                    string // keyhole of an earlier commit; empty: none
	consoles                  int    // measure also beside so many consoles; 0: do not
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
	// maxBehind is how late a request at a rate may be sent. A server that does not answer would
	// otherwise never let the open loop end, because the next request is due only after this one.
	maxBehind time.Duration
	drainTime time.Duration // how long the last answers at a rate may take
	only      *regexp.Regexp
	profile   string // a directory for profiles; empty: none are made
}

// main reads the flags and runs the benchmark until it ends or is interrupted. An interrupt
// ends every server too.
func main() {
	o := options{maxBehind: 3 * time.Second, drainTime: time.Second}
	flag.StringVar(&o.keyhole, "keyhole", "", "the keyhole program")
	flag.StringVar(&o.before, "before", "", "the keyhole program of an earlier commit, measured in the same rounds")
	flag.IntVar(&o.consoles, "consoles", 0, "measure each row of Keyhole also beside so many signed-in consoles that "+
		"refresh their pages, in the same rounds")
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

// pairs returns a row, and behind it the same row in other circumstances, if the options want
// that and it is one of Keyhole: of an earlier commit, or beside consoles.
func (o *options) pairs(r row) []row {
	pair := []row{r}
	if o.before != "" && r.floor == "" {
		r.name, r.before = r.name+", before", true
		pair = append(pair, r)
	}
	if o.consoles > 0 && r.floor == "" {
		r.name, r.consoles = fmt.Sprintf("%s, beside %d consoles", r.name, o.consoles), o.consoles
		pair = append(pair, r)
	}
	return pair
}

// run sets everything up, measures every row in every round, and reports. Rounds are short
// and many, and each has all rows, so that a change of the machine's speed hits all of them.
func run(ctx context.Context, o *options) error {
	if o.before != "" && o.consoles > 0 {
		return errors.New("-before and -consoles cannot be combined, because each compares with the same row")
	}
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
	compareConsoles(os.Stderr, subjects)
	return report(o, subjects)
}

// prepareAll starts the servers of all rows that were chosen.
func (b *bench) prepareAll(ctx context.Context) (subjects []*subject, _ error) {
	for _, r := range rows() {
		if !r.reference && !b.o.only.MatchString(r.title()) {
			continue
		}
		for _, r := range b.o.pairs(r) {
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
