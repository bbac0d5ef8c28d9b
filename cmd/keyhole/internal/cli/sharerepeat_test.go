package cli

import (
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// A repeat with an idempotency key says that the link is not new. If the link has ended
// meanwhile, the last line says so.
func TestShareRepeated(t *testing.T) {
	t.Parallel()
	const said = " was issued 2h ago by an earlier request with this --idempotency-key\n"
	for name, tt := range map[string]struct {
		age   time.Duration
		state gateway.State
		args  string
		want  bool
	}{
		// The clocks of Redis and of the service may differ, and the service may be slow.
		"new":                     {-10 * time.Second, gateway.StateActive, "--idempotency-key k", false},
		"earlier":                 {2 * time.Hour, gateway.StateActive, "--idempotency-key k", true},
		"earlier, ended":          {2 * time.Hour, gateway.StateExpired, "--idempotency-key k", true},
		"earlier, ended, quietly": {2 * time.Hour, gateway.StateExpired, "--idempotency-key k --quiet", false},
		"a slow answer":           {2 * time.Hour, gateway.StateActive, "", false},
		"several":                 {2 * time.Hour, gateway.StateRevoked, "s3://reports/b --idempotency-key k", true},
	} {
		link := testLink()
		link.State, link.CreatedAt = string(tt.state), time.Now().Add(-tt.age)
		f := &fakeAPI{answers: map[string]any{
			"POST /api/v1/links": link,
			"POST /api/v1/links:batch": api.Batch{Results: []api.BatchResult{
				{Status: 201, Link: &link}, {Status: 201, Link: &link},
			}},
		}}
		got := runOver(t, f, append([]string{"share", "s3://reports/a"}, strings.Fields(tt.args)...)...)
		if got.code != command.ExitOK || strings.Contains(got.stderr, said) != tt.want {
			t.Errorf("%s: %+v", name, got)
		}
		if strings.Contains(got.stderr, " was issued ") != tt.want {
			t.Errorf("%s: %q", name, got.stderr)
		}
		lines := strings.Split(strings.TrimSpace(got.stderr), "\n")
		ended := strings.HasPrefix(lines[len(lines)-1], "warning: an earlier request issued ")
		if ended == (tt.state == gateway.StateActive) {
			t.Errorf("%s: the last line is %q", name, lines[len(lines)-1])
		}
	}
}
