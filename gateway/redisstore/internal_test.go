package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/batch"
)

func TestSuccessor(t *testing.T) {
	for s, want := range map[string]string{
		"a": "b", "b\x00": "b\x01", "b\x00k\xff": "b\x00l", "b\x00\xff\xff": "b\x01", "b\x00é": "b\x00\xc3\xaa",
	} {
		if got := successor(s); got != want {
			t.Errorf("after %q comes %q, not %q", s, got, want)
		}
	}
}

func TestResultOf(t *testing.T) {
	for want, errs := range map[string][]error{
		resultOK: {
			nil, gateway.ErrNotFound, gateway.ErrExists, fmt.Errorf("list: %w", gateway.ErrCursor),
			gateway.ErrEnded, gateway.ErrChanged, gateway.ErrNeverValid, &gateway.ChangeError{},
		},
		resultCanceled: {unavailable("get", context.Canceled)},
		resultTimeout: {unavailable("get", context.DeadlineExceeded), redis.ErrPoolTimeout, &net.OpError{
			Op:  "read",
			Err: context.DeadlineExceeded,
		}},
		resultRecord:      {unavailable("get", gateway.ErrRecord)},
		resultUnavailable: {ErrEvicting, errors.New("NOREPLICAS Not enough good replicas to write."), ErrPartitions},
	} {
		for _, err := range errs {
			if got := resultOf(err); got != want {
				t.Errorf("%v is %s, not %s", err, got, want)
			}
		}
	}
}

func TestServerCheck(t *testing.T) {
	good := ServerInfo{Version: "7.0.0", Role: "master", Policy: "noeviction"}
	for name, test := range map[string]struct {
		change func(*ServerInfo)
		want   error
	}{
		"Redis 7.0":            {func(*ServerInfo) {}, nil},
		"Redis 8.2":            {func(i *ServerInfo) { i.Version = "8.2.1" }, nil},
		"Redis 6.2":            {func(i *ServerInfo) { i.Version = "6.2.14" }, ErrVersion},
		"Valkey 7.2":           {func(i *ServerInfo) { i.Version, i.Valkey = "7.2.5", true }, nil},
		"Valkey 7.1":           {func(i *ServerInfo) { i.Version, i.Valkey = "7.1.0", true }, ErrVersion},
		"no version":           {func(i *ServerInfo) { i.Version = "" }, ErrVersion},
		"replica":              {func(i *ServerInfo) { i.Role = "slave" }, ErrNotMaster},
		"sentinel":             {func(i *ServerInfo) { i.Role = "sentinel" }, ErrNotMaster},
		"evicting":             {func(i *ServerInfo) { i.MaxMemory, i.Policy = 1, "allkeys-lru" }, ErrEvicting},
		"policy without limit": {func(i *ServerInfo) { i.Policy = "allkeys-lru" }, nil},
		"limit, no eviction":   {func(i *ServerInfo) { i.MaxMemory = 1 }, nil},
	} {
		info := good
		test.change(&info)
		if err := info.Check(); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		// One unhealthy master makes a cluster unhealthy, in any order of answers.
		if err := good.worse(&info).Check(); (err == nil) != (test.want == nil) {
			t.Errorf("%s, answering first: %v", name, err)
		}
		if err := info.worse(&good).Check(); (err == nil) != (test.want == nil) {
			t.Errorf("%s, answering last: %v", name, err)
		}
	}
}

// TestWorst ranks an evicting master of a cluster above every other fault, in any order
// of answers.
func TestWorst(t *testing.T) {
	evicting := ServerInfo{Version: "7.0.0", Role: "master", MaxMemory: 1, Policy: "allkeys-lru"}
	replica := ServerInfo{Version: "7.0.0", Role: "slave", Policy: "noeviction"}
	old := ServerInfo{Version: "6.2.0", Role: "master", Policy: "noeviction"}
	both := evicting
	both.Role = "slave"
	for _, other := range []ServerInfo{replica, old, both} {
		for _, worst := range []*ServerInfo{evicting.worse(&other), other.worse(&evicting)} {
			if err := worst.Check(); !errors.Is(err, ErrEvicting) {
				t.Errorf("evicting beside %+v: %v", other, err)
			}
		}
	}
}

// TestFullestMaster reports the memory of the master with the least memory left, in any
// order of answers, and never takes its limit for that of another master's policy.
func TestFullestMaster(t *testing.T) {
	t.Parallel()
	node := func(used, limit int64, policy string) ServerInfo {
		return ServerInfo{
			Version: "7.0.0", Role: "master", Policy: policy, MaxMemory: limit, UsedMemory: used, MemoryLimit: limit,
		}
	}
	for name, test := range map[string]struct{ fuller, other ServerInfo }{
		"without limits":  {node(2, 0, "noeviction"), node(1, 0, "noeviction")},
		"one limit":       {node(1, 100, "noeviction"), node(500, 0, "noeviction")},
		"two limits":      {node(50, 100, "noeviction"), node(60, 200, "noeviction")},
		"another policy":  {node(50, 100, "noeviction"), node(1, 0, "allkeys-lru")},
		"it is not known": {node(1, 0, "noeviction"), node(0, 0, "noeviction")},
	} {
		for _, worst := range []*ServerInfo{test.fuller.worse(&test.other), test.other.worse(&test.fuller)} {
			if worst.UsedMemory != test.fuller.UsedMemory || worst.MemoryLimit != test.fuller.MemoryLimit ||
				worst.Check() != nil {
				t.Errorf("%s: %+v, %v", name, worst, worst.Check())
			}
		}
	}
}

