//go:build system

package system

import (
	"crypto/rand"
	"net/http"
	"sync"
	"testing"

	"keyhole/gateway"
)

// TestMissesOverTheWire guesses 800 tokens at the same time, over connections of their
// own and with a real Redis: no more than 60 are told that there is no such link. The
// holder of a wrong operator key meets the limit of those.
func TestMissesOverTheWire(t *testing.T) {
	in := install(t)
	g := in.start()
	client := unfollowed()
	atOnce := func(n int, request func() (*http.Request, error)) map[int]int {
		t.Helper()
		var begin, ended sync.WaitGroup
		var mu sync.Mutex
		statuses := map[int]int{}
		begin.Add(n)
		for range n {
			ended.Go(func() {
				r, err := request()
				begin.Done()
				begin.Wait()
				if err != nil {
					t.Error(err)
					return
				}
				a, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				defer a.Body.Close()
				if (a.StatusCode == http.StatusTooManyRequests) != (a.Header.Get("Retry-After") != "") {
					t.Errorf("%d with Retry-After %q", a.StatusCode, a.Header.Get("Retry-After"))
				}
				mu.Lock()
				defer mu.Unlock()
				statuses[a.StatusCode]++
			})
		}
		ended.Wait()
		return statuses
	}
	unknown := atOnce(800, func() (*http.Request, error) {
		token, err := gateway.NewToken(rand.Reader)
		if err != nil {
			return nil, err
		}
		return http.NewRequestWithContext(t.Context(), http.MethodGet, g.public+"/"+token, nil)
	})
	if unknown[404] != 60 || unknown[404]+unknown[429] != 800 {
		t.Errorf("unknown tokens were answered %v, want 60 of 404 and 429 for the rest", unknown)
	}
	keys := atOnce(200, func() (*http.Request, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.operator+"/api/v1/links", nil)
		if err == nil {
			r.Header.Set("Authorization", "Bearer khk_"+rand.Text())
		}
		return r, err
	})
	if keys[401] != gateway.MaxKeyFailures || keys[401]+keys[429] != 200 {
		t.Errorf("wrong keys were answered %v, want %d of 401 and 429 for the rest", keys, gateway.MaxKeyFailures)
	}
}
