package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway/console"
)

// startExamined starts a server whose console shows the findings of examine.
func startExamined(t *testing.T, cfg *config.Config, examine Examiner) *Server {
	t.Helper()
	s := New(cfg, NewLog(config.Log{Level: "info", Format: "text"}, io.Discard), command.Build{
		Version: "test", Revision: "abc123", GoVersion: "go1.26",
	})
	s.SetExaminer(examine)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// healthPage signs in with a key and returns the page about the health of the service.
func healthPage(t *testing.T, s *Server, key string) answer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Jar: jar}
	base := "http://" + s.OperatorAddr() + "/console/"
	form := strings.NewReader(url.Values{"key": {key}, "return": {"/console/health"}}.Encode())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"sign-in", form)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// The console shows what the examiner finds, for the configuration in force, with the build.
func TestConsoleHealth(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	s := startExamined(t, cfg, func(_ context.Context, c *config.Config) ([]console.Finding, error) {
		return []console.Finding{{
			Subject: "redis", Check: "reachable", Level: console.LevelOK, Message: "at " + c.Policy.MaxExpiry.String(),
		}}, nil
	})
	changed := *cfg
	changed.Policy.MaxExpiry += 1
	if err := s.Reload(t.Context(), &changed); err != nil {
		t.Fatal(err)
	}
	page := healthPage(t, s, key)
	for _, want := range []string{"at " + changed.Policy.MaxExpiry.String(), "abc123", "go1.26", "not reloaded since"} {
		if page.status != http.StatusOK || !strings.Contains(page.body, want) {
			t.Errorf("%d, the page lacks %q: %s", page.status, want, page.body)
		}
	}
}

// Without an examiner there is no such page.
func TestConsoleWithoutHealth(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	if page := healthPage(t, startServer(t, cfg, io.Discard), key); page.status != http.StatusNotFound {
		t.Errorf("got %d", page.status)
	}
}

// A stopping server ends a running check.
func TestHealthEndsWithServer(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	s := New(cfg, NewLog(config.Log{}, io.Discard), command.Build{})
	s.SetExaminer(func(ctx context.Context, _ *config.Config) ([]console.Finding, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	background, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.checkHealth(background)(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The report has the result of the last reload.
func TestHealthShowsReload(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	next := *cfg
	next.Redis.Prefix = "other"
	var failure error
	r, _ := startReloader(t, cfg, func() (*config.Config, []config.Warning, error) { return &next, nil, failure })
	r.server.SetExaminer(func(context.Context, *config.Config) ([]console.Finding, error) { return nil, nil })
	state := func() console.ReloadState {
		t.Helper()
		report, err := r.server.checkHealth(t.Context())(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return report.Reload
	}
	if got := state(); !got.At.IsZero() || got.Failed {
		t.Errorf("before a reload: %+v", got)
	}
	r.reload(t.Context())
	if got := state(); got.At.IsZero() || got.Failed || !slices.Equal(got.NeedRestart, []string{"redis.prefix"}) {
		t.Errorf("after a reload: %+v", got)
	}
	failure = config.Problems{{Path: "redis.mode", Message: "is unknown"}}
	r.reload(t.Context())
	if got := state(); !got.Failed || !strings.Contains(got.Reason, "redis.mode") {
		t.Errorf("after a failed reload: %+v", got)
	}
}