// TestUpdateHealth keeps the reason for refusing clicks until every master is healthy.
func TestUpdateHealth(t *testing.T) {
	away := errors.New("away")
	good := ServerInfo{Version: "7.0.0", Role: "master", Policy: "noeviction"}
	evicting, replica, old := good, good, good
	evicting.MaxMemory, evicting.Policy = 1, "allkeys-lru"
	replica.Role, old.Version = "slave", "6.2.0"
	var s Store
	s.unhealthy.Store(&errNotProbed)
	for _, test := range []struct {
		name  string
		info  ServerInfo
		err   error
		says  error
		trust error // why clicks are refused afterwards
	}{
		{"nobody at first", ServerInfo{}, away, away, errNotProbed},
		{"some at first", good, away, away, errNotProbed},
		{"a replica at first", replica, nil, ErrNotMaster, errNotProbed},
		{"too old", old, nil, ErrVersion, ErrVersion},
		{"in order", good, nil, nil, nil},
		{"away", ServerInfo{}, away, away, nil},
		{"some evict", evicting, away, ErrEvicting, ErrEvicting},
		{"evicting, then away", ServerInfo{}, away, away, ErrEvicting},
		{"evicting, then some", good, away, away, ErrEvicting},
		{"evicting, then a replica", replica, nil, ErrNotMaster, ErrEvicting},
		{"in order again", good, nil, nil, nil},
		{"evicting", evicting, nil, ErrEvicting, ErrEvicting},
	} {
		if err := s.updateHealth(test.info, test.err); !errors.Is(err, test.says) {
			t.Errorf("%s: %v, want %v", test.name, err, test.says)
		}
		if err := s.ensureHealthy("admit"); !errors.Is(err, test.trust) || (err == nil) != (test.trust == nil) {
			t.Errorf("%s: mistrusted for %v, want %v", test.name, err, test.trust)
		}
	}
}

// answer is an error reply of Redis.
type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

// panicking is a hook that panics in place of every call.
type panicking struct{}

func (panicking) DialHook(next redis.DialHook) redis.DialHook { return next }
func (panicking) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error { panic("secret-canary") }
}

func (panicking) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(context.Context, []redis.Cmder) error { panic("secret-canary") }
}

// TestPanic lets the Redis client panic during a call that clicks share: each click gets
// an error, and the log has only the stack.
func TestPanic(t *testing.T) {
	client, err := Connect(ClientOptions{Mode: ModeSingle, Addresses: []string{"127.0.0.1:1"}, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	client.clicks.(*redis.Client).AddHook(panicking{})
	var log strings.Builder
	s, err := New(client, Options{
		Prefix: "keyhole", Retention: Retention{MaxLife: time.Hour, AfterEnd: time.Hour}, MaxClickEvents: 1,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, send := range map[string]func(context.Context, []*pendingClick){
		"together": s.sendTogether, "each": s.sendEach,
		"by partition": func(ctx context.Context, clicks []*pendingClick) {
			clicks[1].Item.partition = 1
			s.sendToMaster(ctx, client.clicks.(*redis.Client), clicks)
		},
	} {
		clicks := []*pendingClick{batch.NewPending[click](), batch.NewPending[click]()}
		send(t.Context(), clicks)
		for _, p := range clicks {
			if err := p.Wait(); !errors.Is(err, errPanicked) {
				t.Errorf("%s: ended with %v", name, err)
			}
		}
	}
	if text := log.String(); !strings.Contains(text, "clickbatch.go") || strings.Contains(text, "secret-canary") {
		t.Errorf("logged %s", text)
	}
}

// TestConnect refuses invalid options before it connects.
func TestConnect(t *testing.T) {
	good := ClientOptions{Mode: ModeSingle, Addresses: []string{"127.0.0.1:1"}, Timeout: time.Second}
	for name, change := range map[string]func(*ClientOptions){
		"no address":   func(o *ClientOptions) { o.Addresses = nil },
		"no timeout":   func(o *ClientOptions) { o.Timeout = 0 },
		"unknown mode": func(o *ClientOptions) { o.Mode = "replica" },
	} {
		o := good
		change(&o)
		if _, err := Connect(o); err == nil {
			t.Errorf("%s: connected", name)
		}
	}
	client, err := Connect(good)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for name, o := range map[string]Options{
		"nothing":          {},
		"a brace":          {Prefix: "a{b}", Retention: Retention{1, 1}, MaxClickEvents: 1},
		"no logger":        {Prefix: "a", Retention: Retention{1, 1}, MaxClickEvents: 1},
		"no longest life ": {Prefix: "a", Retention: Retention{AfterEnd: 1}, MaxClickEvents: 1},
	} {
		if _, err := New(client, o); err == nil {
			t.Errorf("%s: a store", name)
		}
	}
}

// TestScriptHeads checks that every script, except for parts of scripts, documents its
// keys, arguments and returns.
func TestScriptHeads(t *testing.T) {
	files, err := fs.Glob(sources, "lua/*.lua")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(sources, file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		head, _, _ := strings.Cut(string(text), "\nlocal ")
		if strings.HasPrefix(head, "-- Part of ") {
			continue
		}
		for _, part := range []string{"\n-- KEYS  1", "\n-- ARGV  ", "\n-- Returns "} {
			if !strings.Contains(head, part) {
				t.Errorf("the head of %s has no %q", file, strings.TrimSpace(part))
			}
		}
	}
}
