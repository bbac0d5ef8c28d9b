package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/api"
	"keyhole/gateway/storetest"
)

// batchPath is the path of batches.
const batchPath = "/api/v1/links:batch"

// batch sends a batch.
func (b *bench) batch(key, body string, headers ...string) answer {
	return b.operator(key, http.MethodPost, batchPath, body, append(headers, "Content-Type", "application/json")...)
}

// sendBatch sends a batch with a key and returns its results.
func sendBatch(t *testing.T, b *bench, key, body string, headers ...string) []api.BatchResult {
	t.Helper()
	a := b.batch(key, body, headers...)
	var batch api.Batch
	if err := json.Unmarshal([]byte(a.body), &batch); err != nil || a.status != http.StatusOK {
		t.Fatalf("got %d %.300s, %v", a.status, a.body, err)
	}
	return batch.Results
}

// countLinks returns the number of links that the store holds.
func countLinks(t *testing.T, b *bench) int {
	t.Helper()
	a := b.operator(opsKey, http.MethodGet, "/api/v1/links?limit=500", "")
	var page api.LinkPage
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != http.StatusOK {
		t.Fatalf("got %d %.300s, %v", a.status, a.body, err)
	}
	return len(page.Links)
}

// Each link has its own result, in the order of the request.
func TestBatchOverAStore(t *testing.T) {
	t.Parallel()
	b := newBenchOver(t, storetest.Open(t), nil)
	results := sendBatch(t, b, exportsKey, `{"links":[
		{"bucket":"exports","key":"a","note":"first"},
		{"bucket":"reports","key":"q3.pdf"},
		{"bucket":"exports","key":"a/../b","expires_in":"8d"},
		{"bucket":"exports","key":"c","sensitive":null}]}`)
	if len(results) != 4 {
		t.Fatalf("%d results", len(results))
	}
	if r := results[0]; r.Status != 201 || r.Problem != nil || r.Link.Note != "first" || r.Link.CreatedBy != "exporter" ||
		!strings.HasPrefix(r.Link.URL, "https://dl.example.com/") {
		t.Errorf("the first link: %+v", r)
	}
	if r := results[1]; r.Status != 403 || r.Link != nil || r.Problem.Code != "out_of_scope" {
		t.Errorf("the link out of scope: %+v", r)
	}
	if r := results[2]; r.Status != 422 || r.Link != nil || len(r.Problem.Errors) != 1 ||
		r.Problem.Errors[0].Field != "key" {
		t.Errorf("the invalid link: %+v", r)
	}
	if r := results[3]; r.Status != 201 || r.Link.Key != "c" || r.Link.URL == results[0].Link.URL {
		t.Errorf("the last link: %+v", r)
	}
	click := strings.TrimPrefix(results[3].Link.URL, "https://dl.example.com")
	if a := ask(b.api.Public(), "GET", click, ""); a.status != 302 {
		t.Errorf("the click got %d", a.status)
	}
	lines := b.lines(t)
	last := lines[len(lines)-2]
	if last["links"] != 4.0 || last["issued"] != 2.0 || last["route"] != batchPath || last["error"] == nil {
		t.Errorf("the log says %v", last)
	}
	if strings.Contains(b.log.String(), click[1:]) {
		t.Error("the log has a token")
	}
}

