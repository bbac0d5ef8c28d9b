package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/storetest"
)

// bulkStub answers bulk revocations one result at a time; the rest is the store's.
type bulkStub struct {
	*storetest.Store

	results []gateway.BulkResult
	errs    []error
	asked   []gateway.BulkOptions
	active  int64 // the live links of the service; 0: the store's number
	err     error // of Active
}

// Active implements gateway.Store.
func (s *bulkStub) Active(ctx context.Context) (int64, error) {
	if s.active != 0 || s.err != nil {
		return s.active, s.err
	}
	return s.Store.Active(ctx)
}

// RevokeAll implements gateway.Store.
func (s *bulkStub) RevokeAll(
	_ context.Context, _ gateway.ListQuery, o gateway.BulkOptions, _ gateway.Origin,
) (gateway.BulkResult, error) {
	i := len(s.asked)
	s.asked = append(s.asked, o)
	var err error
	if i < len(s.errs) {
		err = s.errs[i]
	}
	return s.results[min(i, len(s.results)-1)], err
}

// newBulkBench starts a bench whose bulk revocations have these results.
func newBulkBench(t *testing.T, results []gateway.BulkResult, errs ...error) (*bench, *bulkStub) {
	t.Helper()
	store := storetest.Open(t)
	stub := &bulkStub{Store: store, results: results, errs: errs}
	return newBenchOver(t, store, func(o *gateway.Options) { o.Links = stub }, nil), stub
}

// live returns the objects of the live links.
func (b *bench) live(t *testing.T) []string {
	t.Helper()
	var keys []string
	for _, link := range b.links(t) {
		if !link.Ended() {
			keys = append(keys, link.Ref.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// A selection of links is revoked after a question.
func TestRevokeSelection(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	links := severalLinks(t, b)
	c := b.signedIn(t, opsKey)
	list := c.get("/console/links")
	form := list.fields(t, "/console/revocations")
	form["id"] = []string{links["a/active"].Link.ID.String(), links["b/used"].Link.ID.String()}
	form.Set("what", "selected")
	a := c.post("/console/revocations", form)
	if a.status != http.StatusOK || !strings.Contains(a.shown(), "Revoke 2 links?") {
		t.Fatalf("the question: %d %s", a.status, a.shown())
	}
	if got := b.live(t); len(got) != 2 {
		t.Fatalf("the question has revoked links: %q are left", got)
	}
	confirmed := with(a.fields(t, "/console/revocations"), "reason", "audit 7")
	if confirmed.Get("confirm") != "1" || len(confirmed["id"]) != 2 {
		t.Fatalf("the form of the question: %v", confirmed)
	}
	a = c.post("/console/revocations", confirmed)
	if a.status != http.StatusOK || !strings.Contains(a.shown(), "1 link revoked 1 link had ended before") {
		t.Errorf("the report: %d %s", a.status, a.shown())
	}
	if got := b.live(t); !slices.Equal(got, []string{"a/paused"}) {
		t.Errorf("%q are left", got)
	}
	if got := b.show(t, links["a/active"].Link.ID); got.RevokeReason != "audit 7" || got.RevokedBy != "ops" {
		t.Errorf("the reason is %q by %q", got.RevokeReason, got.RevokedBy)
	}
	if a.link("Back to the links") == "" {
		t.Errorf("no way back: %s", a.shown())
	}
}

// A selection that is wrong revokes nothing.
func TestRevokeSelectionRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := severalLinks(t, b)["a/active"].Link.ID.String()
	c := b.signedIn(t, opsKey)
	many := url.Values{"confirm": {"1"}}
	for range maxSelection + 1 {
		many.Add("id", id)
	}
	for name, form := range map[string]url.Values{
		"nothing selected": {"what": {"selected"}, "confirm": {"1"}},
		"no ID":            {"id": {id, "x"}, "confirm": {"1"}},
		"a reference":      {"id": {id[:8]}, "confirm": {"1"}},
		"too many":         many,
		"a long reason":    {"id": {id}, "confirm": {"1"}, "reason": {strings.Repeat("x", 1001)}},
	} {
		if a := c.post("/console/revocations", form); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, a.status, a.shown())
		}
	}
	if a := b.signedIn(t, readKey).post("/console/revocations",
		url.Values{"id": {id}, "confirm": {"1"}}); a.status != http.StatusForbidden {
		t.Errorf("a reader: %d", a.status)
	}
	if a := b.signedIn(t, scopedKey).post("/console/revocations",
		url.Values{"id": {id}, "confirm": {"1"}}); a.status != http.StatusNotFound {
		t.Errorf("out of scope: %d", a.status)
	}
	if got := b.live(t); len(got) != 2 {
		t.Errorf("%q are left", got)
	}
}

// A run that stops in the middle says how many links it has revoked.
func TestRevokeSelectionStops(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	mine := b.issue(t, func(r *gateway.IssueRequest) { r.Bucket, r.Key = "exports", "team/a" }).Link.ID.String()
	foreign := b.issue(t, nil).Link.ID.String()
	c := b.signedIn(t, scopedKey)
	a := c.post("/console/revocations", url.Values{"id": {mine, foreign}, "confirm": {"1"}})
	if a.status != http.StatusNotFound || !strings.Contains(a.shown(), "Revoked 1 link so far") ||
		!strings.Contains(a.shown(), "there is no such link in the scope of this key") {
		t.Errorf("the report: %d %s", a.status, a.shown())
	}
	if got := b.live(t); !slices.Equal(got, []string{"2026/q3.pdf"}) {
		t.Errorf("%q are left", got)
	}
	if again := a.fields(t, "/console/revocations"); len(again["id"]) != 2 || again.Get("confirm") != "1" {
		t.Errorf("the form that continues: %v", again)
	}
}

// A filter revokes what the question has counted.
func TestRevokeFilter(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	b.issue(t, func(r *gateway.IssueRequest) { r.Bucket, r.Key = "exports", "team/a" })
	c := b.signedIn(t, opsKey)
	list := c.get("/console/links?bucket=reports&prefix=a/")
	form := with(list.fields(t, "/console/revocations"), "what", "filter")
	delete(form, "id")
	a := c.post("/console/revocations", form)
	if a.status != http.StatusOK || !strings.Contains(a.shown(), "Revoke 2 links?") {
		t.Fatalf("the question: %d %s", a.status, a.shown())
	}
	if got := a.link("Cancel"); got != "/console/links?bucket=reports&prefix=a%2F" {
		t.Errorf("cancel leads to %q", got)
	}
	a = c.post("/console/revocations", a.fields(t, "/console/revocations"))
	if a.status != http.StatusOK || !strings.Contains(a.shown(), "2 links revoked") {
		t.Errorf("the report: %d %s", a.status, a.shown())
	}
	if got := b.live(t); !slices.Equal(got, []string{"team/a"}) {
		t.Errorf("%q are left", got)
	}
}

// A filter that selects nothing has no button to press.
func TestRevokeNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.signedIn(t, opsKey).post("/console/revocations", url.Values{"what": {"filter"}, "bucket": {"exports"}})
	if a.status != http.StatusOK || !strings.Contains(a.shown(), "Revoke 0 links?") ||
		!has(a.button("Revoke 0 links"), "disabled") {
		t.Errorf("nothing to revoke: %d %s", a.status, a.shown())
	}
}

