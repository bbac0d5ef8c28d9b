package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/html"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/logtest"
	"keyhole/gateway/storetest"
	"keyhole/signer" //nolint:depguard // gateway.Presigner is written in its types, and a stub implements it
)

// The keys of the operators: everything, only read, and everything in exports/team/.
const (
	opsKey    = "ops-key-canary"
	readKey   = "read-key-canary"
	scopedKey = "scoped-key-canary"
)

// bench is a console over the domain service and a store that holds links, with a stub of
// the storage.
type bench struct {
	console   *Console
	operators *admission.Authenticator
	sessions  *admission.Sessions
	keys      []admission.Key
	service   *gateway.Service
	store     *storetest.Store
	storage   *stubStorage
	log       *logtest.Buffer
	registry  *prometheus.Registry
	server    *httptest.Server
}

// newBench starts a bench. change may change the options of the console.
func newBench(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	return newBenchOver(t, storetest.Open(t), nil, change)
}

// newBenchOver starts a bench over a store. domain may change the options of the service, and
// change those of the console.
func newBenchOver(
	tb testing.TB, store *storetest.Store, domain func(*gateway.Options), change func(*Options),
) *bench {
	tb.Helper()
	b := &bench{storage: &stubStorage{}, log: &logtest.Buffer{}, registry: prometheus.NewRegistry(), store: store}
	log := slog.New(slog.NewJSONHandler(b.log, nil))
	key := func(name, secret, objects string, can ...gateway.Action) admission.Key {
		return admission.Key{
			Name: name, SHA256: sha256.Sum256([]byte(secret)), Can: can, Objects: []gateway.Pattern{gateway.Pattern(objects)},
		}
	}
	all := []gateway.Action{gateway.ActionIssue, gateway.ActionRead, gateway.ActionRevoke, gateway.ActionBrowse}
	b.keys = []admission.Key{
		key("ops", opsKey, "*", all...), key("reader", readKey, "*", gateway.ActionRead),
		key("scoped", scopedKey, "exports/team/*", all...),
	}
	b.operators = admission.New(admission.Options{Keys: b.keys, Logger: log, Now: time.Now})
	b.sessions = admission.NewSessions(admission.SessionsOptions{
		Authenticator: b.operators, Store: b.store, Idle: 30 * time.Minute, Max: 12 * time.Hour, Logger: log, Now: time.Now,
	})
	rules := gateway.Options{
		Links: b.store, Reservations: b.store, Clicks: b.store, Cursors: b.store,
		Lifetime: 30 * time.Second, MediaLifetime: time.Minute, ResumeWindow: 10 * time.Minute, Hashes: 1,
		Storages: []*gateway.Storage{{
			Name: "main", Buckets: []string{"reports", "exports"}, Objects: b.storage, Presigner: b.storage,
			Timeout: time.Minute,
		}},
		Policy: gateway.Policy{MaxExpiry: 168 * time.Hour, PassphraseMin: 8, Caps: gateway.Caps{
			Sensitive: 24 * time.Hour, NotStated: 24 * time.Hour, NotSensitive: 168 * time.Hour,
		}, Presets: map[string]time.Duration{
			gateway.PresetHandoff: 15 * time.Minute, gateway.PresetTroubleshooting: time.Hour,
			gateway.PresetBusiness: 24 * time.Hour, gateway.PresetExtended: 168 * time.Hour,
		}},
		Metrics: gateway.NewMetrics(b.registry, gateway.MetricsOptions{Storages: []string{"main"}}),
		Logger:  log, Now: time.Now,
	}
	if domain != nil {
		domain(&rules)
	}
	b.service = gateway.New(rules)
	o := Options{
		Service: b.service, Sessions: b.sessions, PublicURL: "https://dl.example.com", RequestTimeout: time.Minute,
		FormatAddress: func(a netip.Addr) string { return a.String() },
		Metrics:       NewMetrics(b.registry), Version: "1.2.3", Logger: log, Now: time.Now,
	}
	if change != nil {
		change(&o)
	}
	var err error
	if b.console, err = New(o); err != nil {
		tb.Fatalf("make the console: %v", err)
	}
	b.server = httptest.NewServer(b.console)
	tb.Cleanup(b.server.Close)
	return b
}

