package redisstore_test

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// TestMain keeps the messages of go-redis about the outages of the tests out of their
// output. Parallel tests wait for servers more than they compute, so six may run at the
// same time also on two processors, unless the command line says otherwise.
func TestMain(m *testing.M) {
	redisstore.LogTo(slog.New(slog.DiscardHandler))
	_ = flag.Set("test.parallel", "6") // The flag exists in every test binary.
	os.Exit(m.Run())
}

// target is a running Redis of one kind.
type target struct {
	client redisstore.ClientOptions
	nodes  []*redistest.Server // empty for miniredis
}

// targets returns the functions that start every supported kind of Redis.
func targets() map[string]func(t *testing.T) target {
	return map[string]func(t *testing.T) target{
		"single":    startSingle,
		"sentinel":  startSentinel,
		"cluster":   startCluster,
		"miniredis": startMini,
	}
}

func startSingle(t *testing.T) target {
	t.Helper()
	s := redistest.StartSingle(t)
	return target{client: clientOptions(redisstore.ModeSingle, s.Addr), nodes: []*redistest.Server{s}}
}

func startSentinel(t *testing.T) target {
	t.Helper()
	g := redistest.StartSentinel(t)
	o := clientOptions(redisstore.ModeSentinel, g.Addresses...)
	o.MasterName = g.Master
	return target{client: o, nodes: g.Servers[:1]}
}

func startCluster(t *testing.T) target {
	t.Helper()
	g := redistest.StartCluster(t)
	return target{client: clientOptions(redisstore.ModeCluster, g.Addresses...), nodes: g.Servers[:3]}
}

// startMini starts miniredis. It shares the processors with all tests and takes seconds for a
// long list.
func startMini(t *testing.T) target {
	t.Helper()
	o := clientOptions(redisstore.ModeSingle, redistest.StartMini(t).Addr())
	o.Timeout = time.Minute
	return target{client: o}
}

// timeout is the redis.timeout of the tests: long enough for a machine that stops for seconds.
const timeout = 10 * time.Second

// unconfirmed is the redis.timeout of tests that wait for all of it, because no replica
// confirms a change. It is long enough for a machine that stops for 3 s.
const unconfirmed = 5 * time.Second

// pollLimit is how long a test waits for what must come.
const pollLimit = 30 * time.Second

func clientOptions(mode string, addresses ...string) redisstore.ClientOptions {
	return redisstore.ClientOptions{
		Mode: mode, Addresses: addresses, Timeout: timeout,
		Username: redistest.Username, Password: redistest.Password,
	}
}

// open returns a store over a target, with its own prefix unless one is given.
func open(tb testing.TB, o redisstore.ClientOptions, change ...func(*redisstore.Options)) *redisstore.Store {
	tb.Helper()
	client, err := redisstore.Connect(o)
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	options := redisstore.Options{
		Prefix: newPrefix(), Retention: redisstore.Retention{MaxLife: 7 * 24 * time.Hour, AfterEnd: 30 * 24 * time.Hour},
		MaxClickEvents: 1_000_000, Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&options)
	}
	store, err := redisstore.New(client, options)
	if err != nil {
		tb.Fatalf("make the store: %v", err)
	}
	return store
}

// newPrefix returns a prefix that the shipped user may access.
func newPrefix() string { return "keyhole:" + strings.ToLower(rand.Text()[:8]) }

func withPrefix(prefix string) func(*redisstore.Options) {
	return func(o *redisstore.Options) { o.Prefix = prefix }
}

func withReplica() func(*redisstore.Options) {
	return func(o *redisstore.Options) { o.WaitReplicas = 1 }
}

// newID returns the id of a link whose token nobody has.
func newID(tb testing.TB) gateway.ID {
	tb.Helper()
	token, err := gateway.NewToken(rand.Reader)
	if err != nil {
		tb.Fatalf("draw a token: %v", err)
	}
	return gateway.IDOf(token)
}

// operator returns the operator who issues links in the tests.
func operator() gateway.Origin { return gateway.Origin{Actor: "alice", Address: "192.0.2.7"} }

