package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// bench is what all rows share: the storage, two kinds of Redis, and the links.
type bench struct {
	o         *options
	processes []*process
	endpoint  string
	redis     map[bool]*store // by whether it keeps an append-only file
	key       string          // an operator's
}

// store is one Redis with links for the gateway and records for the floors.
type store struct {
	process *process
	address string
	// operator is where the gateway on it that was started last has its API.
	operator string
	tokens   map[string][]string // by kind of links
	files    map[string]string   // the same, as wrk reads them
}

// close ends every server.
func (b *bench) close() {
	for _, p := range b.processes {
		p.stop()
	}
}

// setUp starts the servers and stores the objects.
func setUp(ctx context.Context, o *options) (_ *bench, err error) {
	b := &bench{o: o, redis: map[bool]*store{}, key: "an-operator-of-the-benchmark"}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	storage, endpoint, err := startStorage(ctx, o)
	if err != nil {
		return nil, err
	}
	b.processes, b.endpoint = append(b.processes, storage), endpoint
	if err := b.putObjects(ctx); err != nil {
		return nil, fmt.Errorf("put the objects: %w", err)
	}
	for _, aof := range []bool{false, true} {
		p, address, err := startRedis(ctx, o, aof)
		if err != nil {
			return nil, err
		}
		b.processes = append(b.processes, p)
		b.redis[aof] = &store{process: p, address: address, tokens: map[string][]string{}, files: map[string]string{}}
	}
	return b, nil
}

// measurement is one row in one round. Times of CPU are in microseconds a click.
type measurement struct {
	CPU        float64 `json:"cpu_us"`
	GatewayCPU float64 `json:"gateway_cpu_us"`
	RedisCPU   float64 `json:"redis_cpu_us"`
	// Joined is how many clicks one call of a script judged; 0: no script was called.
	Joined     float64       `json:"clicks_a_script_call"`
	Throughput float64       `json:"per_second"`
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	// At Rate a second, open loop; 0 where nothing was asked at a rate.
	Rate    float64       `json:"rate_per_second"`
	RateCPU float64       `json:"rate_cpu_us"`
	RateP50 time.Duration `json:"rate_p50_ns"`
	RateP99 time.Duration `json:"rate_p99_ns"`
}

// measure measures one row once, at full load and, unless it is 0, at a rate.
func (b *bench) measure(ctx context.Context, r *row, rate float64) (m measurement, err error) {
	s := b.redis[r.aof]
	if err := b.fill(ctx, s, r.links); err != nil {
		return m, err
	}
	server, address, err := b.serve(ctx, r, s)
	if err != nil {
		return m, err
	}
	defer server.stop()
	if err := b.askEach(ctx, r, address, s.tokens[r.links]); err != nil {
		return m, err
	}
	load := wrk{
		address: address, script: b.o.script, file: s.files[r.links], method: r.method, forwarded: r.forwarded,
		connections: b.o.connections, refused: r.status == http.StatusNotFound,
	}
	if _, err := load.run(ctx, b.o.duration/4); err != nil { // for what is set up at the first clicks
		return m, err
	}
	called, err := scriptCalls(ctx, s.address)
	if err != nil {
		return m, err
	}
	var done wrkResult
	gateway, redis, err := spent(server, s.process, func() (err error) {
		done, err = b.profiled(ctx, r, func() (wrkResult, error) { return load.run(ctx, b.o.duration) })
		return err
	})
	if err != nil {
		return m, err
	}
	calls, err := scriptCalls(ctx, s.address)
	if err != nil {
		return m, err
	}
	if calls > called {
		m.Joined = float64(done.Requests) / float64(calls-called)
	}
	m.GatewayCPU = microsecondsEach(gateway, done.Requests)
	m.RedisCPU = microsecondsEach(redis, done.Requests)
	m.CPU = m.GatewayCPU + m.RedisCPU
	m.Throughput = float64(done.Requests) / (float64(done.Microseconds) / 1e6)
	m.P50, m.P99 = done.p50(), done.p99()
	if rate == 0 {
		return m, nil
	}
	// What cannot be done at the floor's half load is asked at its own.
	m.Rate = min(rate, m.Throughput/2)
	var took []time.Duration
	gateway, redis, err = spent(server, s.process, func() (err error) {
		took, err = openLoop(ctx, address, r, s.tokens[r.links], b.o.connections, m.Rate, b.o.duration)
		return err
	})
	if err != nil {
		return m, err
	}
	m.RateCPU = microsecondsEach(gateway+redis, int64(len(took)))
	m.RateP50, m.RateP99 = took[len(took)/2], took[len(took)*99/100]
	return m, nil
}

