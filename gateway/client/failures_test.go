package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyhole/gateway/api"
)

func TestReadyAndAlive(t *testing.T) {
	t.Parallel()
	_, notReady := newServer(t, http.StatusServiceUnavailable, api.MediaType,
		`{"ready":false,"redis":"away","storages":{"main":"ok"}}`)
	if r, err := notReady.Ready(t.Context()); err != nil || r.Ready || r.Redis != "away" || r.Storages["main"] != "ok" {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := notReady.Alive(t.Context()); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("alive: got %v", err)
	}
	_, missing := newServer(t, http.StatusNotFound, api.ProblemType, `{"code":"not_found"}`)
	_, ready := missing.Ready(t.Context())
	for _, err := range []error{ready, missing.Alive(t.Context())} {
		if !errors.Is(err, ErrNotKeyhole) || !strings.Contains(err.Error(), "404") {
			t.Errorf("got %v", err)
		}
	}
	for _, body := range []string{"<html>", `{"status":"UP"}`} {
		_, another := newServer(t, http.StatusOK, api.MediaType, body)
		if _, err := another.Ready(t.Context()); !errors.Is(err, ErrNotKeyhole) {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := New(base, key)
	if err != nil {
		t.Fatal(err)
	}
	_, list := c.List(t.Context(), ListOptions{Prefix: "prefix-canary"})
	_, ready := c.Ready(t.Context())
	for _, err := range []error{list, ready, c.Alive(t.Context())} {
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), base) ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("got %v", err)
		}
		var failed *url.Error
		if errors.As(err, &failed) {
			t.Errorf("the URL is in %v", err)
		}
	}
}

func TestAnswerThatDoesNotCome(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	c, err := New(s.URL, key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	go func() {
		<-begun
		cancel()
	}()
	if _, err := c.Show(ctx, "x"); !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
