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

// fakeStore is a Store that holds links in memory and answers err to everything
// where it is set.
type fakeStore struct {
	links    map[ID]Link
	reserved map[string][]byte
	age      time.Duration // of every reservation
	now      time.Time
	err      error

	created []Link
	secrets Secrets
	life    time.Duration
	by      Origin
	query   ListQuery
	change  Change
	// changeErr is answered to every change.
	changeErr error
	bulk      BulkOptions
	ended     BulkResult
	audit     AuditQuery
	calls     int
}

func (s *fakeStore) Create(_ context.Context, link Link, secrets Secrets, life time.Duration, by Origin) (Link, error) {
	s.calls++
	if s.err != nil {
		return Link{}, s.err
	}
	if had, ok := s.links[link.ID]; ok {
		return had, ErrExists
	}
	link.CreatedAt, link.ExpiresAt = s.now, s.now.Add(life)
	s.created, s.secrets, s.life, s.by = append(s.created, link), secrets, life, by
	s.links[link.ID] = link
	return link, nil
}

func (s *fakeStore) Get(_ context.Context, id ID) (Link, error) {
	s.calls++
	if s.err != nil {
		return Link{}, s.err
	}
	link, ok := s.links[id]
	if !ok {
		return Link{}, ErrNotFound
	}
	return link, nil
}

func (s *fakeStore) Reserve(_ context.Context, name string, sealed []byte) ([]byte, error) {
	if had, ok := s.reserved[name]; ok {
		return had, nil
	}
	s.reserved[name] = sealed
	return sealed, nil
}

func (s *fakeStore) Reserved(_ context.Context, name string) ([]byte, time.Duration, error) {
	if had, ok := s.reserved[name]; ok {
		return had, s.age, nil
	}
	return nil, 0, ErrNotFound
}

func (s *fakeStore) Confirm(ctx context.Context, id ID) (Link, error) { return s.Get(ctx, id) }

func (s *fakeStore) List(_ context.Context, q ListQuery) (ListPage, error) {
	s.calls++
	s.query = q
	var page ListPage
	for _, link := range s.links {
		if q.Match(link.Ref) {
			page.Links = append(page.Links, link)
		}
	}
	return page, s.err
}

func (s *fakeStore) Revoke(_ context.Context, id ID, reason string, by Origin) (Link, bool, error) {
	s.calls++
	if s.err != nil {
		return Link{}, false, s.err
	}
	link := s.links[id]
	changed := !slices.Contains([]State{StateExpired, StateRevoked, StateUsedUp}, link.State)
	if changed {
		link.State, link.RevokedAt, link.RevokedBy, link.RevokeReason = StateRevoked, s.now, by.Actor, reason
		s.links[id] = link
	}
	s.by = by
	return link, changed, nil
}

func (s *fakeStore) Change(_ context.Context, id ID, c Change, by Origin) (Link, error) {
	s.calls++
	if s.err != nil {
		return Link{}, s.err
	}
	if s.changeErr != nil {
		return Link{}, s.changeErr
	}
	s.change, s.by = c, by
	link := s.links[id]
	c.Apply(&link)
	s.links[id] = link
	return link, nil
}

func (s *fakeStore) RevokeAll(_ context.Context, q ListQuery, o BulkOptions, by Origin) (BulkResult, error) {
	s.calls++
	s.query, s.bulk, s.by = q, o, by
	return s.ended, s.err
}

func (s *fakeStore) Events(_ context.Context, id ID, cursor string, limit int) (EventList, error) {
	s.calls++
	return EventList{Events: []Event{{Link: id, Kind: EventIssued, Reason: cursor}}[:min(1, limit)]}, s.err
}

func (s *fakeStore) Audit(_ context.Context, q AuditQuery) (AuditPage, error) {
	s.calls++
	s.audit = q
	return AuditPage{Events: []AuditEvent{{Event: Event{Kind: EventIssued}}}}, s.err
}

func (s *fakeStore) SealCursor(_ context.Context, query, position string) (string, error) {
	return query + position, s.err
}