// A filter that a revocation cannot apply is refused and never dropped.
func TestRevokeUnknownFilter(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	c := b.signedIn(t, opsKey)
	for name, form := range map[string]url.Values{
		"q":                {"q": {"x"}},
		"another spelling": {"labels": {"a=b"}},
		"ends_before":      {"ends_before": {"24h"}},
		"a bad end":        {"ends_after": {"soon"}},
		"an empty range":   {"ends_after": {"24h"}, "ends_within": {"24h"}},
		"expired":          {"state": {"expired"}},
		"revoked":          {"state": {"active,revoked"}},
		"an unknown state": {"state": {"lost"}},
		"prefix only":      {"bucket": {""}, "prefix": {"a/"}},
		"both":             {"bucket": {"reports"}, "prefix": {"a"}, "key": {"a/active"}},
		"a bad label":      {"label": {"x"}},
		"a bad age":        {"since": {"soon"}},
		"used":             {"used": {"often"}},
		"all and a filter": {"all": {"1"}, "bucket": {"reports"}},
	} {
		for _, confirm := range []string{"", "1"} {
			form["confirm"] = []string{confirm}
			a := c.post("/console/revocations", form)
			if a.status != http.StatusUnprocessableEntity {
				t.Errorf("%s, confirm %q: %d %s", name, confirm, a.status, a.shown())
			}
		}
	}
	if got := b.live(t); len(got) != 2 {
		t.Errorf("%q are left", got)
	}
}

