package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/api"
	"keyhole/signer" //nolint:depguard // gateway.Presigner is written in its types, and a fake implements it
)

const (
	// liveToken opens the link that the fake store admits.
	liveToken = "4uQeVj5tqViQh7yWWGStvk"
	// presigned is what every admitted click is redirected to.
	presigned = "https://s3.example.com/reports/q3.pdf?X-Amz-Expires=35&X-Amz-Signature=signature-canary"
	// opsKey may everything, readKey may read, exportsKey may everything in exports.
	opsKey, readKey, exportsKey = "ops-key-canary", "read-key-canary", "exports-key-canary"
)

// fakeRedis is the Store and the ClickStore: links in memory, and one verdict
// for every click.
type fakeRedis struct {
	mu       sync.Mutex
	links    map[gateway.ID]gateway.Link
	reserved map[string][]byte
	err      error  // of every call
	panic    string // what every call panics with, where it is not empty

	outcome  gateway.Outcome // of every click
	confirms bool            // whether the link needs confirmation: outcome is then what a GET gets
	spent    gateway.Spent   // of every spend
	try      gateway.Try     // of every passphrase
	secrets  gateway.Secrets // of the link
	pin      string          // of the link
	attempts []gateway.Attempt
	change   gateway.Change
	bulk     gateway.BulkOptions
	audit    gateway.AuditQuery
	query    gateway.ListQuery
	cursor   string
	limit    int
}

// begin is the start of every call.
func (r *fakeRedis) begin() error {
	if r.panic != "" {
		panic(r.panic)
	}
	return r.err
}

func (r *fakeRedis) Admit(_ context.Context, a gateway.Attempt) (gateway.Admission, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts = append(r.attempts, a)
	ref := gateway.ObjectRef{Storage: "main", Bucket: "reports", Key: "q3.pdf"}
	admission := gateway.Admission{Outcome: r.outcome, Permission: gateway.Permission{
		Ref: ref, Disposition: gateway.DispositionAttachment, Remaining: time.Hour, Secrets: r.secrets, Pin: r.pin,
	}}
	if r.confirms {
		admission.Now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		admission.Link = &gateway.Link{
			ID: a.ID, Ref: ref, MaxClicks: 3, Clicks: 1, Note: "for <you>", Passphrase: r.secrets.Passphrase != "",
			Object: gateway.ObjectInfo{Size: 1_234_567, ContentType: "application/pdf"}, ExpiresAt: admission.Now.Add(time.Hour),
		}
		if a.Method == http.MethodPost || a.Grant != "" {
			admission.Outcome = ""
		}
	}
	return admission, r.begin()
}

func (r *fakeRedis) Spend(context.Context, gateway.Attempt, gateway.Spending) (gateway.Spent, error) {
	return r.spent, r.err
}

func (r *fakeRedis) Note(context.Context, gateway.Attempt, gateway.EventKind, gateway.Outcome) error {
	return r.err
}

func (r *fakeRedis) Try(context.Context, gateway.ID, string) (gateway.Try, error) {
	return r.try, r.err
}

func (r *fakeRedis) Untry(context.Context, gateway.ID, gateway.Try) error { return r.err }

func (r *fakeRedis) Create(_ context.Context, link gateway.Link, _ gateway.Secrets, life time.Duration, _ gateway.Origin) (gateway.Link, error) {
	if err := r.begin(); err != nil {
		return gateway.Link{}, err
	}
	link.CreatedAt = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	link.ExpiresAt = link.CreatedAt.Add(life)
	r.links[link.ID] = link
	return link, nil
}

func (r *fakeRedis) Get(_ context.Context, id gateway.ID) (gateway.Link, error) {
	if err := r.begin(); err != nil {
		return gateway.Link{}, err
	}
	link, ok := r.links[id]
	if !ok {
		return link, gateway.ErrNotFound
	}
	return link, nil
}

func (r *fakeRedis) Reserve(_ context.Context, name string, sealed []byte) ([]byte, error) {
	r.reserved[name] = sealed
	return sealed, r.begin()
}

func (r *fakeRedis) Reserved(_ context.Context, name string) ([]byte, time.Duration, error) {
	if had, ok := r.reserved[name]; ok {
		return had, 0, r.begin()
	}
	return nil, 0, gateway.ErrNotFound
}

func (r *fakeRedis) Confirm(ctx context.Context, id gateway.ID) (gateway.Link, error) {
	return r.Get(ctx, id)
}

func (r *fakeRedis) List(_ context.Context, q gateway.ListQuery) (gateway.ListPage, error) {
	r.query = q
	page := gateway.ListPage{Next: "next-page"}
	for _, link := range r.links {
		page.Links = append(page.Links, link)
	}
	return page, r.begin()
}

func (r *fakeRedis) Revoke(_ context.Context, id gateway.ID, reason string, by gateway.Origin) (gateway.Link, bool, error) {
	link := r.links[id]
	link.State, link.RevokeReason, link.RevokedBy = gateway.StateRevoked, reason, by.Actor
	link.RevokedAt = link.CreatedAt.Add(time.Minute)
	return link, true, r.begin()
}