func (s *fakeStore) OpenCursor(_ context.Context, query, cursor string) (string, error) {
	position, ok := strings.CutPrefix(cursor, query)
	if !ok {
		return "", ErrCursor
	}
	return position, s.err
}

// fakeClicks is a ClickStore that gives one verdict.
type fakeClicks struct {
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

func (c *fakeClicks) Admit(_ context.Context, a Attempt) (Admission, error) {
	c.mu.Lock()
	c.admitted = append(c.admitted, a)
	c.mu.Unlock()
	if c.wait != nil {
		c.wait()
	}
	return c.admission, c.err
}

func (c *fakeClicks) Spend(_ context.Context, _ Attempt, s Spending) (Spent, error) {
	c.nonces = append(c.nonces, s.Nonce)
	return c.spent, c.spendErr
}

func (c *fakeClicks) RecordEvent(_ context.Context, _ Attempt, k EventKind, o Outcome) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noted = append(c.noted, string(k)+" "+string(o))
	return c.noteErr
}

func (c *fakeClicks) ReserveAttempt(_ context.Context, _ ID, client string) (PassphraseAttempt, error) {
	c.tried = append(c.tried, client)
	return c.try, c.tryErr
}

func (c *fakeClicks) ReleaseAttempt(_ context.Context, _ ID, try PassphraseAttempt) error {
	c.returned = append(c.returned, try)
	return nil
}

// fakeObjects is a storage with one answer for every object, and for versions
// answers of their own.
type fakeObjects struct {
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

func (o *fakeObjects) Prove(_ context.Context, bucket, key, version string) (ObjectInfo, error) {
	o.proved = append(o.proved, bucket+"/"+key)
	return o.answer(version)
}

func (o *fakeObjects) Stat(_ context.Context, bucket, key, version string) (ObjectInfo, error) {
	o.mu.Lock()
	o.asked = append(o.asked, strings.TrimSuffix(bucket+"/"+key+"@"+version, "@"))
	o.mu.Unlock()
	if o.wait != nil {
		o.wait()
	}
	return o.answer(version)
}

// List answers with the pages in their order, by their tokens or last keys.
func (o *fakeObjects) List(_ context.Context, q KeyQuery) (KeyPage, error) {
	o.listed = append(o.listed, q)
	if o.err != nil {
		return KeyPage{}, o.err
	}
	if o.list == nil {
		return KeyPage{}, nil
	}
	return o.list(q), nil
}

func (o *fakeObjects) answer(version string) (ObjectInfo, error) {
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
func (o *fakeObjects) stats() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.asked)
}

// fakePresigner gives one URL for every request.
type fakePresigner struct {
	url string
	err error

	mu       sync.Mutex
	requests []signer.Request
}

func (p *fakePresigner) Presign(_ context.Context, r signer.Request) (signer.Signed, error) {
	p.mu.Lock()
	p.requests = append(p.requests, r)
	p.mu.Unlock()
	if p.err != nil {
		return signer.Signed{}, p.err
	}
	return signer.Signed{URL: p.url, Lifetime: r.Lifetime}, nil
}

func (p *fakePresigner) Origin(string) (string, bool) { return "https://s3.example.com", true }

// fixture is a Service over fakes: the storages main (reports, exports) and
// other (reports, archive).
type fixture struct {
	service  *Service
	store    *fakeStore
	clicks   *fakeClicks
	objects  *fakeObjects
	signer   *fakePresigner
	registry *prometheus.Registry
	skew     time.Duration
	now      time.Time
}

// newFixture makes a fixture, after change has changed what the Service is made of.
func newFixture(t *testing.T, change func(*Options)) *fixture {
	t.Helper()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f := &fixture{
		store: &fakeStore{links: map[ID]Link{}, reserved: map[string][]byte{}, now: now}, clicks: &fakeClicks{},
		objects:  &fakeObjects{info: ObjectInfo{Size: 3, ETag: `"e"`, ContentType: "text/plain"}},
		signer:   &fakePresigner{url: "https://s3.example.com/reports/q3.pdf?X-Amz-Signature=canary"},
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

// put stores a link and returns its ID.
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
