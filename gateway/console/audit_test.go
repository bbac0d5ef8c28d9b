package console

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/gateway"
	"keyhole/gateway/admission"
)

// issueExport issues a link to an object of the bucket exports.
func (b *bench) issueExport(t *testing.T, key string, change func(*gateway.IssueRequest)) gateway.Issued {
	t.Helper()
	return b.issue(t, func(r *gateway.IssueRequest) {
		*r = gateway.IssueRequest{Bucket: "exports", Key: key}
		if change != nil {
			change(r)
		}
	})
}

// clickFrom uses a link once from an address, and waits until the event is written.
func (b *bench) clickFrom(t *testing.T, id gateway.ID, from string) {
	t.Helper()
	_, err := b.service.Click(t.Context(), gateway.Attempt{
		ID: id, Method: http.MethodGet, Address: from, Client: netip.MustParseAddr(from),
	})
	if err != nil {
		t.Fatalf("click: %v", err)
	}
	b.service.Wait()
}

// The audit shows events in words, newest first, with the link and the object.
func TestAudit(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	link := b.issueExport(t, "q3.csv", nil).Link
	b.clickFrom(t, link.ID, "198.51.100.7")
	a := c.get("/console/audit")
	rows := a.rows()
	if a.status != http.StatusOK || len(rows) != 3 {
		t.Fatalf("%d, %d rows: %s", a.status, len(rows), a.text)
	}
	reference := link.ID.String()[:8]
	for i, want := range [][]string{
		{"The download started", "s3://exports/q3.csv", reference, "recipient", "198.51.100.7"},
		{"The link was created", "s3://exports/q3.csv", reference, "ops", "192.0.2.1"},
		{"Signed in to the console", "ops", "127.0.0.1"},
	} {
		for _, text := range want {
			if !strings.Contains(rows[i], text) {
				t.Errorf("row %d lacks %q: %s", i, text, rows[i])
			}
		}
	}
	if got := a.link(reference); got != "/console/links/"+link.ID.String() {
		t.Errorf("the link leads to %q", got)
	}
	if text := words(a.page); !strings.Contains(text, "at most 10,000 rows") ||
		!strings.Contains(text, "What the audit does not record") {
		t.Errorf("the page states no limits: %s", text)
	}
	c.post("/console/sign-out", nil)
	if rows := b.signedInRows(t); !strings.Contains(rows[1], "Signed out of the console") {
		t.Errorf("the sign-out is not recorded: %q", rows)
	}
}

// signedInRows signs in again and returns the rows of the audit.
func (b *bench) signedInRows(t *testing.T) []string {
	t.Helper()
	a := b.signedIn(t, opsKey).get("/console/audit")
	return a.rows()
}

// Each filter selects events, and the page repeats the filter in its fields and exports.
func TestAuditFilters(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	first := b.issueExport(t, "a/q3.csv", func(r *gateway.IssueRequest) { r.Labels = map[string]string{"team": "7"} }).Link
	second := b.issueExport(t, "b/q4.csv", nil).Link
	b.clickFrom(t, first.ID, "198.51.100.7")
	b.clickFrom(t, second.ID, "203.0.113.9")
	id := first.ID.String()
	for name, tt := range map[string]struct {
		query string
		want  int
	}{
		"none":          {"", 5},
		"kind":          {"kind=redirected", 2},
		"outcome":       {"outcome=redirected", 2},
		"actor":         {"actor=ops", 3},
		"another actor": {"actor=nobody", 0},
		"link":          {"link=" + id, 2},
		"reference":     {"link=" + id[:8], 2},
		"upper case":    {"link=" + strings.ToUpper(id), 2},
		"bucket":        {"bucket=exports", 4},
		"prefix":        {"prefix=a/", 2},
		"key":           {"key=b/q4.csv", 2},
		"label":         {"label=team%3D7", 2},
		"address":       {"address=198.51.100.0/24", 1},
		"two filters":   {"kind=issued&prefix=b/", 1},
		"15 minutes":    {"range=15m", 5},
		"today":         {"range=7d&kind=issued", 2},
		"since":         {"since=2026-01-01T00:00", 5},
		"until":         {"until=2026-01-01T00:00:00Z", 0},
	} {
		a := c.get("/console/audit?" + tt.query)
		if rows := a.rows(); a.status != http.StatusOK || len(rows) != tt.want {
			t.Errorf("%s: %d, %d rows, want %d: %q", name, a.status, len(rows), tt.want, rows)
		}
		export := a.link("NDJSON")
		if got := strings.Count(c.get(export).text, "\n"); got != tt.want {
			t.Errorf("%s: %s has %d lines, want %d", name, export, got, tt.want)
		}
	}
	a := c.get("/console/audit?prefix=a/&kind=issued")
	if got := attribute(a.byID("prefix"), "value"); got != "a/" {
		t.Errorf("the field has %q", got)
	}
}