// A dry run makes all checks and issues nothing, and the key is free for the batch itself.
func TestBatchDryRun(t *testing.T) {
	t.Parallel()
	b := newBenchOver(t, storetest.Open(t), nil)
	links := `"links":[{"bucket":"exports","key":"a","preset":"handoff"},{"bucket":"evil","key":"a"},
		{"bucket":"exports","key":"a","expires_in":"1h","not_before":"2999-01-01T00:00:00Z"}]`
	results := sendBatch(t, b, opsKey, `{"dry_run":true,`+links+`}`, "Idempotency-Key", "k")
	r := results[0]
	if r.Status != 200 || r.Link == nil || r.Link.ID != "" || r.Link.URL != "" || r.Link.Preset != "handoff" ||
		r.Link.ExpiresAt.Sub(r.Link.CreatedAt) != 15*time.Minute {
		t.Errorf("the valid link: %+v", r)
	}
	if r := results[1]; r.Status != 422 || r.Problem.Errors[0].Code != "unknown_bucket" {
		t.Errorf("the unknown bucket: %+v", r)
	}
	if r := results[2]; r.Status != 422 || r.Problem.Errors[0].Field != "not_before" {
		t.Errorf("the link that never begins: %+v", r)
	}
	if n := countLinks(t, b); n != 0 {
		t.Errorf("a dry run issued %d links", n)
	}
	if len(b.storage.proved) != 2 {
		t.Errorf("the storage was asked for %v", b.storage.proved)
	}
	if r := sendBatch(t, b, opsKey, `{`+links+`}`, "Idempotency-Key", "k")[0]; r.Status != 201 {
		t.Errorf("the batch after its dry run: %+v", r)
	}
	b.storage.proofErr = gateway.ErrObjectNotFound
	if r := sendBatch(t, b, opsKey, `{"dry_run":true,`+links+`}`)[0]; r.Status != 422 ||
		r.Problem.Errors[0].Code != "object_not_found" {
		t.Errorf("a missing object: %+v", r)
	}
}

// The same key and body return the same links; another body is a conflict, and so is the
// key of a single issue.
func TestBatchIsIdempotent(t *testing.T) {
	t.Parallel()
	b := newBenchOver(t, storetest.Open(t), nil)
	const body = `{"links":[{"bucket":"exports","key":"a"},{"bucket":"exports","key":"a"},{"bucket":"evil","key":"a"}]}`
	first := sendBatch(t, b, opsKey, body, "Idempotency-Key", "k")
	again := sendBatch(t, b, opsKey, strings.ReplaceAll(body, `,"key"`, ` , "key"`), "Idempotency-Key", "k")
	for i := range 2 {
		if first[i].Link == nil || again[i].Link == nil || first[i].Link.URL != again[i].Link.URL || again[i].Status != 201 {
			t.Errorf("link %d: %+v, again %+v", i, first[i], again[i])
		}
	}
	if first[0].Link.URL == first[1].Link.URL || again[2].Status != 422 || countLinks(t, b) != 2 {
		t.Errorf("got %+v", again)
	}
	for name, other := range map[string]string{
		"fewer links": `{"links":[{"bucket":"exports","key":"a"}]}`,
		"other order": `{"links":[{"bucket":"exports","key":"a"},{"bucket":"evil","key":"a"},` +
			`{"bucket":"exports","key":"a"}]}`,
	} {
		a := b.batch(opsKey, other, "Idempotency-Key", "k")
		if a.status != http.StatusConflict || a.problem(t).Code != "idempotency_conflict" {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	a := b.operator(opsKey, http.MethodPost, "/api/v1/links", `{"bucket":"exports","key":"a"}`,
		"Idempotency-Key", "k", "Content-Type", "application/json")
	if a.status != http.StatusConflict {
		t.Errorf("a single issue with the key of a batch: got %d", a.status)
	}
	if other := sendBatch(t, b, exportsKey, body, "Idempotency-Key", "k"); other[0].Link.URL == first[0].Link.URL {
		t.Error("another operator got the same link")
	}
}

// failing is a store whose calls fail from some call on.
type failing struct {
	stores

	creates  atomic.Int64 // calls of Create so far
	from, to int64        // the calls of Create that fail, from 1
	lost     bool         // the failing calls create the link, and only the answer is lost
	away     atomic.Bool  // reservations fail too
}

func (f *failing) Create(ctx context.Context, link gateway.Link, secrets gateway.Secrets, life time.Duration,
	by gateway.Origin,
) (gateway.Link, error) {
	n := f.creates.Add(1)
	if n < f.from || n > f.to {
		return f.stores.Create(ctx, link, secrets, life, by)
	}
	if f.lost {
		if _, err := f.stores.Create(ctx, link, secrets, life, by); err != nil {
			return gateway.Link{}, err
		}
	}
	return gateway.Link{}, fmt.Errorf("create: redis %w", gateway.ErrUnavailable)
}

func (f *failing) Reserve(ctx context.Context, name string, sealed []byte) ([]byte, error) {
	if f.away.Load() {
		return nil, fmt.Errorf("reserve: redis %w", gateway.ErrUnavailable)
	}
	return f.stores.Reserve(ctx, name, sealed)
}

// batchOf returns a batch of n links.
func batchOf(n int) string {
	links := make([]string, n)
	for i := range links {
		links[i] = fmt.Sprintf(`{"bucket":"exports","key":"file-%d"}`, i)
	}
	return `{"links":[` + strings.Join(links, ",") + `]}`
}

// If Redis fails in the middle, each result says what happened, and a repeat completes the
// batch without a second link.
func TestBatchWhileRedisFails(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"not created": false, "answer lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &failing{stores: storetest.Open(t), from: 30, to: 60, lost: lost}
			b := newBenchOver(t, store, nil)
			first := sendBatch(t, b, opsKey, batchOf(100), "Idempotency-Key", "k")
			failed := 0
			for i, r := range first {
				switch {
				case r.Status == 201 && r.Link.Key == fmt.Sprintf("file-%d", i):
				case r.Status == 503 && r.Problem.Code == "unavailable" &&
					strings.Contains(r.Problem.Detail, "repeat the batch with the same Idempotency-Key"):
					failed++
				default:
					t.Errorf("link %d: %+v", i, r)
				}
			}
			if failed != 31 {
				t.Errorf("%d links failed, want 31", failed)
			}
			urls := map[string]bool{}
			for i, r := range sendBatch(t, b, opsKey, batchOf(100), "Idempotency-Key", "k") {
				if r.Status != 201 || r.Link.Key != fmt.Sprintf("file-%d", i) ||
					first[i].Link != nil && first[i].Link.URL != r.Link.URL {
					t.Fatalf("link %d after the repeat: %+v", i, r)
				}
				urls[r.Link.URL] = true
			}
			if n := countLinks(t, b); n != 100 || len(urls) != 100 {
				t.Errorf("%d links exist with %d URLs, want 100", n, len(urls))
			}
		})
	}
}