func (r *fakeRedis) Change(_ context.Context, id gateway.ID, c gateway.Change, _ gateway.Origin) (gateway.Link, error) {
	r.change = c
	link := r.links[id]
	c.Apply(&link)
	return link, r.begin()
}

func (r *fakeRedis) RevokeAll(_ context.Context, q gateway.ListQuery, o gateway.BulkOptions, _ gateway.Origin) (gateway.BulkResult, error) {
	r.query, r.bulk = q, o
	return gateway.BulkResult{Matched: 3, Revoked: 2, Done: true}, r.begin()
}

func (r *fakeRedis) Events(_ context.Context, id gateway.ID, cursor string, limit int) (gateway.EventList, error) {
	r.cursor, r.limit = cursor, limit
	return gateway.EventList{Next: "older", Events: []gateway.Event{{
		Time: time.Date(2026, 11, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600)), Kind: gateway.EventRedirected, Link: id,
		Outcome: gateway.OutcomeRedirected, Method: "GET", Address: "192.0.2.1",
	}}}, r.begin()
}

func (r *fakeRedis) Audit(_ context.Context, q gateway.AuditQuery) (gateway.AuditPage, error) {
	r.audit = q
	return gateway.AuditPage{Next: "older", Events: []gateway.AuditEvent{{
		Event: gateway.Event{
			Time: time.Date(2026, 11, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600)), Kind: gateway.EventRevoked,
			Actor: "ops", Address: "192.0.2.1", Reason: "=cmd()|\r\n\u202e<b>",
		},
		Ref: gateway.ObjectRef{Storage: "main", Bucket: "reports", Key: "q3.pdf"},
	}}}, r.begin()
}

func (r *fakeRedis) SealCursor(_ context.Context, query, position string) (string, error) {
	return query + position, r.begin()
}

func (r *fakeRedis) OpenCursor(_ context.Context, query, cursor string) (string, error) {
	position, ok := strings.CutPrefix(cursor, query)
	if !ok {
		return "", gateway.ErrCursor
	}
	return position, r.begin()
}

// fakeStorage is the Objects and the Presigner.
type fakeStorage struct {
	proofErr, signErr error
	proved            []string
	keys              gateway.KeyPage
	listed            []gateway.KeyQuery
}

func (s *fakeStorage) Prove(_ context.Context, bucket, key, _ string) (gateway.ObjectInfo, error) {
	s.proved = append(s.proved, bucket+"/"+key)
	return gateway.ObjectInfo{Size: 3, ETag: `"e"`, ContentType: "text/plain"}, s.proofErr
}

func (s *fakeStorage) Stat(context.Context, string, string, string) (gateway.ObjectInfo, error) {
	return gateway.ObjectInfo{Size: 3, ETag: `"e"`, ContentType: "text/plain"}, s.proofErr
}

func (s *fakeStorage) List(_ context.Context, q gateway.KeyQuery) (gateway.KeyPage, error) {
	s.listed = append(s.listed, q)
	return s.keys, s.proofErr
}

func (s *fakeStorage) Presign(context.Context, signer.Request) (signer.Signed, error) {
	return signer.Signed{URL: presigned}, s.signErr
}

func (s *fakeStorage) Origin(string) (string, bool) { return "https://s3.example.com", true }

// logBuffer collects the log, which handlers write while tests read.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// bench is an API over fakes.
type bench struct {
	api       *API
	operators *admission.Authenticator
	// operatorOptions are those of operators, for tests that need another one.
	operatorOptions admission.Options
	redis           *fakeRedis
	storage         *fakeStorage
	log             *logBuffer
	registry        *prometheus.Registry
	readiness       api.Readiness
}

