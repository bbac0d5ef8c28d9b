package console

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
)

const (
	// healthTimeout is the time limit of a check of the installation.
	healthTimeout = 30 * time.Second
	// healthAge is the age below which a report is reused instead of another check.
	healthAge = 10 * time.Second
)

// The levels of a Finding.
const (
	LevelOK = "ok"
	// LevelWarning means that the service works, but a setting is weaker than recommended.
	LevelWarning = "warning"
	// LevelFailure means that requests fail, or that objects are not protected.
	LevelFailure = "failure"
)

// Finding is the result of one check of the installation, as keyhole doctor prints it. Its
// texts contain no secret, signature or signed URL.
type Finding struct {
	Subject string // redis, oidc, public, a storage, or storage:bucket
	Check   string // the name of the check, such as reachable
	Level   string // LevelOK, LevelWarning or LevelFailure
	Message string
	Do      string // what to do; empty for a finding that is ok
}

// HealthReport is the state of the service and of what it depends on.
type HealthReport struct {
	Findings            []Finding
	Revision, GoVersion string // of the build; they may be empty
	Reload              ReloadState
}

// ReloadState is the result of the last attempt to reload the configuration.
type ReloadState struct {
	At     time.Time // zero: the configuration is the one of the start
	Failed bool
	Reason string // of a failure
	// NeedRestart are the keys that have changed and apply only after a restart.
	NeedRestart []string
}

// healthView is the view of health.html.
type healthView struct {
	At                  moment
	Groups              []findingGroup
	Checks              int
	Warnings, Failures  int
	Failed              bool // the check itself has failed
	Incomplete          bool // the time was over before the end of the check
	Version             string
	Revision, GoVersion string
	Reload              ReloadState
	ReloadAt            moment
}

// findingGroup is the findings about one subject.
type findingGroup struct {
	Name     string
	Findings []findingRow
}

// findingRow is a finding in a table.
type findingRow struct {
	Finding
	State stateView
}

// checkedReport is a report with the time of its check.
type checkedReport struct {
	HealthReport
	at         time.Time
	err        error // the check could not run
	incomplete bool
}

// healthChecks runs one check of the installation at a time. All requests share the result.
// It is safe for concurrent use.
type healthChecks struct {
	check func(context.Context) (HealthReport, error)
	now   func() time.Time
	log   *slog.Logger
	mu    sync.Mutex
	last  *checkedReport
	done  chan struct{} // is closed when the running check has ended; nil: none is running
}

// report returns the last report, if there is one and it is younger than age, or else the
// report of a new check, or of one that is running. A check goes on if the request that
// began it has ended, because others may wait for it.
func (h *healthChecks) report(ctx context.Context, age time.Duration) (*checkedReport, error) {
	h.mu.Lock()
	if last := h.last; last != nil && h.now().Sub(last.at) < age {
		h.mu.Unlock()
		return last, nil
	}
	if h.done == nil {
		h.done = make(chan struct{})
		// WithoutCancel also drops the deadline of the request; healthTimeout bounds the check.
		go h.run(context.WithoutCancel(ctx), h.done)
	}
	done := h.done
	h.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last, nil
}

// run makes one check and stores its result.
func (h *healthChecks) run(ctx context.Context, done chan struct{}) {
	bounded, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	result := &checkedReport{}
	result.HealthReport, result.err = h.guarded(bounded)
	result.at, result.incomplete = h.now(), bounded.Err() != nil
	if result.err != nil {
		h.log.Error("health check failed", "error", result.err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last, h.done = result, nil
	close(done)
}

// guarded calls check and turns a panic into an error, because the check runs outside of a
// request and nothing else would recover it. It logs the stack and not the value, which may
// contain a secret.
func (h *healthChecks) guarded(ctx context.Context) (report HealthReport, err error) {
	defer func() {
		if recover() != nil {
			h.log.Error("health check panicked", "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return h.check(ctx)
}

// showHealth answers GET /console/health: the last report, however old. The first request
// waits for a check.
// A GET must not start a check each time, because browsers may prefetch and reload a page.
func (c *Console) showHealth(ctx echo.Context) error { return c.renderHealth(ctx, math.MaxInt64) }

// checkHealth answers POST /console/health: a report that is at most healthAge old.
func (c *Console) checkHealth(ctx echo.Context) error { return c.renderHealth(ctx, healthAge) }

// renderHealth answers with a report younger than age, or after a POST with its page.
func (c *Console) renderHealth(ctx echo.Context, age time.Duration) error {
	if c.health == nil {
		return echo.ErrNotFound
	}
	actor := actorOf(ctx)
	// The findings name every storage and bucket, also those outside of a key's scope.
	if !actor.Unrestricted() {
		return gateway.Errorf(gateway.CodeForbidden,
			"only an operator key with the objects \"*\" may see the health of the service")
	}
	report, err := c.health.report(ctx.Request().Context(), age)
	if err != nil {
		return err
	}
	// 303 makes the browser send GET (RFC 9110 section 15.4.4), so that reloading the page
	// does not start another check.
	if ctx.Request().Method == http.MethodPost {
		return ctx.Redirect(http.StatusSeeOther, base+"/health")
	}
	return c.render(ctx, http.StatusOK, "health", document{
		Title: "Health", Section: sectionHealth, View: healthViewOf(report, c.o.Version, c.o.Now()),
	})
}

// healthViewOf returns a report as its page shows it.
func healthViewOf(report *checkedReport, version string, now time.Time) healthView {
	view := healthView{
		At: newMoment(report.at, now), Failed: report.err != nil, Incomplete: report.incomplete,
		Checks: len(report.Findings), Version: version, Revision: report.Revision, GoVersion: report.GoVersion,
		Reload: report.Reload, ReloadAt: newMoment(report.Reload.At, now),
	}
	subject := ""
	for i, f := range report.Findings {
		if i == 0 || f.Subject != subject {
			subject = f.Subject
			view.Groups = append(view.Groups, findingGroup{Name: subjectName(f.Subject)})
		}
		row := findingRow{Finding: f, State: stateView{f.Level, "check", "good"}}
		switch f.Level {
		case LevelWarning:
			view.Warnings++
			row.State = stateView{f.Level, "triangle-alert", "warn"}
		case LevelFailure:
			view.Failures++
			row.State = stateView{f.Level, "circle-x", "bad"}
		}
		last := &view.Groups[len(view.Groups)-1]
		last.Findings = append(last.Findings, row)
	}
	return view
}

// subjectName returns the subject of findings in words.
func subjectName(subject string) string {
	storage, bucket, ofBucket := strings.Cut(subject, ":")
	switch {
	case subject == "redis":
		return "Redis"
	case subject == "oidc":
		return "Identity provider"
	case subject == "public":
		return "Public address"
	case ofBucket:
		return "Bucket " + bucket + " in storage " + storage
	}
	// The doctor writes this prefix before the name of a storage that would look like one of
	// the subjects above.
	return "Storage " + strings.TrimPrefix(storage, "storage/")
}