// Without a key, a result says whether a link without a known URL may exist.
func TestBatchSaysWhatMayExist(t *testing.T) {
	t.Parallel()
	store := &failing{stores: storetest.Open(t), from: 1, to: 1}
	b := newBenchOver(t, store, nil)
	if r := sendBatch(t, b, opsKey, batchOf(1))[0]; r.Status != 503 ||
		!strings.Contains(r.Problem.Detail, "nobody has its URL") {
		t.Errorf("a lost answer: %+v", r.Problem)
	}
	store.away.Store(true)
	for _, r := range sendBatch(t, b, opsKey, batchOf(2), "Idempotency-Key", "k") {
		if r.Status != 503 || !strings.Contains(r.Problem.Detail, "the link was not issued") {
			t.Errorf("without a reservation: %+v", r.Problem)
		}
	}
	store.away.Store(false)
	b.storage.proofErr = gateway.ErrUnavailable
	if r := sendBatch(t, b, opsKey, batchOf(1))[0]; r.Status != 503 ||
		!strings.Contains(r.Problem.Detail, "the link was not issued") {
		t.Errorf("while the storage is away: %+v", r.Problem)
	}
	if n := countLinks(t, b); n != 0 {
		t.Errorf("%d links exist", n)
	}
}

// What is refused as a whole issues nothing.
func TestRefusedBatches(t *testing.T) {
	t.Parallel()
	b := newBenchOver(t, storetest.Open(t), nil)
	tests := []struct {
		name, key, body string
		status          int
		code, field     string
	}{
		{"no links", opsKey, `{}`, 422, "invalid", "links:required"},
		{"empty list", opsKey, `{"links":[]}`, 422, "invalid", "links:required"},
		{"101 links", opsKey, batchOf(101), 422, "invalid", "links:too_many"},
		{"null", opsKey, `{"links":null}`, 422, "invalid", "links:null"},
		{
			"null in a link", opsKey, `{"links":[{"bucket":"exports","key":"a","note":null}]}`, 422, "invalid",
			"links[0].note:null",
		},
		{"a link that is null", opsKey, `{"links":[null]}`, 422, "invalid", "links:null"},
		{"unknown field", opsKey, `{"links":[],"dryrun":true}`, 400, "bad_request", ""},
		{"unknown field of a link", opsKey, `{"links":[{"bucket":"exports","kee":"a"}]}`, 400, "bad_request", ""},
		{"another type", opsKey, `{"links":[{"bucket":"exports","key":7}]}`, 400, "bad_request", ""},
		{"an issue", opsKey, `{"bucket":"exports","key":"a"}`, 400, "bad_request", ""},
		{"without the right", readKey, batchOf(1), 403, "forbidden", ""},
		{
			"too large", opsKey, `{"links":[{"bucket":"exports","key":"a","note":"` + strings.Repeat("n", 4<<20) + `"}]}`, 413,
			"too_large", "",
		},
	}
	for _, tt := range tests {
		a := b.batch(tt.key, tt.body)
		p := a.problem(t)
		field := ""
		if len(p.Errors) > 0 {
			field = p.Errors[0].Field + ":" + p.Errors[0].Code
		}
		if a.status != tt.status || p.Code != tt.code || field != tt.field {
			t.Errorf("%s: got %d %s %q: %s", tt.name, a.status, p.Code, field, p.Detail)
		}
	}
	a := b.batch(opsKey, `{"links":[{"bucket":"exports","kee":"a"}]}`)
	if p := a.problem(t); !strings.Contains(p.Detail, "a link of the body") || !strings.Contains(p.Detail, "expires_in") {
		t.Errorf("an unknown field of a link: %s", p.Detail)
	}
	a = b.batch(opsKey, batchOf(1), "Idempotency-Key", "é")
	if a.status != 422 {
		t.Errorf("an invalid Idempotency-Key: got %d", a.status)
	}
	if n := countLinks(t, b); n != 0 {
		t.Errorf("%d links exist", n)
	}
}

