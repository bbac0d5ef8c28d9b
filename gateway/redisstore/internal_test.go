package redisstore

import (
	"context"
	"encoding/binary"
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
	"keyhole/gateway/redisstore/redistest"
)

// TestLetters holds the letters of events against what they stand for: each is
// one, each is read as what it was written for.
func TestLetters(t *testing.T) {
	for _, outcome := range gateway.Outcomes() {
		letter, err := letterOf(outcomeLetters, outcomeOf, outcome)
		if err != nil {
			t.Errorf("outcome %s: %v", outcome, err)
			continue
		}
		if back, err := outcomeOf(letter[0]); back != outcome || err != nil {
			t.Errorf("%s is read as %s, %v", outcome, back, err)
		}
	}
	for letters, of := range map[string]func(byte) error{
		kindLetters:        func(b byte) error { _, err := kindOf(b); return err },
		outcomeLetters:     func(b byte) error { _, err := outcomeOf(b); return err },
		methodLetters:      func(b byte) error { _, err := methodOf(b); return err },
		dispositionLetters: func(b byte) error { _, err := dispositionOf(b); return err },
	} {
		for i := range len(letters) {
			if strings.Count(letters, letters[i:i+1]) != 1 || of(letters[i]) != nil {
				t.Errorf("%q of %q is no letter", letters[i], letters)
			}
		}
		if err := of('?'); !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("? of %q: %v", letters, err)
		}
	}
}

// TestContentTypes keeps content types exactly, and the known ones where earlier
// releases have put them.
func TestContentTypes(t *testing.T) {
	texts := append([]string{"", "application/PDF", "text/plain;charset=utf-8", "x", strings.Repeat("t", 8191)}, knownTypes[:]...)
	for _, text := range texts {
		packed := appendContentType(nil, text)
		d := decoder{rest: string(packed)}
		if got := d.contentType(); got != text || d.end() != nil {
			t.Errorf("%.40q is read as %.40q, %v", text, got, d.end())
		}
	}
	for place, text := range map[int]string{0: "application/octet-stream", 2: "application/pdf", 9: "text/plain; charset=utf-8", 31: "text/markdown"} {
		if knownTypes[place] != text {
			t.Errorf("place %d is %q now and was %q", place, knownTypes[place], text)
		}
		if n := len(appendContentType(nil, text)); n != 2 {
			t.Errorf("%q takes %d bytes", text, n)
		}
	}
	d := decoder{rest: string(binary.AppendUvarint(nil, firstKnownType+uint64(len(knownTypes))))}
	if d.contentType(); !errors.Is(d.err, gateway.ErrRecord) {
		t.Errorf("a type of the future: %v", d.err)
	}
}

func TestAddresses(t *testing.T) {
	for _, address := range []string{
		"", "192.0.2.1", "116.1.2.3", "2001:db8::1", "::ffff:1.2.3.4", "::1%eth0", "203.0.113.0/24", "t", "4abcd", "unknown", "\x00",
	} {
		got, err := unpackAddress(packAddress(address))
		if got != address || err != nil {
			t.Errorf("%q is read as %q, %v", address, got, err)
		}
	}
	if n := len(packAddress("255.255.255.255")); n != 5 {
		t.Errorf("an address takes %d bytes", n)
	}
	for _, packed := range []string{"4abc", "6abc", "x", "\x00\x00\x00\x00"} {
		if got, err := unpackAddress(packed); err == nil {
			t.Errorf("%q is read as %q", packed, got)
		}
	}
}

func TestETags(t *testing.T) {
	for etag, size := range map[string]int{
		`"d41d8cd98f00b204e9800998ecf8427e"`:   17,
		`"D41D8CD98F00B204E9800998ECF8427E"`:   36,
		`"d41d8cd98f00b204e9800998ecf8427e-9"`: 38,
		`d41d8cd98f00b204e9800998ecf8427eab`:   36,
		`W/"d41d8cd98f00b204e9800998ecf842"`:   36,
		``:                                     2,
		`"`:                                    3,
	} {
		packed := appendETag(nil, etag)
		d := decoder{rest: string(packed)}
		if got := d.etag(); got != etag || d.err != nil || d.rest != "" || len(packed) != size {
			t.Errorf("%s is read as %s of %d bytes, %v", etag, got, len(packed), d.err)
		}
	}
}

func TestSuccessor(t *testing.T) {
	for s, want := range map[string]string{
		"a": "b", "b\x00": "b\x01", "b\x00k\xff": "b\x00l", "b\x00\xff\xff": "b\x01", "b\x00é": "b\x00\xc3\xaa",
	} {
		if got := successor(s); got != want {
			t.Errorf("after %q comes %q, not %q", s, got, want)
		}
	}
}