// newBench makes a bench, after change has changed its options.
func newBench(tb testing.TB, change func(*Options)) *bench {
	tb.Helper()
	b := &bench{
		redis:   &fakeRedis{links: map[gateway.ID]gateway.Link{}, reserved: map[string][]byte{}, outcome: gateway.OutcomeRedirected},
		storage: &fakeStorage{}, log: &logBuffer{}, registry: prometheus.NewRegistry(),
		readiness: api.Readiness{Ready: true, Redis: "ok", Storages: map[string]string{"main": "ok"}},
	}
	metrics := gateway.NewMetrics(b.registry, gateway.MetricsOptions{Storages: []string{"main"}})
	log := slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	key := func(name, secret string, objects string, can ...gateway.Action) admission.Key {
		return admission.Key{Name: name, SHA256: sha256.Sum256([]byte(secret)), Can: can, Objects: []gateway.Pattern{gateway.Pattern(objects)}}
	}
	b.operatorOptions = admission.Options{
		Keys: []admission.Key{
			key("ops", opsKey, "*", gateway.ActionIssue, gateway.ActionRead, gateway.ActionRevoke, gateway.ActionBrowse),
			key("reader", readKey, "*", gateway.ActionRead),
			key("exporter", exportsKey, "exports/*", gateway.ActionIssue, gateway.ActionRead, gateway.ActionRevoke),
		},
		Logger: log, Now: time.Now,
	}
	b.operators = admission.New(b.operatorOptions)
	o := Options{
		Service: gateway.New(gateway.Options{
			Links: b.redis, Retries: b.redis, Clicks: b.redis, Cursors: b.redis, Lifetime: 30 * time.Second, MediaLifetime: time.Minute,
			ResumeWindow: 10 * time.Minute, Hashes: 1,
			Storages: []*gateway.Storage{{Name: "main", Buckets: []string{"reports", "exports"}, Objects: b.storage, Presigner: b.storage, Timeout: time.Minute}},
			Policy: gateway.Policy{MaxExpiry: 168 * time.Hour, Caps: gateway.Caps{
				Sensitive: 24 * time.Hour, NotStated: 24 * time.Hour, NotSensitive: 168 * time.Hour,
			}, Presets: map[string]time.Duration{
				gateway.PresetHandoff: 15 * time.Minute, gateway.PresetTroubleshooting: time.Hour,
				gateway.PresetBusiness: 24 * time.Hour, gateway.PresetExtended: 168 * time.Hour,
			}},
			Metrics: metrics, Logger: log, Now: time.Now,
		}),
		PublicURL: "https://dl.example.com",
		Operators: b.operators,
		FormatAddress: func(a netip.Addr) string {
			if !a.IsValid() {
				return ""
			}
			return a.Unmap().WithZone("").String()
		},
		Ready:   func(context.Context) api.Readiness { return b.readiness },
		Metrics: NewMetrics(b.registry), MetricsPage: promhttp.HandlerFor(b.registry, promhttp.HandlerOpts{}), Logger: log,
	}
	if change != nil {
		change(&o)
	}
	var err error
	if b.api, err = New(o); err != nil {
		tb.Fatal(err)
	}
	return b
}

// put stores a live link and returns its id.
func (b *bench) put(bucket, key string) string {
	id := gateway.IDOf(bucket + key)
	b.redis.links[id] = gateway.Link{
		ID: id, State: gateway.StateActive, Ref: gateway.ObjectRef{Storage: "main", Bucket: bucket, Key: key},
		CreatedAt: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Disposition: "attachment", Pin: "none",
	}
	return id.String()
}

// answer is one answer as it came over the wire.
type answer struct {
	status int
	header http.Header
	body   string
	closed bool // the connection ends with the answer; over the wire alone
}

// serve starts a server the way that keyhole serve does and returns its address.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.DisableGeneralOptionsHandler = true // OPTIONS * is ours to answer
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// wire sends bytes to a server and reads the one answer.
func wire(t *testing.T, address, request string) answer {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	return answer{response.StatusCode, response.Header, string(body), response.Close}
}

// line is a request of one request line.
func line(method, target string, headers ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: dl.example.com\r\n" + strings.Join(append(headers, "Connection: close", "", ""), "\r\n")
}

// ask sends one request to a handler. headers are names and values by turns.
func ask(handler http.Handler, method, target, body string, headers ...string) answer {
	return askWithin(context.Background(), handler, method, target, body, headers...)
}

// askWithin is ask with the request's context.
func askWithin(ctx context.Context, handler http.Handler, method, target, body string, headers ...string) answer {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(ctx, method, target, reader)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return answer{status: w.Code, header: w.Header(), body: w.Body.String()}
}

// problem reads the answer's problem, which must agree with its status.
func (a answer) problem(t *testing.T) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("status %d: %v in %.200q", a.status, err, a.body)
	}
	if a.header.Get("Content-Type") != api.ProblemType || p.Status != a.status ||
		p.Type != "urn:keyhole:problem:"+p.Code || p.Title != http.StatusText(a.status) || p.Detail == "" {
		t.Errorf("status %d, %s: %+v", a.status, a.header.Get("Content-Type"), p)
	}
	return p
}

// count returns the value of one series of a counter, with its labels in order.
func (b *bench) count(t *testing.T, series string) float64 {
	t.Helper()
	return b.counters(t)[series]
}

// counters returns every counter by name and labels.
func (b *bench) counters(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if m.GetCounter() == nil {
				continue
			}
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			found[family.GetName()+"{"+strings.Join(labels, ",")+"}"] = m.GetCounter().GetValue()
		}
	}
	return found
}

// lines returns the log's lines, decoded.
func (b *bench) lines(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	for text := range strings.Lines(b.log.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		out = append(out, l)
	}
	return out
}

// askFrom clicks from a peer, with the X-Forwarded-For that it sends.
func askFrom(b *bench, peer string, forwarded []string) {
	r := httptest.NewRequest(http.MethodGet, "/"+liveToken, nil)
	r.RemoteAddr = peer
	r.Header["X-Forwarded-For"] = forwarded
	r.Header.Set("X-Real-Ip", "198.51.100.200")
	b.api.Public().ServeHTTP(httptest.NewRecorder(), r)
}
