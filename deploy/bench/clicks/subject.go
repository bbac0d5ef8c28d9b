package main

import (
	"context"
	"fmt"
	"time"
)

// subject is one row that is being measured. Its servers run until the benchmark ends, so
// that all rows can be measured in short turns. A server that waits for its turn uses
// almost no processor time.
type subject struct {
	row

	store   *store
	tokens  []string
	servers []*process
	load    wrk
	open    *consoles // nil: none
	rounds  []measurement
}

// measurement is one row in one round. Processor times are in microseconds per click.
type measurement struct {
	CPU        float64 `json:"cpu_us"`
	GatewayCPU float64 `json:"gateway_cpu_us"`
	RedisCPU   float64 `json:"redis_cpu_us"`
	// ClicksPerCall is the number of clicks in one call of a script; 0 if no script was called.
	ClicksPerCall float64       `json:"clicks_a_script_call"`
	Throughput    float64       `json:"per_second"`
	P50           time.Duration `json:"p50_ns"`
	P99           time.Duration `json:"p99_ns"`
	// Memory is the peak memory of one server so far, in MiB.
	Memory float64 `json:"memory_mib"`
	// The following are from the open loop, at Rate requests a second.
	Rate              float64       `json:"rate_per_second"`
	RateCPU           float64       `json:"rate_cpu_us"`
	RateRedis         float64       `json:"rate_redis_cpu_us"`
	RateClicksPerCall float64       `json:"rate_clicks_a_script_call"`
	RateP50           time.Duration `json:"rate_p50_ns"`
	RateP99           time.Duration `json:"rate_p99_ns"`
}

// prepare starts the servers of a row, requests each of its links once, compares the
// answers and warms the servers up.
func (b *bench) prepare(ctx context.Context, r *row) (*subject, error) {
	store, err := b.storeOf(ctx, r.redis)
	if err != nil {
		return nil, err
	}
	s := &subject{row: *r, store: store}
	if err := b.fill(ctx, s.store, r.links); err != nil {
		return nil, err
	}
	s.tokens = s.store.tokens[r.links]
	s.load = wrk{
		script: b.o.script, file: s.store.files[r.links], method: r.method, forwarded: r.forwarded,
		connections: b.o.connections, refused: r.refuses(), page: r.page,
	}
	for range max(r.gateways, 1) {
		var p *process
		var address string
		if r.floor == "" {
			p, address, err = b.startGateway(ctx, s.store, b.programOf(r), r.check)
		} else {
			p, address, err = b.startFloor(ctx, s.store, r.floor)
		}
		if err != nil {
			return nil, err
		}
		b.processes, s.servers = append(b.processes, p), append(s.servers, p)
		s.load.addresses = append(s.load.addresses, address)
		if err := b.askEach(ctx, r, address, s.tokens); err != nil {
			return nil, err
		}
	}
	if r.consoles > 0 {
		if s.open, err = openConsoles(ctx, s.store.operator, b.key, r.consoles); err != nil {
			return nil, fmt.Errorf("open consoles: %w", err)
		}
	}
	// Connections, caches and the heap of the servers reach their usual state.
	_, err = s.load.run(ctx, b.o.duration)
	return s, err
}

// measure measures a subject once at full load, and once at a rate, or at half of its
// throughput if that is less. Rate 0 means half of its throughput. A subject with warm is
// asked for each link first, so that the gateway knows each object.
func (b *bench) measure(ctx context.Context, s *subject, rate float64) (m measurement, err error) {
	if s.warm {
		if err := b.askEach(ctx, &s.row, s.load.addresses[0], s.tokens); err != nil {
			return m, err
		}
	}
	err = s.besideConsoles(ctx, func() error { return b.measureLoad(ctx, s, &m) })
	if err != nil {
		return m, err
	}
	m.Rate = m.Throughput / 2
	if rate > 0 {
		m.Rate = min(rate, m.Rate)
	}
	err = s.besideConsoles(ctx, func() error { return b.measureRate(ctx, s, &m) })
	if err != nil {
		return m, err
	}
	m.Memory, err = peakMemory(s.servers)
	return m, err
}

// measureLoad measures a subject at full load: each connection sends the next request at
// once after an answer.
func (b *bench) measureLoad(ctx context.Context, s *subject, m *measurement) error {
	var done wrkResult
	gateways, redis, calls, err := b.spent(ctx, s, s.title(), func() (err error) {
		done, err = s.load.run(ctx, b.o.duration)
		return err
	})
	if err != nil {
		return err
	}
	m.ClicksPerCall = clicksPerCall(done.Requests, calls)
	m.GatewayCPU = microsecondsEach(gateways, done.Requests)
	m.RedisCPU = microsecondsEach(redis, done.Requests)
	m.CPU = m.GatewayCPU + m.RedisCPU
	m.Throughput = float64(done.Requests) / (float64(done.Microseconds) / 1e6)
	m.P50, m.P99 = done.p50(), done.p99()
	return nil
}

// measureRate measures a subject at m.Rate requests a second, the load of a service that is
// busy but not overloaded.
func (b *bench) measureRate(ctx context.Context, s *subject, m *measurement) error {
	var took []time.Duration
	gateways, redis, calls, err := b.spent(ctx, s, s.title()+", at a rate", func() (err error) {
		took, err = openLoop(ctx, b.o, s.load.addresses, &s.row, s.tokens, m.Rate)
		return err
	})
	if err != nil {
		return err
	}
	m.RateClicksPerCall = clicksPerCall(int64(len(took)), calls)
	m.RateCPU = microsecondsEach(gateways+redis, int64(len(took)))
	m.RateRedis = microsecondsEach(redis, int64(len(took)))
	m.RateP50, m.RateP99 = took[len(took)/2], took[len(took)*99/100]
	return nil
}

// peakMemory returns the largest peak memory of several servers, in MiB.
func peakMemory(servers []*process) (peak float64, _ error) {
	for _, p := range servers {
		had, err := p.memory()
		if err != nil {
			return 0, err
		}
		peak = max(peak, had)
	}
	return peak, nil
}

// spent returns the processor time of a subject's servers and of its Redis during a call,
// and the number of script calls. The time of Redis counts like that of the gateway, because
// a script only moves work from one to the other.
func (b *bench) spent(
	ctx context.Context, s *subject, title string, call func() error,
) (ofServers, ofRedis time.Duration, calls int64, err error) {
	of := [2][]*process{s.servers, s.store.nodes}
	var had, have [len(of)]time.Duration
	called, err := scriptCalls(ctx, s.store.addresses)
	if err != nil {
		return 0, 0, 0, err
	}
	for i := range of {
		if had[i], err = cpu(of[i]); err != nil {
			return 0, 0, 0, err
		}
	}
	if err := b.profiled(ctx, title, call); err != nil {
		return 0, 0, 0, err
	}
	for i := range of {
		if have[i], err = cpu(of[i]); err != nil {
			return 0, 0, 0, err
		}
	}
	calls, err = scriptCalls(ctx, s.store.addresses)
	return have[0] - had[0], have[1] - had[1], calls - called, err
}

// clicksPerCall returns the average number of clicks in a call, 0 without calls. Floors call
// no script; Keyhole puts clicks that arrive at the same time into one call.
func clicksPerCall(clicks, calls int64) float64 {
	if calls == 0 {
		return 0
	}
	return float64(clicks) / float64(calls)
}

// microsecondsEach divides a processor time by the number of clicks, in microseconds.
func microsecondsEach(d time.Duration, among int64) float64 {
	return float64(d.Nanoseconds()) / 1000 / float64(max(among, 1))
}
