package httpapi

import (
	"bufio"
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
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/api"
	"keyhole/gateway/logtest"
)

// bench is an API over a stub of the stores, or over a real one, and a stub of a storage.
type bench struct {
	api       *API
	operators *admission.Authenticator
	// operatorOptions are those of operators, for tests that need another one.
	operatorOptions admission.Options
	store           *stubStore // not asked if the bench is over a real store
	storage         *stubStorage
	log             *logtest.Buffer
	registry        *prometheus.Registry
	readiness       api.Readiness
}

// newBench makes a bench over a stubStore. change may change its options; it may be nil.
func newBench(tb testing.TB, change func(*Options)) *bench {
	tb.Helper()
	store := &stubStore{links: map[gateway.ID]gateway.Link{}, outcome: gateway.OutcomeRedirected}
	b := newBenchOver(tb, store, change)
	b.store = store
	return b
}

// stores are all stores of a service.
type stores interface {
	gateway.Store
	gateway.Reservations
	gateway.ClickStore
	gateway.Cursors
}

// newBenchOver makes a bench over a store, such as that of storetest, which holds links.
func newBenchOver(tb testing.TB, store stores, change func(*Options)) *bench {
	tb.Helper()
	b := &bench{
		storage: &stubStorage{}, log: &logtest.Buffer{}, registry: prometheus.NewRegistry(),
		readiness: api.Readiness{Ready: true, Redis: "ok", Storages: map[string]string{"main": "ok"}},
	}
	started := time.Now()
	metrics := gateway.NewMetrics(b.registry, gateway.MetricsOptions{Storages: []string{"main"}})
	log := slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	key := func(name, secret string, objects string, can ...gateway.Action) admission.Key {
		return admission.Key{
			Name: name, SHA256: sha256.Sum256([]byte(secret)), Can: can,
			Objects: []gateway.Pattern{gateway.Pattern(objects)},
		}
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
			Links: store, Reservations: store, Clicks: store, Cursors: store,
			Lifetime: 30 * time.Second, MediaLifetime: time.Minute,
			ResumeWindow: 10 * time.Minute, Hashes: 1,
			Storages: []*gateway.Storage{{
				Name: "main", Buckets: []string{"reports", "exports"}, Objects: b.storage,
				Presigner: b.storage, Timeout: time.Minute,
			}},
			Policy: gateway.Policy{MaxExpiry: 168 * time.Hour, Caps: gateway.Caps{
				Sensitive: 24 * time.Hour, NotStated: 24 * time.Hour, NotSensitive: 168 * time.Hour,
			}, Presets: map[string]time.Duration{
				gateway.PresetHandoff: 15 * time.Minute, gateway.PresetTroubleshooting: time.Hour,
				gateway.PresetBusiness: 24 * time.Hour, gateway.PresetExtended: 168 * time.Hour,
			}},
			// This clock stands still: on a slow machine, a click that takes 100 ms would
			// ask the store twice.
			Metrics: metrics, Logger: log, Now: func() time.Time { return started },
		}),
		PublicURL: "https://dl.example.com",
		Operators: b.operators,
		FormatAddress: func(a netip.Addr) string {
			if !a.IsValid() {
				return ""
			}
			return a.Unmap().WithZone("").String()
		},
		AddressForms: func(_ context.Context, a netip.Addr) ([]string, error) {
			bits := 48
			if a.Is4() {
				bits = 24
			}
			return []string{a.String(), netip.PrefixFrom(a, bits).Masked().String()}, nil
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

// put scripts the answers about an active link and returns its ID.
func (b *bench) put(bucket, key string) string {
	id := gateway.IDOf(bucket + key)
	b.store.links[id] = gateway.Link{
		ID: id, State: gateway.StateActive, Ref: gateway.ObjectRef{Storage: "main", Bucket: bucket, Key: key},
		CreatedAt: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Disposition: "attachment", Pin: "none",
	}
	return id.String()
}

// answer is an answer as the client gets it.
type answer struct {
	status int
	header http.Header
	body   string
	closed bool // the connection ends with the answer; over the wire alone
}

// serve starts a server with the settings of keyhole serve and returns its address.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.DisableGeneralOptionsHandler = true // OPTIONS * is ours to answer
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// wire sends bytes to a server and reads one answer.
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

// line returns a request without a body.
func line(method, target string, headers ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: dl.example.com\r\n" +
		strings.Join(append(headers, "Connection: close", "", ""), "\r\n")
}

// ask sends one request to a handler. headers are names and values in turn.
func ask(handler http.Handler, method, target, body string, headers ...string) answer {
	return askWithin(context.Background(), handler, method, target, body, headers...)
}

// askWithin is ask with a context for the request.
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

// problem returns the problem of an answer, and fails the test unless it agrees with the
// status.
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

// count returns the value of one series of a counter. The labels are in alphabetical order.
func (b *bench) count(t *testing.T, series string) float64 {
	t.Helper()
	return b.counters(t)[series]
}

// counters returns the values of all counters by name and labels.
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

// lines returns the decoded lines of the log.
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

// askFrom sends a click from a peer with the lines of X-Forwarded-For.
func askFrom(b *bench, peer string, forwarded []string) {
	r := httptest.NewRequest(http.MethodGet, "/"+liveToken, nil)
	r.RemoteAddr = peer
	r.Header["X-Forwarded-For"] = forwarded
	r.Header.Set("X-Real-Ip", "198.51.100.200")
	b.api.Public().ServeHTTP(httptest.NewRecorder(), r)
}
