package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/admission"
)

// someReport is a report with a finding of each level.
func someReport() HealthReport {
	return HealthReport{
		Findings: []Finding{
			{"redis", "reachable", LevelOK, "127.0.0.1:6379 responds", ""},
			{"redis", "persistence", LevelWarning, "keeps <no> file", "set appendonly yes"},
			{"main", "credentials", LevelOK, "do not expire", ""},
			{"main:reports", "read", LevelFailure, "may not be read", "allow s3:GetObject"},
			{"oidc", "issuer", LevelOK, "responds", ""},
		},
		Revision: "abc123", GoVersion: "go1.26",
		Reload: ReloadState{
			At: time.Now(), Failed: true, Reason: "policy is wrong", NeedRestart: []string{"redis.addresses"},
		},
	}
}

// The page shows every finding with its subject and advice, the time, and the service.
func TestHealth(t *testing.T) {
	t.Parallel()
	var checks atomic.Int64
	b := newBench(t, func(o *Options) {
		o.Health = func(context.Context) (HealthReport, error) { checks.Add(1); return someReport(), nil }
	})
	c := b.signedIn(t, opsKey)
	if home := c.get("/console/objects"); home.link("Health") != "/console/health" {
		t.Error("the navigation lacks the page")
	}
	a := c.get("/console/health")
	text := words(a.page)
	for _, want := range []string{
		"1 check failed, with 1 warning, of 5.", "Redis", "Storage main", "Bucket reports in storage main",
		"Identity provider", "persistence warning keeps <no> file What to do: set appendonly yes",
		"read failure may not be read", "1.2.3", "abc123", "reload failed", "policy is wrong",
		"redis.addresses", "Checked ", " UTC",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q: %s", want, text)
		}
	}
	// The result is shared, and the button does not repeat a check of just now.
	if c.get("/console/health"); checks.Load() != 1 {
		t.Errorf("%d checks", checks.Load())
	}
	if a = c.post("/console/health", nil); a.status != http.StatusSeeOther ||
		a.header.Get("Location") != "/console/health" || checks.Load() != 1 {
		t.Errorf("the button: %d to %q, %d checks", a.status, a.header.Get("Location"), checks.Load())
	}
}

// Only operators whose scope is everything see the health of the service.
func TestHealthNeedsWholeScope(t *testing.T) {
	t.Parallel()
	called := func(context.Context) (HealthReport, error) { return HealthReport{}, errors.New("must not be called") }
	b := newBench(t, func(o *Options) { o.Health = called })
	c := b.signedIn(t, scopedKey)
	if home := c.get("/console/objects"); home.link("Health") != "" {
		t.Error("the navigation offers the page")
	}
	for _, a := range []answer{c.get("/console/health"), c.post("/console/health", nil)} {
		if a.status != http.StatusForbidden {
			t.Errorf("got %d", a.status)
		}
	}
	if log := b.log.String(); strings.Contains(log, "health check") {
		t.Errorf("a check ran: %s", log)
	}
	cross := b.signedIn(t, opsKey).do(http.MethodPost, "/console/health", nil, "Sec-Fetch-Site", "cross-site")
	if cross.status != http.StatusForbidden {
		t.Errorf("a POST of another site: %d", cross.status)
	}
}

// Without a check there is no page.
func TestNoHealth(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	if a := c.get("/console/health"); a.status != http.StatusNotFound {
		t.Errorf("got %d", a.status)
	}
	if home := c.get("/console/objects"); home.link("Health") != "" {
		t.Error("the navigation offers the page")
	}
}

// A check that fails or panics is reported on the page, and its error only in the log.
func TestHealthCheckFails(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]func(context.Context) (HealthReport, error){
		"error": func(context.Context) (HealthReport, error) { return HealthReport{}, errors.New("cause-canary") },
		"panic": func(context.Context) (HealthReport, error) { panic("value-canary") },
	} {
		b := newBench(t, func(o *Options) { o.Health = check })
		a := b.signedIn(t, opsKey).get("/console/health")
		if a.status != http.StatusOK || !strings.Contains(words(a.page), "The check could not run") ||
			strings.Contains(a.text, "canary") {
			t.Errorf("%s: %d %s", name, a.status, words(a.page))
		}
		log := b.log.String()
		if !strings.Contains(log, "health check failed") || strings.Contains(log, "value-canary") {
			t.Errorf("%s: the log is %s", name, log)
		}
	}
}

// newChecks returns checks that call check.
func newChecks(check func(context.Context) (HealthReport, error)) *healthChecks {
	return &healthChecks{check: check, now: time.Now, log: slog.New(slog.DiscardHandler)}
}

// Requests at the same time share one check, and a new one begins after ten seconds.
func TestHealthIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		checks := 0 // without a lock: the race detector notices two checks at a time
		h := newChecks(func(ctx context.Context) (HealthReport, error) {
			checks++
			time.Sleep(5 * time.Second)
			return HealthReport{}, ctx.Err()
		})
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() {
				if _, err := h.report(t.Context(), healthAge); err != nil {
					t.Errorf("report: %v", err)
				}
			})
		}
		waiting.Wait()
		if checks != 1 {
			t.Errorf("%d checks at the same time", checks)
		}
		time.Sleep(healthAge - time.Second)
		if _, err := h.report(t.Context(), healthAge); err != nil || checks != 1 {
			t.Errorf("before %s: %v, %d checks", healthAge, err, checks)
		}
		time.Sleep(time.Second)
		if _, err := h.report(t.Context(), healthAge); err != nil || checks != 2 {
			t.Errorf("after %s: %v, %d checks", healthAge, err, checks)
		}
	})
}

// A check ends after 30 seconds, and goes on if the request that began it has ended.
func TestHealthTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newChecks(func(ctx context.Context) (HealthReport, error) {
			<-ctx.Done()
			return HealthReport{Findings: []Finding{{"redis", "reachable", LevelFailure, "no response in time", ""}}}, nil
		})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := h.report(ctx, healthAge); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the first request: %v", err)
		}
		report, err := h.report(t.Context(), healthAge)
		if err != nil || !report.incomplete || time.Since(began) != healthTimeout {
			t.Fatalf("the second request: %v, %+v after %s", err, report, time.Since(began))
		}
		view := healthViewOf(report, "", time.Now())
		if !view.Incomplete || view.Failures != 1 {
			t.Errorf("the page has %+v", view)
		}
	})
}

// The page is offered to operators with the scope of everything only, also if they have no
// other right.
func TestHealthNavigation(t *testing.T) {
	t.Parallel()
	c := &Console{health: &healthChecks{}}
	for scope, want := range map[gateway.Pattern]bool{"*": true, "exports/*": false, "main:*": false} {
		session := admission.Session{Actor: &gateway.Actor{Objects: []gateway.Pattern{scope}}}
		entries := c.navigation(session.Actor, sectionHealth)
		if got := len(entries) == 1 && entries[0].Name == "Health"; got != want {
			t.Errorf("%s: %+v", scope, entries)
		}
	}
}