// client is a browser without JavaScript: it keeps cookies and follows no redirect.
type client struct {
	t    testing.TB
	b    *bench
	http *http.Client
}

// visitor returns a client that has not signed in.
func (b *bench) visitor(tb testing.TB) *client {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatalf("make a cookie jar: %v", err)
	}
	return &client{t: tb, b: b, http: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// signedIn returns a client that has signed in with a key.
func (b *bench) signedIn(tb testing.TB, key string) *client {
	tb.Helper()
	c := b.visitor(tb)
	if a := c.post("/console/sign-in", url.Values{"key": {key}}); a.status != http.StatusSeeOther {
		tb.Fatalf("the sign-in got %d: %s", a.status, a.text)
	}
	return c
}

// answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	text   string
	page   *html.Node
}

// get requests a page.
func (c *client) get(path string) answer { return c.do(http.MethodGet, path, nil) }

// post sends a form, as the page itself does.
func (c *client) post(path string, form url.Values) answer {
	return c.do(http.MethodPost, path, form, "Sec-Fetch-Site", "same-origin")
}

// do sends a request with further headers.
func (c *client) do(method, path string, form url.Values, headers ...string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.b.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatalf("make a request: %v", err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		c.t.Fatalf("read the answer: %v", err)
	}
	page, err := html.Parse(bytes.NewReader(text.Bytes()))
	if err != nil {
		c.t.Fatalf("parse the page: %v", err)
	}
	a := answer{response.StatusCode, response.Header, text.String(), page}
	for _, n := range a.all("a") {
		if id, inPage := strings.CutPrefix(attribute(n, "href"), "#"); inPage && a.byID(id) == nil {
			c.t.Errorf("%s %s: the link %q leads to no element of the page", method, path, words(n))
		}
	}
	return a
}

// all returns the elements of a page with a name, such as "a".
func (a *answer) all(name string) []*html.Node {
	var found []*html.Node
	for n := range a.page.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

// byID returns the element with an ID, or nil.
func (a *answer) byID(id string) *html.Node {
	for n := range a.page.Descendants() {
		if attribute(n, "id") == id {
			return n
		}
	}
	return nil
}

// attribute returns an attribute of an element, or "".
func attribute(n *html.Node, name string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// words returns the text of an element with single spaces.
func words(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// link returns the address of the first link with a text, or "".
func (a *answer) link(text string) string {
	for _, n := range a.all("a") {
		if words(n) == text {
			return attribute(n, "href")
		}
	}
	return ""
}

// namesField reports whether the list of errors links to a field by the label of the field.
func (a *answer) namesField(field string) bool {
	for _, label := range a.all("label") {
		if attribute(label, "for") == field {
			return a.link(words(label)) == "#"+field
		}
	}
	return false
}

// stubStorage answers about objects. Keys lists them.
type stubStorage struct {
	mu       sync.Mutex
	proofErr error
	keys     gateway.KeyPage
	listed   []gateway.KeyQuery
	panics   any    // List panics with it, unless nil
	kind     string // the media type of objects; empty: PDF
}

// info returns the facts about every object.
func (s *stubStorage) info() gateway.ObjectInfo {
	return gateway.ObjectInfo{Size: 1_234_567, ETag: `"e"`, ContentType: cmp.Or(s.kind, "application/pdf")}
}

func (s *stubStorage) Prove(_ context.Context, _, _, _ string) (gateway.ObjectInfo, error) {
	return s.info(), s.proofErr
}

func (s *stubStorage) Stat(context.Context, string, string, string) (gateway.ObjectInfo, error) {
	return s.info(), s.proofErr
}

func (s *stubStorage) List(_ context.Context, q gateway.KeyQuery) (gateway.KeyPage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed = append(s.listed, q)
	if s.panics != nil {
		panic(s.panics)
	}
	return s.keys, s.proofErr
}

func (s *stubStorage) Presign(context.Context, signer.Request) (signer.Signed, error) {
	return signer.Signed{URL: "https://s3.example.com/reports/q3.pdf?X-Amz-Signature=signature-canary"}, nil
}

func (s *stubStorage) Origin(string) (string, bool) { return "https://s3.example.com", true }
