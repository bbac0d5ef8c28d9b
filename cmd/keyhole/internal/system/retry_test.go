//go:build system

package system

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/redisstore/redistest"
)

// TestIdempotencyKey repeats issues at two gateways: at once, after a reply of Redis
// was lost, with another body. Each key makes one link, whose token is nowhere in
// Redis.
func TestIdempotencyKey(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	proxy := redistest.StartProxy(t, in.redis.Addr)
	a, b := in.start("KEYHOLE_REDIS_ADDRESSES="+proxy.Addr), in.start("KEYHOLE_PUBLIC_URL=http://127.0.0.1:1")
	issue := func(g *instance, key, fields string) answer {
		return in.issue(t, g, strings.NewReader(`{"bucket":"reports","key":"file.txt"`+fields+`}`),
			"Content-Type", "application/json", "Idempotency-Key", key)
	}
	links := func() int {
		page, err := a.client.List(t.Context(), client.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Links)
	}
	urlOf := func(answered answer) string {
		var link api.Link
		if err := json.Unmarshal([]byte(answered.body), &link); err != nil || answered.status != http.StatusCreated {
			t.Fatalf("%d %s: %v", answered.status, answered.body, err)
		}
		return link.URL
	}

	answers := make([]answer, 20)
	var asking sync.WaitGroup
	for i := range answers {
		asking.Go(func() { answers[i] = issue([]*instance{a, b}[i%2], "at once", "") })
	}
	asking.Wait()
	token := strings.TrimPrefix(urlOf(answers[0]), a.public+"/")
	for i, answered := range answers {
		if !strings.HasSuffix(urlOf(answered), "/"+token) {
			t.Errorf("try %d was given another link", i)
		}
	}
	if n := links(); n != 1 {
		t.Fatalf("%d links, want 1", n)
	}

	proxy.Lose.Store(true)
	lost := issue(a, "lost", "")
	proxy.Lose.Store(false)
	wantProblem(t, lost, http.StatusServiceUnavailable, "", "unavailable")
	if proxy.Lost.Load() == 0 {
		t.Fatal("no reply was lost")
	}
	again := urlOf(issue(a, "lost", ""))
	if answered := get(t, http.MethodGet, again); answered.status != http.StatusFound {
		t.Errorf("the link of the retry: %d", answered.status)
	}
	if n := links(); n != 2 {
		t.Errorf("%d links, want 2", n)
	}

	wantProblem(t, issue(b, "at once", `,"note":"another"`), http.StatusConflict, "", "idempotency_conflict")
	for where, text := range a.traces(t, in) {
		if strings.Contains(text, token) || strings.Contains(text, again[strings.LastIndexByte(again, '/')+1:]) {
			t.Errorf("a token is in %s", where)
		}
	}
}
