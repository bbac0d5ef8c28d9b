package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// refusal is an answer of a service, or of a proxy in front of it, that is no page of events.
type refusal struct {
	status     int
	retryAfter string
	proxy      bool
	cut        bool // the body ends before its length
}

// refusing is an operator API that first gives each of the refusals and then one event
// a page. It notes when it was asked.
type refusing struct {
	mu       sync.Mutex
	refusals []refusal
	asked    []time.Time
	enough   func() // called when an event has been shown for certain
}

func (s *refusing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	if len(s.refusals) > 0 {
		no := s.refusals[0]
		s.refusals = s.refusals[1:]
		no.write(w)
		return
	}
	w.Header().Set("Content-Type", api.MediaType)
	if strings.Contains(r.URL.Path, "/links/") {
		_ = json.NewEncoder(w).Encode(api.Link{ID: gateway.ID{}.String()})
		return
	}
	if r.URL.Query().Get("cursor") != "" {
		s.enough()
	}
	_ = json.NewEncoder(w).Encode(api.EventPage{Events: []api.Event{{Kind: "issued", Reason: "an event"}}, Next: "next"})
}

func (no refusal) write(w http.ResponseWriter) {
	if no.retryAfter != "" {
		w.Header().Set("Retry-After", no.retryAfter)
	}
	if no.cut {
		w.Header().Set("Content-Length", "1000")
	}
	w.WriteHeader(no.status)
	if no.cut {
		_, _ = io.WriteString(w, `{"events":[`)
		return
	}
	if no.proxy {
		_, _ = io.WriteString(w, "<html>no")
		return
	}
	code := map[int]gateway.Code{401: gateway.CodeUnauthorized, 429: gateway.CodeRateLimited, 500: "internal"}[no.status]
	_ = json.NewEncoder(w).Encode(api.Problem{Status: no.status, Code: string(code), Detail: "not now"})
}

// TestFollowOutlivesRefusals lets a service and a proxy in front of it refuse those who
// follow, for a while: they wait as long as they are told, say so, and go on.
func TestFollowOutlivesRefusals(t *testing.T) {
	t.Parallel()
	all := []refusal{
		{status: 429, retryAfter: "2"},
		{status: 502, proxy: true},
		{status: 429, retryAfter: "2", proxy: true},
		{status: 503, retryAfter: "2", proxy: true},
		{status: 500},
		{status: 200, cut: true},
	}
	// All wait at the same time; subtests would wait two at a time on two processors.
	var following sync.WaitGroup
	for _, follow := range [][]string{{"audit"}, {"events", gateway.ID{}.String()}} {
		for i := range all {
			following.Go(func() { followThrough(t, follow, all[i]) })
		}
	}
	following.Wait()
}

// followThrough runs a command with --follow against a service that refuses its first
// request.
func followThrough(t *testing.T, follow []string, no refusal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	service := &refusing{refusals: []refusal{no}, enough: cancel}
	server := httptest.NewServer(service)
	defer server.Close()
	var out, diagnosis strings.Builder
	code := runCLI(ctx, append(slices.Clone(follow), "--follow", "--json"), command.Env{
		Stdout: &out, Stderr: &diagnosis, Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
	})
	if code != command.ExitOK || !strings.Contains(out.String(), "an event") {
		t.Errorf("%s %+v: exit %d, %s%s", follow[0], no, code, &out, &diagnosis)
		return
	}
	if !strings.Contains(diagnosis.String(), "still following") {
		t.Errorf("%s %+v: it says %q", follow[0], no, diagnosis.String())
	}
	service.mu.Lock()
	defer service.mu.Unlock()
	waited := service.asked[1].Sub(service.asked[0])
	if no.retryAfter != "" && waited < 2*time.Second {
		t.Errorf("%s %+v: asked again after %v, told to wait for 2s", follow[0], no, waited)
	}
}

// TestFollowEndsOnRefusals gives a refusal that a later request would get too. It ends the
// command.
func TestFollowEndsOnRefusals(t *testing.T) {
	t.Parallel()
	for _, no := range []refusal{{status: 401}, {status: 404, proxy: true}} {
		server := httptest.NewServer(&refusing{
			refusals: []refusal{no},
			enough:   func() { t.Errorf("%d: it went on", no.status) },
		})
		t.Cleanup(server.Close)
		var out strings.Builder
		code := runCLI(t.Context(), []string{"audit", "--follow"}, command.Env{
			Stdout: &out, Stderr: &out, Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		if code != command.ExitFailed {
			t.Errorf("%d: exit %d, %s", no.status, code, &out)
		}
	}
}

// Following asks for new events only, oldest first, unless --since names a time, and goes on
// behind the cursor of the last page. The header comes first, before there are any events.
func TestFollowPrintsRows(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"audit", "--follow"}, {"audit", "--follow", "--since", "2026-11-01"}} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var asked []string // the service is asked by one command, one request after another
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			asked = append(asked, q.Get("since")+" "+q.Get("order")+" "+q.Get("cursor"))
			page := api.EventPage{Events: []api.Event{testEvent("issued")}, Next: "c1", More: true}
			if q.Get("cursor") == "c1" {
				page = api.EventPage{Events: []api.Event{testEvent("revoked")}, Next: "c2", More: true}
			}
			if q.Get("cursor") == "c2" {
				cancel()
			}
			w.Header().Set("Content-Type", api.MediaType)
			_ = json.NewEncoder(w).Encode(page) // the command may have ended
		}))
		var out, diagnosis strings.Builder
		code := runCLI(ctx, args, command.Env{
			Stdout: &out, Stderr: &diagnosis, Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		server.Close() // waits for the last request, so asked is complete
		lines := strings.Split(out.String(), "\n")
		if code != command.ExitOK || diagnosis.Len() > 0 || len(lines) < 4 {
			t.Fatalf("%q: exit %d, %s%s", args, code, &out, &diagnosis)
		}
		for i, want := range []string{"TIME ", " issued ", " revoked "} {
			has(t, lines[i], want)
		}
		since := "now"
		if len(args) > 2 {
			since = "2026-11-01T00:00:00Z"
		}
		if len(asked) != 3 || asked[0] != since+" oldest " || !strings.HasSuffix(asked[1], " oldest c1") {
			t.Errorf("%q: asked %q", args, asked)
		}
	}
}
