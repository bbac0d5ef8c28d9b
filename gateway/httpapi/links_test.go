package httpapi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

func TestListQuery(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a", 26)
	tests := []struct {
		target string
		status int
		want   gateway.ListQuery
	}{
		{"", 200, gateway.ListQuery{Limit: 50}},
		{"?", 200, gateway.ListQuery{Limit: 50}},
		{"?key=", 400, gateway.ListQuery{}},
		{"?state=", 400, gateway.ListQuery{}},
		{"?created_by=&bucket=reports", 400, gateway.ListQuery{}},
		{"?limit=1", 200, gateway.ListQuery{Limit: 1}},
		{"?limit=500", 200, gateway.ListQuery{Limit: 500}},
		{
			"?state=revoked&bucket=reports&created_by=ci&cursor=abc", 200,
			gateway.ListQuery{States: []gateway.State{"revoked"}, Bucket: "reports", CreatedBy: "ci", Cursor: "abc", Limit: 50},
		},
		{"?prefix=a%2Fb%20*%26", 200, gateway.ListQuery{Prefix: "a/b *&", Limit: 50}},
		{"?prefix=a+b", 200, gateway.ListQuery{Prefix: "a b", Limit: 50}},
		{"?bucket=reports&key=%F0%9F%93%84", 200, gateway.ListQuery{Bucket: "reports", Key: "📄", Limit: 50}},
		{"?label=team=a=b", 200, gateway.ListQuery{Labels: map[string]string{"team": "a=b"}, Limit: 50}},
		{
			"?label=team=a&label=case=7&label=team=a", 200,
			gateway.ListQuery{Labels: map[string]string{"team": "a", "case": "7"}, Limit: 50},
		},
		{
			"?state=paused,active,paused", 200,
			gateway.ListQuery{States: []gateway.State{"active", "paused"}, Limit: 50},
		},
		{"?since=24h", 200, gateway.ListQuery{Age: 24 * time.Hour, Limit: 50}},
		{
			"?since=2026-11-25T08:00:00Z", 200,
			gateway.ListQuery{Since: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), Limit: 50},
		},
		{"?used=never&ends_within=7d", 200, gateway.ListQuery{Unused: true, EndsWithin: 7 * 24 * time.Hour, Limit: 50}},
		{
			"?ends_within=1h&state=paused,revoked", 200,
			gateway.ListQuery{EndsWithin: time.Hour, States: []gateway.State{"paused", "revoked"}, Limit: 50},
		},
		{"?ends_after=24h", 200, gateway.ListQuery{Remaining: 24 * time.Hour, Limit: 50}},
		{
			"?ends_after=2026-11-25T08:00:00Z&ends_within=1h", 200, gateway.ListQuery{
				EndsAfter: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), EndsWithin: time.Hour, Limit: 50,
			},
		},
		{"?label=team=", 200, gateway.ListQuery{Labels: map[string]string{"team": ""}, Limit: 50}},

		{"?limit=0", 400, gateway.ListQuery{}},
		{"?limit=-1", 400, gateway.ListQuery{}},
		{"?limit=501", 400, gateway.ListQuery{}},
		{"?limit=1000000000", 400, gateway.ListQuery{}},
		{"?limit=1e2", 400, gateway.ListQuery{}},
		{"?limit=", 400, gateway.ListQuery{}},
		{"?limit=5&limit=6", 400, gateway.ListQuery{}},
		{"?limit=99999999999999999999", 400, gateway.ListQuery{}},
		{"?limit=" + liveToken, 400, gateway.ListQuery{}},
		{"?state=gone", 400, gateway.ListQuery{}},
		{"?state=Active", 400, gateway.ListQuery{}},
		{"?prefix=a&key=b", 400, gateway.ListQuery{}},
		{"?label=team", 400, gateway.ListQuery{}},
		{"?label==a", 400, gateway.ListQuery{}},
		{"?label=team=a&label=team=b", 400, gateway.ListQuery{}},
		{"?label=team=a&label=", 400, gateway.ListQuery{}},
		{"?label=team=a&label=x", 400, gateway.ListQuery{}},
		{"?state=active,", 400, gateway.ListQuery{}},
		{"?state=active,gone", 400, gateway.ListQuery{}},
		{"?state=active&state=paused", 400, gateway.ListQuery{}},
		{"?since=now", 400, gateway.ListQuery{}},
		{"?since=yesterday", 400, gateway.ListQuery{}},
		{"?since=-24h", 400, gateway.ListQuery{}},
		{"?since=0001-01-01T00:00:00Z", 400, gateway.ListQuery{}},
		{"?used=", 400, gateway.ListQuery{}},
		{"?used=always", 400, gateway.ListQuery{}},
		{"?ends_within=tomorrow", 400, gateway.ListQuery{}},
		{"?ends_within=0s", 400, gateway.ListQuery{}},
		{"?ends_within=1h&state=expired,revoked", 400, gateway.ListQuery{}},
		{"?ends_after=", 400, gateway.ListQuery{}},
		{"?ends_after=tomorrow", 400, gateway.ListQuery{}},
		{"?ends_after=1h&state=expired,revoked", 400, gateway.ListQuery{}},
		{"?ends_after=2h&ends_within=1h", 400, gateway.ListQuery{}},
		{"?bukcet=reports", 400, gateway.ListQuery{}},
		{"?Bucket=reports", 400, gateway.ListQuery{}},
		{"?bucket=a&bucket=b", 400, gateway.ListQuery{}},
		{"?bucket=%zz", 400, gateway.ListQuery{}},
		{"?bucket=a;key=b", 400, gateway.ListQuery{}},
		{"/" + id + "?x=1", 400, gateway.ListQuery{}},
		{"/" + id + "/events?limit=501", 400, gateway.ListQuery{}},
		{"/" + id + "/events?state=active", 400, gateway.ListQuery{}},
	}
	for _, tt := range tests {
		t.Run(tt.target, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			a := b.operator(opsKey, "GET", "/api/v1/links"+tt.target, "")
			if a.status != tt.status {
				t.Fatalf("got %d, want %d: %s", a.status, tt.status, a.body)
			}
			if tt.status == 400 {
				if p := a.problem(t); p.Code != "bad_request" || b.store.query.Match != nil {
					t.Errorf("got %s, and the store was asked: %v", p.Code, b.store.query.Match != nil)
				}
				if strings.Contains(b.log.String(), liveToken) {
					t.Errorf("the log repeats what was asked: %s", b.log)
				}
				return
			}
			got := b.store.query
			got.Match, got.Buckets = nil, nil
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("the store was asked for %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestListAnswersWithAPage(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if a := b.operator(opsKey, "GET", "/api/v1/links", ""); a.body != `{"links":[],"next":"next-page"}`+"\n" {
		t.Errorf("an empty page is %s", a.body)
	}
	id := b.put("reports", "a")
	a := b.operator(opsKey, "GET", "/api/v1/links", "")
	var page api.LinkPage
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || len(page.Links) != 1 || page.Links[0].ID != id ||
		page.Next != "next-page" {
		t.Errorf("got %s, %v", a.body, err)
	}
	if strings.Contains(a.body, `"url"`) || strings.Contains(a.body, "revoked_at") {
		t.Errorf("a live link is listed as %s", a.body)
	}
}

func TestForgedCursor(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.put("reports", "a")
	b.store.err = gateway.ErrCursor
	if a := b.operator(opsKey, "GET", "/api/v1/links?cursor=forged", ""); a.status != 400 ||
		a.problem(t).Code != "bad_request" || strings.Contains(a.body, "forged") {
		t.Errorf("links: got %d %s", a.status, a.body)
	}
	if a := b.operator(opsKey, "GET", "/api/v1/links/"+id+"/events?cursor=forged", ""); a.status != 400 ||
		a.problem(t).Code != "bad_request" {
		t.Errorf("events: got %d %s", a.status, a.body)
	}
}

func TestRevokeAnswersWithTheLink(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.put("reports", "a")
	a := b.operator(opsKey, "DELETE", "/api/v1/links/"+id+"?reason=sent%20by%20mistake", "")
	var link api.Link
	if err := json.Unmarshal([]byte(a.body), &link); err != nil || a.status != 200 {
		t.Fatalf("got %d, %v", a.status, err)
	}
	if link.State != "revoked" || link.RevokeReason != "sent by mistake" || link.RevokedBy != "ops" ||
		link.RevokedAt == nil || link.RevokedAt.IsZero() {
		t.Errorf("got %+v", link)
	}
	for query, status := range map[string]int{
		"?reason=" + strings.Repeat("r", 1001): 422, "?reason=a&reason=b": 400, "?why=x": 400, "?reason=": 200, "": 200,
	} {
		if a := b.operator(opsKey, "DELETE", "/api/v1/links/"+id+query, ""); a.status != status {
			t.Errorf("%.20s: got %d, want %d", query, a.status, status)
		}
	}
	if a := b.operator(opsKey, "DELETE", "/api/v1/links/"+strings.Repeat("a", 26), ""); a.status != 404 {
		t.Errorf("an unknown link: got %d", a.status)
	}
}

func TestEventsAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.put("reports", "a")
	a := b.operator(opsKey, "GET", "/api/v1/links/"+id+"/events?limit=7&cursor=c", "")
	want := `{"events":[{"time":"2026-11-01T12:00:00Z","kind":"redirected","link":"` + id +
		`","outcome":"redirected","method":"GET","address":"192.0.2.1"}],"next":"older"}` + "\n"
	if a.status != 200 || a.body != want {
		t.Errorf("got %d %s\nwant %s", a.status, a.body, want)
	}
	if b.store.limit != 7 || b.store.cursor != "c" {
		t.Errorf("the store was asked for %d from %q", b.store.limit, b.store.cursor)
	}
	if b.operator(opsKey, "GET", "/api/v1/links/"+id+"/events", ""); b.store.limit != 50 {
		t.Errorf("the default is %d", b.store.limit)
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	t.Parallel()
	a := newBench(t, nil).operator(readKey, "GET", "/api/v1/openapi.yaml", "")
	if a.status != 200 || a.header.Get("Content-Type") != "application/yaml" || a.body != string(openAPIDescription) {
		t.Errorf("got %d, %s, %d bytes", a.status, a.header.Get("Content-Type"), len(a.body))
	}
}

// Of several mistakes in a query, the answer always names the same one.
func TestFirstQueryProblem(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for range 50 {
		a := b.operator(opsKey, "GET", "/api/v1/links?state=&prefix=%ff&limit=1&limit=2&bucket=", "")
		if p := a.problem(t); a.status != 400 || p.Detail != "bucket is empty; omit it or give it a value" {
			t.Fatalf("got %d %q", a.status, p.Detail)
		}
	}
}