// TestCutRecords cuts records everywhere: each is refused, none panics.
func TestCutRecords(t *testing.T) {
	sensitive := true
	link := gateway.Link{
		Ref: gateway.ObjectRef{Storage: "s", Bucket: "b", Key: strings.Repeat("k", 200)}, Sensitive: &sensitive,
		Labels: map[string]string{"a": "b"},
	}
	head := "\x01\x01" + strings.Repeat("\x01", 6*4+5+10)
	history := head + string(historyBody(&link, version)) + string(endBody("alice", "why"))
	if _, err := (view{history: history}).link(link.ID); err != nil {
		t.Fatalf("the whole history: %v", err)
	}
	permission := "\x01\x01" + strings.Repeat("\x00", 17) + string(permissionBody(&link, &gateway.Secrets{}))
	if err := readPermission(&gateway.Permission{}, permission, 0); err != nil {
		t.Fatalf("the whole permission: %v", err)
	}
	for what, err := range map[string]error{
		"history":    func() error { _, err := (view{history: history + "\x00"}).link(link.ID); return err }(),
		"permission": readPermission(&gateway.Permission{}, permission+"\x00", 0),
	} {
		if !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("a %s with another field: %v", what, err)
		}
	}
	element := "\x01dgd" + strings.Repeat("\x01", 11) + packAddress("192.0.2.1")
	if _, err := parseClick(link.ID, element); err != nil {
		t.Fatalf("the whole click: %v", err)
	}
	op := strings.Repeat("\x01", 16) + "i" + noOperation + string(operationBody(gateway.Origin{Actor: "alice"}, "why"))
	if _, err := parseOperation(1, 1, op); err != nil {
		t.Fatalf("the whole operation: %v", err)
	}
	for record, parse := range map[string]func(string) error{
		history:    func(s string) error { _, err := (view{history: "\x01" + s}).link(link.ID); return err },
		permission: func(s string) error { return readPermission(&gateway.Permission{}, s, 0) },
		element:    func(s string) error { _, err := parseClick(link.ID, s); return err },
		op:         func(s string) error { _, err := parseOperation(1, 1, s); return err },
	} {
		for n := range len(record) {
			cut := record[:n]
			if record == history && n > 0 {
				cut = record[1:n]
			}
			if record == element && n == len(element)-5 {
				continue // Without its address a click is whole.
			}
			if err := parse(cut); !errors.Is(err, gateway.ErrRecord) {
				t.Errorf("cut after %d of %d bytes: %v", n, len(record), err)
			}
		}
	}
}

// FuzzRecords reads noise: no record panics or asks for memory without end.
func FuzzRecords(f *testing.F) {
	f.Add("\x01\x00" + strings.Repeat("\xff", 60))
	f.Add("\x01dgd" + strings.Repeat("\x80", 30))
	cursors, err := newSealer(make([]byte, cursorKeyLength))
	if err != nil {
		f.Fatalf("make a sealer: %v", err)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		_, _ = (view{history: s, live: s}).link(gateway.ID{})
		_, _ = (view{history: s, newest: s}).link(gateway.ID{})
		_ = readPermission(&gateway.Permission{}, s, 0)
		_, _ = admissionOf(s, gateway.ID{})
		_, _ = parseClick(gateway.ID{}, s)
		_, _ = parseOperation(1, 1, s)
		_, _ = cursors.open(cursorTerm, "", s)
		_, _ = parseEventPosition(cursors, gateway.ID{}, s)
	})
}

func TestResultOf(t *testing.T) {
	for want, errs := range map[string][]error{
		resultOK:          {nil, gateway.ErrNotFound, gateway.ErrExists, fmt.Errorf("list: %w", gateway.ErrCursor), gateway.ErrEnded, gateway.ErrChanged, gateway.ErrNeverValid, &gateway.ChangeError{}},
		resultCanceled:    {unavailable("get", context.Canceled)},
		resultTimeout:     {unavailable("get", context.DeadlineExceeded), redis.ErrPoolTimeout, &net.OpError{Op: "read", Err: context.DeadlineExceeded}},
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
		// One bad master of a cluster spoils it, in whatever order they answer.
		if err := good.worse(&info).Check(); (err == nil) != (test.want == nil) {
			t.Errorf("%s, answering first: %v", name, err)
		}
		if err := info.worse(&good).Check(); (err == nil) != (test.want == nil) {
			t.Errorf("%s, answering last: %v", name, err)
		}
	}
}

