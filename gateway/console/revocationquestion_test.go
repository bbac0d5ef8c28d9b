package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/storetest"
)

// unhurriedStore counts links without a limit of time. A slow machine exceeds that of the
// service, and the question then counts only some links.
type unhurriedStore struct{ *storetest.Store }

func (s unhurriedStore) RevokeAll(
	ctx context.Context, q gateway.ListQuery, o gateway.BulkOptions, by gateway.Origin,
) (gateway.BulkResult, error) {
	o.Budget, o.SearchBudget = time.Hour, time.Hour
	return s.Store.RevokeAll(ctx, q, o, by)
}

// The first question of a service with few live links counts all that match, behind more
// entries of other links than the question of a large service examines. Above that number,
// it examines fewer.
func TestRevokeQuestionCountsFewLinks(t *testing.T) {
	t.Parallel()
	store := storetest.OpenRedis(t, "appendonly no")
	b := newBenchOver(t, store, func(o *gateway.Options) { o.Links = unhurriedStore{store} }, nil)
	for i := range listBudget + 1 {
		b.issuedLink(t, fmt.Sprintf("a/%04d", i), nil)
	}
	form := url.Values{"what": {"filter"}, "prefix": {"a/"}, "bucket": {"reports"}}
	a := b.signedIn(t, opsKey).post("/console/revocations", form)
	if !strings.Contains(a.shown(), "Revoke 2,001 links?") || a.button("Count the links first") != nil {
		t.Errorf("the question: %s", a.shown())
	}
	for active, want := range map[int64]int{
		1: fewExamine, fewLinks: fewExamine, fewLinks + 1: listBudget, 1_000_000: listBudget,
	} {
		b, stub := newBulkBench(t, []gateway.BulkResult{{Matched: 7}})
		stub.active = active
		a := b.signedIn(t, opsKey).post("/console/revocations", form)
		if len(stub.asked) != 1 || stub.asked[0].Examine != want || !strings.Contains(a.shown(), "Revoke 7 links?") {
			t.Errorf("with %d live links, asked for %+v: %s", active, stub.asked, a.shown())
		}
	}
}

// Ended links can keep a small service from counting all at once. Then the question says so
// and offers to count.
func TestRevokeQuestionAmongEndedLinks(t *testing.T) {
	t.Parallel()
	b, stub := newBulkBench(t, []gateway.BulkResult{{Matched: 7, Next: "more"}})
	stub.active = 10
	a := b.signedIn(t, opsKey).post("/console/revocations", url.Values{"what": {"filter"}, "bucket": {"reports"}})
	if !strings.Contains(a.shown(), "Revoke at least 7 links?") ||
		!strings.Contains(a.shown(), "too many links to count them at once") || a.button("Count the links first") == nil {
		t.Errorf("the question: %s", a.shown())
	}
}

// Without Redis the question is not shown, with or without the number of live links.
func TestRevokeQuestionWithoutRedis(t *testing.T) {
	t.Parallel()
	b, stub := newBulkBench(t, []gateway.BulkResult{{Matched: 7}})
	stub.err = gateway.ErrUnavailable
	a := b.signedIn(t, opsKey).post("/console/revocations", url.Values{"what": {"filter"}, "bucket": {"reports"}})
	if a.status != http.StatusServiceUnavailable || len(stub.asked) != 0 {
		t.Errorf("%d, asked for %+v: %s", a.status, stub.asked, a.shown())
	}
}

// The first question of a large service looks at a limited number of links, so that the page
// comes soon. It says so, and offers to count them all.
func TestRevokeQuestionIsQuick(t *testing.T) {
	t.Parallel()
	b, stub := newBulkBench(t, []gateway.BulkResult{{Matched: 1000, Next: "more"}, {Next: "more"}, {}})
	stub.active = 1_000_000
	c := b.signedIn(t, opsKey)
	form := url.Values{"what": {"filter"}, "bucket": {"reports"}}
	a := c.post("/console/revocations", form)
	for _, want := range []string{
		"Revoke at least 1,000 links?", "has searched only 2,000 links", "Revoke all that match",
	} {
		if !strings.Contains(a.shown(), want) {
			t.Errorf("the question lacks %q: %s", want, a.shown())
		}
	}
	if len(stub.asked) != 1 || stub.asked[0].Examine != listBudget || !stub.asked[0].DryRun {
		t.Errorf("asked for %+v", stub.asked)
	}
	if a.button("Count the links first") == nil {
		t.Errorf("no button counts the links: %s", a.shown())
	}
	// Links that match may follow those that were searched.
	a = c.post("/console/revocations", form)
	if revoke := a.button("Revoke all that match"); !strings.Contains(a.shown(), "Revoke all links that match?") ||
		revoke == nil || has(revoke, "disabled") {
		t.Errorf("nothing found so far: %s", a.shown())
	}
	a = c.post("/console/revocations", with(form, "count", "all"))
	if revoke := a.button("Revoke 0 links"); revoke == nil || !has(revoke, "disabled") ||
		a.button("Count the links first") != nil || stub.asked[2].Examine != 0 {
		t.Errorf("all are counted: %s", a.shown())
	}
}
