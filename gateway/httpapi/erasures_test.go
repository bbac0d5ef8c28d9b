package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/storetest"
)

// erasePath is the path of erasures.
const erasePath = "/api/v1/audit/erasures"

// unhurriedStore erases without a limit of time. On a slow machine, an erasure over miniredis
// exceeds that of the service and ends early.
type unhurriedStore struct{ *storetest.Store }

func (s unhurriedStore) Erase(
	ctx context.Context, e gateway.Erasure, by gateway.Origin,
) (gateway.ErasureResult, error) {
	e.Budget = time.Hour
	return s.Store.Erase(ctx, e, by)
}

// Erasures over a real store: the addresses leave the audit and the link's events.
func TestErasureOverAStore(t *testing.T) {
	t.Parallel()
	b := newBenchOver(t, unhurriedStore{storetest.Open(t)}, nil)
	call := func(method, target, body string, into any) {
		t.Helper()
		a := b.operator(opsKey, method, target, body)
		if err := json.Unmarshal([]byte(a.body), into); err != nil || a.status/100 != 2 {
			t.Fatalf("%s %s: got %d %s, %v", method, target, a.status, a.body, err)
		}
	}
	var links [2]api.Link
	for i, peer := range []string{"203.0.113.7:1", "203.0.113.8:1"} {
		call("POST", "/api/v1/links", `{"bucket":"exports","key":"a"}`, &links[i])
		r := httptest.NewRequest(http.MethodGet, strings.TrimPrefix(links[i].URL, "https://dl.example.com"), nil)
		r.RemoteAddr = peer
		b.api.Public().ServeHTTP(httptest.NewRecorder(), r)
	}
	addresses := func(target string) []string {
		t.Helper()
		var page api.EventPage
		call("GET", target, "", &page)
		var found []string
		for _, e := range page.Events {
			if e.Address != "" {
				found = append(found, e.Kind+" "+e.Address)
			}
		}
		slices.Sort(found)
		return found
	}
	var erasure api.Erasure
	call("POST", erasePath, `{"link":"`+links[0].ID+`","reason":"asked"}`, &erasure)
	if erasure.FeedEvents != 2 || erasure.LinkEvents != 1 || !erasure.Done || len(erasure.Remains) != 4 {
		t.Errorf("erased %+v", erasure)
	}
	if got := addresses("/api/v1/links/" + links[0].ID + "/events"); got != nil {
		t.Errorf("the link's events still have %v", got)
	}
	want := []string{"issued 192.0.2.1", "redirected 203.0.113.8"}
	if got := addresses("/api/v1/audit"); !slices.Equal(got, want) {
		t.Errorf("the audit has %v, want %v", got, want)
	}
	call("POST", erasePath, `{"address":"203.0.113.8","dry_run":true}`, &erasure)
	if erasure.FeedEvents != 1 || erasure.LinkEvents != 1 || !erasure.Done {
		t.Errorf("a dry run counts %+v", erasure)
	}
	if got := addresses("/api/v1/audit"); !slices.Equal(got, want) {
		t.Errorf("after a dry run the audit has %v, want %v", got, want)
	}
	call("POST", erasePath, `{"address":"203.0.113.8"}`, &erasure)
	if erasure.FeedEvents != 1 || erasure.LinkEvents != 1 || !erasure.Done || erasure.Next != "" ||
		len(erasure.Remains) != 5 {
		t.Errorf("erased %+v", erasure)
	}
	var page api.EventPage
	call("GET", "/api/v1/audit?kind=erased", "", &page)
	if len(page.Events) != 2 || page.Events[0].Link != "" || page.Events[0].Actor != "ops" ||
		page.Events[0].Address != "" ||
		page.Events[1].Link != links[0].ID || page.Events[1].Reason != "asked" {
		t.Errorf("the events of the erasures: %+v", page.Events)
	}
	if strings.Contains(b.log.String(), `"203.0.113.8"`) && strings.Contains(lastLine(b), "203.0.113.8") {
		t.Errorf("the log of the erasure has the address: %s", lastLine(b))
	}
}

// lastLine returns the last line of the log.
func lastLine(b *bench) string {
	lines := strings.Split(strings.TrimSpace(b.log.String()), "\n")
	return lines[len(lines)-1]
}

// The forms of addresses that an erasure accepts, and what it refuses.
func TestErasureBodies(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for text, want := range map[string]string{
		"203.0.113.9": "203.0.113.9 203.0.113.0/24", "::ffff:203.0.113.9": "203.0.113.9 203.0.113.0/24",
		"2001:DB8::9": "2001:db8::9 2001:db8::/48", "203.0.113.0/24": "203.0.113.0/24", "2001:db8::/48": "2001:db8::/48",
		"hash:0123456789abcdef": "hash:0123456789abcdef",
	} {
		a := b.operator(opsKey, http.MethodPost, erasePath, `{"address":"`+text+`"}`)
		if got := strings.Join(b.store.erasure.Addresses, " "); a.status != 200 || got != want {
			t.Errorf("%s: got %d, erased %s, want %s", text, a.status, got, want)
		}
	}
	link := b.put("exports", "a")
	for _, tt := range []struct {
		key, body string
		status    int
		field     string
	}{
		{opsKey, `{}`, 422, "link"},
		{opsKey, `{"link":"x"}`, 422, "link"},
		{opsKey, `{"address":"secret-canary"}`, 422, "address"},
		{opsKey, `{"address":"203.0.113.0/25"}`, 422, "address"},
		{opsKey, `{"address":"203.0.113.9/24"}`, 422, "address"},
		{opsKey, `{"address":"fe80::1%eth0"}`, 422, "address"},
		{opsKey, `{"address":"hash:xyz"}`, 422, "address"},
		{opsKey, `{"address":"203.0.113.9","link":"` + link + `"}`, 422, "address"},
		{opsKey, `{"address":"203.0.113.9","reason":"of 203.0.113.9"}`, 422, "reason"},
		{opsKey, `{"address":null}`, 422, "address"},
		{opsKey, `{"all":true}`, 400, ""},
		{exportsKey, `{"address":"203.0.113.9"}`, 403, "address"},
		{readKey, `{"link":"` + link + `"}`, 403, ""},
		{exportsKey, `{"link":"` + b.put("reports", "b") + `"}`, 404, ""},
	} {
		a := b.operator(tt.key, http.MethodPost, erasePath, tt.body)
		p := a.problem(t)
		field := ""
		if len(p.Errors) > 0 {
			field = p.Errors[0].Field
		}
		if a.status != tt.status || field != tt.field || strings.Contains(a.body, "canary") {
			t.Errorf("%s: got %d %s", tt.body, a.status, a.body)
		}
	}
	b.store.err = gateway.ErrUnavailable
	if a := b.operator(opsKey, http.MethodPost, erasePath, `{"address":"203.0.113.9"}`); a.status != 503 {
		t.Errorf("while Redis is away: got %d", a.status)
	}
	if strings.Contains(b.log.String(), "203.0.113.9") {
		t.Error("the log has an address to be erased")
	}
}