// TestWorst lets an evicting master of a cluster outdo any other fault, in
// whatever order they answer.
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

// TestJudge keeps mistrust until every master has been seen in order.
func TestJudge(t *testing.T) {
	away := errors.New("away")
	good := ServerInfo{Version: "7.0.0", Role: "master", Policy: "noeviction"}
	evicting, replica, old := good, good, good
	evicting.MaxMemory, evicting.Policy = 1, "allkeys-lru"
	replica.Role, old.Version = "slave", "6.2.0"
	var s Store
	s.mistrust.Store(&errUnseen)
	for _, test := range []struct {
		name  string
		info  ServerInfo
		err   error
		says  error
		trust error // why links are not served afterwards
	}{
		{"nobody at first", ServerInfo{}, away, away, errUnseen},
		{"some at first", good, away, away, errUnseen},
		{"a replica at first", replica, nil, ErrNotMaster, errUnseen},
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
		if err := s.judge(test.info, test.err); !errors.Is(err, test.says) {
			t.Errorf("%s: %v, want %v", test.name, err, test.says)
		}
		if err := s.trusted("admit"); !errors.Is(err, test.trust) || (err == nil) != (test.trust == nil) {
			t.Errorf("%s: mistrusted for %v, want %v", test.name, err, test.trust)
		}
	}
}

// answer is an error that Redis answered.
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

// TestPanic lets the client of Redis panic under a call that clicks share: each has
// an error, and the log the place alone.
func TestPanic(t *testing.T) {
	client, err := Connect(ClientOptions{Mode: ModeSingle, Addresses: []string{"127.0.0.1:1"}, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	client.clicks.(*redis.Client).AddHook(panicking{})
	var log strings.Builder
	s, err := New(client, Options{
		Prefix: "keyhole", Lives: Lives{Longest: time.Hour, Retention: time.Hour}, MaxClickEvents: 1,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	batch := func() []*joined {
		now := time.Now()
		return []*joined{newJoined("a", now), newJoined("b", now)}
	}
	for name, send := range map[string]func(context.Context, []*joined){
		"together": s.sendTogether, "alone": s.sendAlone,
		"by partition": func(ctx context.Context, batch []*joined) {
			batch[1].partition = 1
			s.sendByPartition(ctx, batch)
		},
	} {
		clicks := batch()
		send(t.Context(), clicks)
		for _, j := range clicks {
			if !errors.Is(j.err, errPanicked) {
				t.Errorf("%s: ended with %v", name, j.err)
			}
		}
	}
	if text := log.String(); !strings.Contains(text, "join.go") || strings.Contains(text, "secret-canary") {
		t.Errorf("logged %s", text)
	}
}

// TestConnect refuses what cannot work before anything is dialled.
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
		"a brace":          {Prefix: "a{b}", Lives: Lives{1, 1}, MaxClickEvents: 1},
		"no logger":        {Prefix: "a", Lives: Lives{1, 1}, MaxClickEvents: 1},
		"no longest life ": {Prefix: "a", Lives: Lives{Retention: 1}, MaxClickEvents: 1},
	} {
		if _, err := New(client, o); err == nil {
			t.Errorf("%s: a store", name)
		}
	}
}

// TestScriptHeads holds every script that is called, not those that are parts
// of others, to naming its keys, arguments and returns.
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

// TestConfirmAllKnowsTheMaster refuses to confirm by a master that is not the one
// that was read from: a replica that has taken over says nothing about it.
func TestConfirmAllKnowsTheMaster(t *testing.T) {
	g := redistest.StartSentinel(t)
	client, err := Connect(ClientOptions{
		Mode: ModeSentinel, Addresses: g.Addresses, MasterName: g.Master, Timeout: 2 * time.Second,
		Username: redistest.Username, Password: redistest.Password,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	s, err := New(client, Options{
		Prefix: "keyhole", Lives: Lives{Longest: time.Hour, Retention: time.Hour}, MaxClickEvents: 1,
		WaitReplicas: 1, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := s.replicationIDs(t.Context())
	if err != nil || len(ids[0]) != 40 {
		t.Fatalf("replication IDs %q, %v", ids[0], err)
	}
	redistest.Wait(t, "the replica to confirm", func() error { return s.confirmAll(t.Context(), ids) })
	ids[partitions-1] = strings.Repeat("0", 40)
	if err := s.confirmAll(t.Context(), ids); !errors.Is(err, gateway.ErrNotConfirmed) || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("another master confirmed: %v", err)
	}
}