// Without any filter, the operator has to say that all links are meant.
func TestRevokeAllLinks(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	c := b.signedIn(t, opsKey)
	a := c.post("/console/revocations", url.Values{"what": {"filter"}, "confirm": {"1"}})
	if a.status != http.StatusOK || !strings.Contains(a.shown(), "Revoke every link?") || len(b.live(t)) != 2 {
		t.Fatalf("without a filter: %d %s, %q are left", a.status, a.shown(), b.live(t))
	}
	form := a.fields(t, "/console/revocations")
	if form.Has("all") || form.Has("confirm") {
		t.Errorf("the page confirms by itself: %v", form)
	}
	form.Set("all", "1")
	if a = c.post("/console/revocations", form); !strings.Contains(a.shown(), "Revoke 2 links?") ||
		!strings.Contains(a.shown(), "The remaining retries of 1 used-up link end too") {
		t.Fatalf("the number, and a link whose grant may be used: %s", a.shown())
	}
	a = c.post("/console/revocations", a.fields(t, "/console/revocations"))
	if !strings.Contains(a.shown(), "2 links revoked The remaining retries of 1 used-up link were ended too") ||
		len(b.live(t)) != 0 {
		t.Errorf("the report: %s, %q are left", a.shown(), b.live(t))
	}
}

// A long run says how far it is, and goes on where it stopped.
func TestRevokeContinues(t *testing.T) {
	t.Parallel()
	b, stub := newBulkBench(t, []gateway.BulkResult{
		{Revoked: 1500, Next: "first"}, {Revoked: 1000, Next: "second"}, {Revoked: 7, Unreadable: 2},
	})
	c := b.signedIn(t, opsKey)
	form := url.Values{"what": {"filter"}, "bucket": {"reports"}, "confirm": {"1"}, "reason": {"leak"}}
	for i, want := range []string{"Revoked 1,500 links so far", "Revoked 2,500 links so far", "2,507 links revoked"} {
		a := c.post("/console/revocations", form)
		if a.status != http.StatusOK || !strings.Contains(a.shown(), want) {
			t.Fatalf("call %d: %d %s", i, a.status, a.shown())
		}
		if i < 2 {
			form = a.fields(t, "/console/revocations")
			continue
		}
		if !strings.Contains(a.shown(), "2 links could not be read") {
			t.Errorf("unreadable links: %s", a.shown())
		}
	}
	for i, want := range []string{"", "first", "second"} {
		if got := stub.asked[i]; got.Cursor != want || got.Reason != "leak" || got.DryRun {
			t.Errorf("call %d: %+v", i, got)
		}
	}
}

// The number counts as far as a few calls get, and says if there may be more.
func TestRevokeCountsBounded(t *testing.T) {
	t.Parallel()
	b, stub := newBulkBench(t, []gateway.BulkResult{{Matched: 1000, Next: "more", Unreadable: 1}})
	a := b.signedIn(t, opsKey).post("/console/revocations",
		url.Values{"what": {"filter"}, "bucket": {"reports"}, "count": {"all"}})
	if !strings.Contains(a.shown(), "Revoke at least 3,000 links?") ||
		!strings.Contains(a.shown(), "1 link cannot be read") {
		t.Errorf("the question: %s", a.shown())
	}
	if len(stub.asked) != dryRuns {
		t.Errorf("%d calls", len(stub.asked))
	}
	for i, o := range stub.asked {
		if !o.DryRun || (o.Cursor == "") != (i == 0) {
			t.Errorf("call %d: %+v", i, o)
		}
	}
}

// A run that Redis stops says how many links have ended, and can be continued.
func TestRevokeFilterStops(t *testing.T) {
	t.Parallel()
	b, stub := newBulkBench(t, []gateway.BulkResult{{Revoked: 3}, {}}, gateway.ErrUnavailable, gateway.ErrUnavailable)
	c := b.signedIn(t, opsKey)
	form := url.Values{
		"what": {"filter"}, "bucket": {"reports"}, "confirm": {"1"}, "cursor": {"here"},
		"revoked": {"4"},
	}
	a := c.post("/console/revocations", form)
	if a.status != http.StatusServiceUnavailable || !strings.Contains(a.shown(), "Revoked 7 links so far") {
		t.Fatalf("the report: %d %s", a.status, a.shown())
	}
	again := a.fields(t, "/console/revocations")
	if again.Get("cursor") != "here" || again.Get("revoked") != "7" || again.Get("bucket") != "reports" {
		t.Errorf("the form that continues: %v", again)
	}
	if a = c.post("/console/revocations", with(form, "revoked", "")); a.status != http.StatusServiceUnavailable {
		t.Errorf("nothing revoked: %d %s", a.status, a.shown())
	}
	if len(stub.asked) != 2 {
		t.Errorf("%d calls", len(stub.asked))
	}
}

// The number that an earlier page has sent is only shown, so a wrong one counts as nothing.
func TestParseCount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "0": 0, "12": 12, "-1": 0, "1e3": 0, strconv.Itoa(1 << 40): 0, strings.Repeat("9", 100): 0, "<b>": 0,
	} {
		if got := parseCount(text); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	if got := fmt.Sprint(plural(1, "link"), plural(1234, "link")); got != "1 link1,234 links" {
		t.Errorf("plurals: %q", got)
	}
}
