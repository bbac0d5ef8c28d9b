package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeConsole is a console with three links. An operator has to sign in with the key. Pages
// refresh at an interval in milliseconds.
func fakeConsole(key string, every int) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /console/sign-in", func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("key") != key {
			http.Error(w, "wrong key", http.StatusUnauthorized)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s", Path: "/console"})
		w.WriteHeader(http.StatusSeeOther)
	})
	page := func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("session"); err != nil {
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		fmt.Fprintf(w, `<html data-refresh-every="%d">`, every)
		for i := range 3 {
			fmt.Fprintf(w, `<a href="/console/links/%s">`, strings.Repeat(string(rune('a'+i)), 26))
		}
	}
	mux.HandleFunc("GET /console/links", page)
	mux.HandleFunc("GET /console/links/{id}", page)
	return mux
}

// opened returns consoles at a server that counts the paths of the requests, with the number
// of those that are no activity of an operator.
func opened(t *testing.T, n, every int) (c *consoles, counts func() map[string]int) {
	t.Helper()
	var mu sync.Mutex
	paths := map[string]int{}
	handler := fakeConsole("key", every)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		paths[r.URL.Path]++
		if r.Header.Get("X-Keyhole-Refresh") == "1" {
			paths["refresh"]++
		}
		mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c, err := openConsoles(t.Context(), strings.TrimPrefix(server.URL, "http://"), "key", n)
	if err != nil {
		t.Fatal(err)
	}
	return c, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(paths)
	}
}

// requested waits until a page is requested.
func requested(counts func() map[string]int, path string) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); counts()[path] == 0; <-tick.C {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not requested", path)
		}
	}
	return nil
}

// TestConsolesRefresh refreshes the list and the link of every console once in an interval.
func TestConsolesRefresh(t *testing.T) {
	const every = 300
	c, counts := opened(t, 4, every)
	if c.every != every*time.Millisecond || len(c.links) != 4 || c.links[0] != c.links[3] || c.links[0] == c.links[1] {
		t.Errorf("every %v, links %q", c.every, c.links)
	}
	before := counts()
	pages, err := c.refresh(t.Context(), func() error { return requested(counts, c.links[2]) })
	after := counts()
	sum := after[listPath] - before[listPath]
	for _, path := range c.links[:3] {
		sum += after[path]
	}
	if err != nil || pages < 6 || sum != pages || after["refresh"] < pages {
		t.Errorf("%d pages, requested %v, %v", pages, after, err)
	}
}

// TestConsolesFail reports a page that is refused, and the error of the call.
func TestConsolesFail(t *testing.T) {
	c, counts := opened(t, 1, 100)
	c.links[0] = "/console/unknown"
	cause := errors.New("the load failed")
	_, err := c.refresh(t.Context(), func() error {
		return errors.Join(requested(counts, c.links[0]), cause)
	})
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "GET /console/unknown answered 404") {
		t.Errorf("got %v", err)
	}
}

// TestOpenConsolesFails does not measure beside consoles that show nothing.
func TestOpenConsolesFails(t *testing.T) {
	for name, tt := range map[string]struct {
		key   string
		every int
		want  string
	}{
		"wrong key":   {"other", 100, "POST /console/sign-in answered 401"},
		"no interval": {"key", 0, `refreshes every "0" ms`},
	} {
		server := httptest.NewServer(fakeConsole("key", tt.every))
		defer server.Close()
		address := strings.TrimPrefix(server.URL, "http://")
		if _, err := openConsoles(t.Context(), address, tt.key, 1); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
		server.Close()
		if _, err := openConsoles(context.Background(), address, "key", 1); err == nil {
			t.Errorf("%s: a server that has ended", name)
		}
	}
	if err := new(consoles).read(`<html data-refresh-every="10000">`, 0); err == nil {
		t.Error("a list without a link")
	}
}