// A refused filter is 422, with the words beside its field.
func TestAuditRefusedFilters(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	for query, field := range map[string]string{
		"kind=stolen": "kind", "outcome=lost": "outcome", "link=x": "link", "link=aaaaaaaa": "link", "label=x": "label",
		"since=yesterday": "since", "until=1": "until", "range=1y": "range", "range=today&since=2026-01-01T00:00Z": "range",
		"address=home": "address", "prefix=a&key=b": "prefix", "kind=redirected&actor=ops": "kind",
		"outcome=expired&actor=ops": "outcome",
	} {
		a := c.get("/console/audit?" + query)
		if a.status != http.StatusUnprocessableEntity || words(a.byID(field+"-error")) == "" ||
			attribute(a.byID(field), "aria-describedby") != field+"-error" {
			t.Errorf("%s: %d, %q beside %s", query, a.status, words(a.byID(field+"-error")), field)
		}
		if rows := a.rows(); len(rows) > 0 {
			t.Errorf("%s: the page has rows: %q", query, rows)
		}
		// The refused filter must not be hidden.
		if !strings.Contains(a.text, "<details open>") {
			t.Errorf("%s: the filters are hidden", query)
		}
		for _, format := range exportFormats() {
			if a := c.get("/console/audit." + format + "?" + query); a.status != http.StatusUnprocessableEntity ||
				!strings.Contains(words(a.page), field) {
				t.Errorf("%s as %s: %d %s", query, format, a.status, words(a.page))
			}
		}
	}
	if a := c.get("/console/audit?cursor=x"); a.status != http.StatusBadRequest {
		t.Errorf("a forged cursor: %d", a.status)
	}
}

// Pages follow one another by a cursor that keeps the time at which a range began, so that
// no event is shown twice or lost.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	b := newBench(t, func(o *Options) { o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) } })
	c := b.signedIn(t, opsKey)
	for range auditLimit + 20 {
		b.issueExport(t, "q3.csv", nil)
	}
	a := c.get("/console/audit?range=7d&kind=issued")
	next := a.link("Older events")
	if got := len(a.rows()); got != auditLimit || next == "" || a.link("Newest events") != "" {
		t.Fatalf("the first page has %d rows and leads to %q", got, next)
	}
	later.Store(int64(time.Minute))
	a = c.get(next)
	if got := len(a.rows()); a.status != http.StatusOK || got != 20 {
		t.Errorf("the second page: %d, %d rows", a.status, got)
	}
	if a.link("Older events") != "" || a.link("Newest events") == "" || a.link("Follow new events") != "" {
		t.Error("the last page has the wrong links")
	}
}

// The page follows new events if asked: the script then refreshes the rows.
func TestAuditFollow(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	live := func(a *answer) bool {
		for _, n := range a.all("p") {
			for _, at := range n.Attr {
				if at.Key == "data-refresh" {
					return true
				}
			}
		}
		return false
	}
	a := c.get("/console/audit?kind=issued")
	if live(&a) || a.link("Reload") != "/console/audit?kind=issued" {
		t.Errorf("the page refreshes itself, or reloads %q", a.link("Reload"))
	}
	a = c.get(a.link("Follow new events"))
	if !live(&a) || a.link("Stop following") != "/console/audit?kind=issued" {
		t.Errorf("the page does not follow: %s", a.text)
	}
}

// An operator sees the events of links in the scope of the key, and no sign-in.
func TestAuditScope(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.issueExport(t, "team/q3.csv", nil)
	b.issueExport(t, "secret/q3.csv", nil)
	a := b.signedIn(t, scopedKey).get("/console/audit")
	rows := a.rows()
	if len(rows) != 1 || !strings.Contains(rows[0], "s3://exports/team/q3.csv") || strings.Contains(a.text, "secret") {
		t.Errorf("got %q", rows)
	}
	if !strings.Contains(words(a.page), "in the scope of your operator key") {
		t.Error("the page does not say that it shows a part")
	}
}

// Failed sign-ins are not in the audit, so that nobody can fill it with them.
func TestFailedSignInsNotRecorded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.visitor(t)
	if a := c.post("/console/sign-in", url.Values{"key": {"wrong"}}); a.status != http.StatusUnauthorized {
		t.Fatalf("a wrong key: %d", a.status)
	}
	if rows := b.signedInRows(t); len(rows) != 1 || !strings.Contains(rows[0], "Signed in") {
		t.Errorf("failed sign-ins are in the audit: %q", rows)
	}
}

// unrecorded is a store that records no sign-in.
type unrecorded struct{ gateway.Store }

func (unrecorded) RecordSignIn(context.Context, gateway.EventKind, gateway.Origin) error {
	return gateway.ErrUnavailable
}

// A sign-in that cannot be recorded leaves no session.
func TestSignInNeedsRecord(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) {
		o.Service = gateway.New(gateway.Options{
			Links: unrecorded{}, Metrics: gateway.NewMetrics(prometheus.NewRegistry(), gateway.MetricsOptions{}),
			Logger: o.Logger, Now: o.Now,
		})
	})
	a := b.visitor(t).post("/console/sign-in", url.Values{"key": {opsKey}})
	if a.status != http.StatusServiceUnavailable || a.header.Get("Set-Cookie") != "" {
		t.Errorf("got %d with the cookie %q", a.status, a.header.Get("Set-Cookie"))
	}
	if n, err := b.store.Sessions(t.Context()); err != nil || n != 0 {
		t.Errorf("%d sessions are left, %v", n, err)
	}
}

// The renewal of a session at the provider is no sign-in.
func TestRenews(t *testing.T) {
	t.Parallel()
	session := func(name string, at int64) *admission.Session {
		return &admission.Session{Actor: &gateway.Actor{Name: name}, StartedAt: time.Unix(at, 0)}
	}
	for name, tt := range map[string]struct {
		before *admission.Session
		want   bool
	}{
		"no session":       {nil, false},
		"the same session": {session("oidc:alice", 1), true},
		"an earlier one":   {session("oidc:alice", 0), false},
		"another operator": {session("oidc:bob", 1), false},
	} {
		if got := renews(tt.before, session("oidc:alice", 1)); got != tt.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
