package gateway

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/signer"
)

// stubClicks is a ClickStore with one answer for every click. It counts no click and holds
// no nonce; it records what it was asked.
type stubClicks struct {
	admission Admission
	err       error
	noteErr   error
	spent     Spent
	spendErr  error
	try       PassphraseAttempt
	tryErr    error
	// wait is called before a verdict is given.
	wait func()

	admitted []Attempt
	nonces   []string // that were to be spent
	tried    []string // the clients whose attempts were reserved
	returned []PassphraseAttempt

	mu    sync.Mutex
	noted []string // kind and outcome
}

func (c *stubClicks) Admit(_ context.Context, a Attempt) (Admission, error) {
	c.mu.Lock()
	c.admitted = append(c.admitted, a)
	c.mu.Unlock()
	if c.wait != nil {
		c.wait()
	}
	return c.admission, c.err
}

func (c *stubClicks) Spend(_ context.Context, _ Attempt, s Spending) (Spent, error) {
	c.nonces = append(c.nonces, s.Nonce)
	return c.spent, c.spendErr
}

func (c *stubClicks) RecordEvent(_ context.Context, _ Attempt, k EventKind, o Outcome) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noted = append(c.noted, string(k)+" "+string(o))
	return c.noteErr
}

func (c *stubClicks) ReserveAttempt(_ context.Context, _ ID, client string) (PassphraseAttempt, error) {
	c.tried = append(c.tried, client)
	return c.try, c.tryErr
}

func (c *stubClicks) ReleaseAttempt(_ context.Context, _ ID, try PassphraseAttempt) error {
	c.returned = append(c.returned, try)
	return nil
}

// stubObjects is a storage with one scripted answer for every object, and for versions
// answers of their own. It holds no object.
type stubObjects struct {
	info     ObjectInfo
	err      error
	versions map[string]ObjectInfo // by ID; what is not among them is not found
	// wait is called before a Stat is answered.
	wait func()

	proved []string // bucket/key
	list   func(KeyQuery) KeyPage
	listed []KeyQuery

	mu    sync.Mutex
	asked []string // of Stat: bucket/key, and @version
}

func (o *stubObjects) Prove(_ context.Context, bucket, key, version string) (ObjectInfo, error) {
	o.proved = append(o.proved, bucket+"/"+key)
	return o.answer(version)
}

func (o *stubObjects) Stat(_ context.Context, bucket, key, version string) (ObjectInfo, error) {
	o.mu.Lock()
	o.asked = append(o.asked, strings.TrimSuffix(bucket+"/"+key+"@"+version, "@"))
	o.mu.Unlock()
	if o.wait != nil {
		o.wait()
	}
	return o.answer(version)
}

// List answers with the pages in their order, by their tokens or last keys.
func (o *stubObjects) List(_ context.Context, q KeyQuery) (KeyPage, error) {
	o.listed = append(o.listed, q)
	if o.err != nil {
		return KeyPage{}, o.err
	}
	if o.list == nil {
		return KeyPage{}, nil
	}
	return o.list(q), nil
}

func (o *stubObjects) answer(version string) (ObjectInfo, error) {
	if version == "" {
		return o.info, o.err
	}
	info, ok := o.versions[version]
	if !ok {
		return ObjectInfo{}, ErrObjectNotFound
	}
	return info, nil
}

// stats returns what Stat was asked.
func (o *stubObjects) stats() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.asked)
}

// stubPresigner gives one URL for every request.
type stubPresigner struct {
	url string
	err error

	mu       sync.Mutex
	requests []signer.Request
}

func (p *stubPresigner) Presign(_ context.Context, r signer.Request) (signer.Signed, error) {
	p.mu.Lock()
	p.requests = append(p.requests, r)
	p.mu.Unlock()
	if p.err != nil {
		return signer.Signed{}, p.err
	}
	return signer.Signed{URL: p.url, Lifetime: r.Lifetime}, nil
}

func (p *stubPresigner) Origin(string) (string, bool) { return "https://s3.example.com", true }

// fixture is a Service over stubs: the storages main (reports, exports) and
// other (reports, archive).
type fixture struct {
	service  *Service
	store    *stubStore
	clicks   *stubClicks
	objects  *stubObjects
	signer   *stubPresigner
	registry *prometheus.Registry
	skew     time.Duration
	now      time.Time
}

// newFixture makes a fixture, after change has changed what the Service is made of.
func newFixture(t *testing.T, change func(*Options)) *fixture {
	t.Helper()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f := &fixture{
		store:    &stubStore{links: map[ID]Link{}, reserved: map[string][]byte{}, sealed: map[string][]byte{}, now: now},
		clicks:   &stubClicks{},
		objects:  &stubObjects{info: ObjectInfo{Size: 3, ETag: `"e"`, ContentType: "text/plain"}},
		signer:   &stubPresigner{url: "https://s3.example.com/reports/q3.pdf?X-Amz-Signature=canary"},
		registry: prometheus.NewRegistry(), now: now,
	}
	o := Options{
		Links: f.store, Reservations: f.store, Clicks: f.clicks, Cursors: f.store,
		Storages: []*Storage{
			{
				Name: "main", Buckets: []string{"reports", "exports"}, Objects: f.objects, Presigner: f.signer,
				Skew: func() (time.Duration, bool) { return f.skew, true }, Timeout: time.Minute,
			},
			{
				Name: "other", Buckets: []string{"reports", "archive"}, Objects: f.objects, Presigner: f.signer,
				Timeout: time.Minute,
			},
		},
		Policy: Policy{MaxExpiry: 168 * time.Hour, Caps: Caps{
			Sensitive: 24 * time.Hour, NotStated: 24 * time.Hour, NotSensitive: 168 * time.Hour,
		}, Presets: map[string]time.Duration{
			PresetHandoff: 15 * time.Minute, PresetTroubleshooting: time.Hour,
			PresetBusiness: 24 * time.Hour, PresetExtended: 168 * time.Hour,
		}, SensitiveObjects: []Pattern{"*/invoices/*"}},
		Lifetime: 30 * time.Second, MediaLifetime: time.Hour, ObjectCheck: 5 * time.Second,
		ResumeWindow: 10 * time.Minute, Hashes: 1,
		Metrics: NewMetrics(f.registry, MetricsOptions{Storages: []string{"main", "other"}}),
		Logger:  slog.New(slog.DiscardHandler),
		Now:     func() time.Time { return f.now },
	}
	if change != nil {
		change(&o)
	}
	f.service = New(o)
	return f
}

// everything is an actor that may do everything to everything.
func everything() *Actor {
	return &Actor{
		Name: "ops", Can: []Action{ActionIssue, ActionRead, ActionRevoke, ActionBrowse},
		Objects: []Pattern{"*"}, Address: "192.0.2.1",
	}
}

// put scripts the answers about a link and returns its ID.
func (f *fixture) put(state State, ref ObjectRef) ID {
	token, err := drawToken()
	if err != nil {
		panic(err)
	}
	id := IDOf(token)
	f.store.links[id] = Link{ID: id, State: state, Ref: ref}
	return id
}

// series returns the value of every counter and gauge, and the number of
// observations of every histogram, by name and labels in the order of the labels.
func (f *fixture) series(t *testing.T) map[string]float64 {
	t.Helper()
	return seriesOf(t, f.registry)
}

func seriesOf(t *testing.T, registry prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	found := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName() + "{"
			for i, label := range m.GetLabel() {
				if i > 0 {
					name += ","
				}
				name += label.GetName() + "=" + label.GetValue()
			}
			name += "}"
			found[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return found
}