// A hundred links with the longest fields fit, also with every character escaped.
func TestLargestBatchFits(t *testing.T) {
	t.Parallel()
	b := newBenchOver(t, storetest.Open(t), nil)
	emoji := func(n int) string { return strings.Repeat(`\ud83d\ude00`, n) }
	labels := make([]string, 16)
	for i := range labels {
		labels[i] = fmt.Sprintf(`"%s%02d":"%s"`, strings.Repeat("l", 61), i, emoji(64))
	}
	link := `{"bucket":"exports","key":"` + emoji(256) + `","note":"` + emoji(1000) + `","filename":"` + emoji(63) +
		`","passphrase":"` + emoji(64) + `","labels":{` + strings.Join(labels, ",") + `},"allow":["` +
		strings.Repeat(`2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128","`, 63) + `192.0.2.1"]}`
	results := sendBatch(t, b, opsKey, `{"dry_run":true,"links":[`+link+strings.Repeat(","+link, 99)+`]}`)
	for i, r := range results {
		if r.Status != 200 {
			t.Fatalf("link %d: %+v", i, r.Problem)
		}
	}
}

// Each link of a batch counts as one request.
func TestBatchCountsEachLink(t *testing.T) {
	t.Parallel()
	b := newBenchOver(t, storetest.Open(t), nil)
	b.operatorOptions.RequestsPerMinute = 10
	b.api.o.Operators = admission.New(b.operatorOptions)
	a := b.batch(opsKey, batchOf(7))
	if a.status != 200 || !strings.Contains(a.header.Get("RateLimit"), "r=3") {
		t.Fatalf("got %d, %s: %s", a.status, a.header.Get("RateLimit"), a.body)
	}
	a = b.batch(opsKey, batchOf(4))
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || a.problem(t).Code != "rate_limited" {
		t.Errorf("over the limit: got %d %s", a.status, a.body)
	}
	a = b.batch(opsKey, batchOf(11))
	if p := a.problem(t); a.status != 422 || p.Errors[0].Field != "links" || p.Errors[0].Code != "too_many" {
		t.Errorf("more than a minute allows: got %d %s", a.status, a.body)
	}
	b.api.o.Operators = b.operators // without a limit
	if n := countLinks(t, b); n != 7 {
		t.Errorf("%d links exist, want 7", n)
	}
}