// newLink returns a link with every field set.
func newLink(tb testing.TB) gateway.Link {
	tb.Helper()
	sensitive := true
	return gateway.Link{
		ID:  newID(tb),
		Ref: gateway.ObjectRef{Storage: "main", Bucket: "reports", Key: "exports/2026/été & co.pdf"},
		Object: gateway.ObjectInfo{
			Size: 5_000_000_000, ETag: `"d41d8cd98f00b204e9800998ecf8427e"`, VersionID: "v1",
			ContentType: "application/pdf", LastModified: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		},
		Preset: "handoff", Sensitive: &sensitive, CreatedBy: operator().Actor, Action: gateway.LinkDownload,
		Filename: "summary.pdf", Disposition: gateway.DispositionAttachment, Pin: gateway.PinNone,
		Note: "for the auditors\r\n\x00", Labels: map[string]string{"team": "audit", "ticket": "K-1"},
	}
}

// create stores link for an hour, or for life.
func create(tb testing.TB, s *redisstore.Store, link gateway.Link, life ...time.Duration) gateway.Link {
	tb.Helper()
	lifetime := time.Hour
	if len(life) > 0 {
		lifetime = life[0]
	}
	created, err := s.Create(tb.Context(), link, gateway.Secrets{}, lifetime, gateway.Origin{
		Actor:   link.CreatedBy,
		Address: operator().Address,
	})
	if err != nil {
		tb.Fatalf("create: %v", err)
	}
	return created
}

func get(tb testing.TB, s *redisstore.Store, id gateway.ID) gateway.Link {
	tb.Helper()
	link, err := s.Get(tb.Context(), id)
	if err != nil {
		tb.Fatalf("get: %v", err)
	}
	return link
}

// admit clicks and returns the outcome.
func admit(tb testing.TB, s *redisstore.Store, id gateway.ID, method string) gateway.Outcome {
	tb.Helper()
	return attempt(tb, s, gateway.Attempt{ID: id, Method: method, Address: "203.0.113.9"}).Outcome
}

// recordRefusal records the event of a refusal, as the service does.
func recordRefusal(tb testing.TB, s *redisstore.Store, a gateway.Attempt, o gateway.Outcome) {
	tb.Helper()
	kind := gateway.EventRefused
	switch o {
	case "", gateway.OutcomeRedirected, gateway.OutcomeResumed, gateway.OutcomeNotFound:
		return
	case gateway.OutcomePage:
		kind = gateway.EventPage
	}
	if a.Method == "HEAD" {
		return
	}
	if err := s.RecordEvent(tb.Context(), a, kind, o); err != nil {
		tb.Fatalf("note %s: %v", o, err)
	}
}

// equal fails the test unless got is want, field by field.
func equal[T any](tb testing.TB, what string, got, want T) {
	tb.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		tb.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// plain returns a link as text, with its pointer resolved and without its revision, which
// only testRevision checks.
func plain(l gateway.Link) string {
	l.Revision, l.LastUsedAt = "", time.Time{} // testLastUse compares the last use
	sensitive := "unstated"
	if l.Sensitive != nil {
		sensitive = strconv.FormatBool(*l.Sensitive)
		l.Sensitive = nil
	}
	return fmt.Sprintf("%+q sensitive=%s", fmt.Sprintf("%+v", l), sensitive)
}

// unavailable fails the test unless err is ErrUnavailable.
func unavailable(tb testing.TB, what string, err error) {
	tb.Helper()
	if !errors.Is(err, gateway.ErrUnavailable) {
		tb.Errorf("%s: %v, want ErrUnavailable", what, err)
	}
}

// inTime calls try until it returns no error, five times at most. It is for what a machine
// that stops for a moment disturbs, such as a bound on the time of a call. A product that is
// too slow exceeds the bound each time. So each call of try needs a fresh state.
func inTime(tb testing.TB, what string, try func() error) {
	tb.Helper()
	var err error
	for range 5 {
		if err = try(); err == nil {
			return
		}
	}
	tb.Errorf("%s: %v, each time", what, err)
}

// late returns an error if more than limit has passed since begun.
func late(begun time.Time, limit time.Duration) error {
	if took := time.Since(begun); took > limit {
		return fmt.Errorf("it took %v, want %v at most", took, limit)
	}
	return nil
}

// partitionOf returns the hash tag of a link, independent of keys.go.
func partitionOf(id gateway.ID) string { return "{p" + strconv.Itoa(int(id[0])%64) + "}" }