// serve starts what the row measures, on a Redis.
func (b *bench) serve(ctx context.Context, r *row, s *store) (_ *process, address string, _ error) {
	if r.floor == "" {
		return b.startGateway(ctx, s, r.check)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	p, err := launch(b.o, b.o.core, b.o.floor, nil, "-kind", r.floor, "-listen", address, "-redis", s.address, "-s3", b.endpoint)
	if err != nil {
		return nil, "", err
	}
	return p, address, p.await(ctx, listening(address))
}

// startGateway starts Keyhole in its default configuration, but for how often
// objects are checked. Its proxy is the load, which says who asks.
func (b *bench) startGateway(ctx context.Context, s *store, check string) (_ *process, address string, _ error) {
	dir, err := os.MkdirTemp(b.o.scratch, "gateway")
	if err != nil {
		return nil, "", err
	}
	address, err = freeAddress()
	if err != nil {
		return nil, "", err
	}
	operator, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	config, secret := filepath.Join(dir, "keyhole.yaml"), filepath.Join(dir, "secret")
	text := fmt.Sprintf(configuration, address, address, operator, hashOf(b.key), s.address, b.endpoint, region, bucket, accessKey, secret, check)
	err = errors.Join(os.WriteFile(config, []byte(text), 0o600), os.WriteFile(secret, []byte(secretKey), 0o600))
	if err != nil {
		return nil, "", err
	}
	p, err := launch(b.o, b.o.core, b.o.keyhole, strings.Fields(b.o.env), "serve", "--config", config)
	if err != nil {
		return nil, "", err
	}
	s.operator = operator
	return p, address, p.await(ctx, ready(operator))
}

// configuration is the gateway's: what it needs, and nothing else.
const configuration = `
public: { listen: %q, url: "http://%s", trusted_proxies: ["127.0.0.0/8"] }
operator:
  listen: %q
  keys: [{ name: bench, sha256: %q, can: [issue] }]
redis: { addresses: [%q] }
storage:
  - { name: bench, endpoint: %q, region: %q, path_style: true, buckets: [%q], access_key_id: %q, secret_access_key_file: %q }
redirect: { object_check: %s }
`

// spent returns the CPU time that gateway and Redis have during a call.
func spent(gateway, redis *process, call func() error) (ofGateway, ofRedis time.Duration, err error) {
	processes := [...]*process{gateway, redis}
	var had [len(processes)]time.Duration
	for i, p := range processes {
		if had[i], err = p.cpu(); err != nil {
			return 0, 0, err
		}
	}
	if err := call(); err != nil {
		return 0, 0, err
	}
	for i, p := range processes {
		now, err := p.cpu()
		if err != nil {
			return 0, 0, err
		}
		had[i] = now - had[i]
	}
	return had[0], had[1], nil
}

// microsecondsEach divides a time among so many.
func microsecondsEach(d time.Duration, among int64) float64 {
	return float64(d.Nanoseconds()) / 1000 / float64(max(among, 1))
}

// askers is how many ask at once where it is not about speed.
const askers = 16

// askEach asks for every link once and compares the answers: what is measured
// must be right, and is then as warm as it gets.
func (b *bench) askEach(ctx context.Context, r *row, address string, tokens []string) error {
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: askers},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	return each(tokens, func(i int, token string) error {
		var body strings.Reader
		if r.method == http.MethodPost {
			body.Reset("confirm=1")
		}
		request, err := http.NewRequestWithContext(ctx, r.method, "http://"+address+"/"+token, &body)
		if err != nil {
			return err
		}
		if body.Len() > 0 {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if r.forwarded {
			request.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255))
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		if err := answer.Body.Close(); err != nil {
			return err
		}
		if answer.StatusCode != r.status {
			return fmt.Errorf("answered %s, not %d", answer.Status, r.status)
		}
		location := answer.Header.Get("Location")
		if r.floor == "" && r.status != http.StatusNotFound && !strings.Contains(location, objectKey(i)+"?X-Amz-") {
			return errors.New("redirected elsewhere")
		}
		return nil
	})
}

// each calls do for every token, some at once, and returns the first error.
func each(tokens []string, do func(i int, token string) error) error {
	var (
		asking sync.WaitGroup
		once   sync.Once
		failed error
	)
	for asker := range askers {
		asking.Go(func() {
			for i := asker; i < len(tokens); i += askers {
				if err := do(i, tokens[i]); err != nil {
					once.Do(func() { failed = err })
					return
				}
			}
		})
	}
	asking.Wait()
	return failed
}
