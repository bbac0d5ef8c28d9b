package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// numbered is a page of events that are told apart by their reasons.
func numbered(t *testing.T, next string, more bool, reasons ...int) wireAnswer {
	t.Helper()
	page := api.EventPage{Events: []api.Event{}, Next: next, More: more}
	for _, n := range reasons {
		event := testEvent("revoked")
		event.Reason = strconv.Itoa(n)
		page.Events = append(page.Events, event)
	}
	text, err := json.Marshal(page)
	if err != nil {
		t.Fatal(err)
	}
	return wireAnswer{body: string(text)}
}

// reasonsOf returns the reasons of events that were printed as lines.
func reasonsOf(t *testing.T, lines string) string {
	t.Helper()
	var reasons []string
	for line := range strings.Lines(lines) {
		var event api.Event
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Errorf("%v in %s", err, line)
		}
		reasons = append(reasons, event.Reason)
	}
	return strings.Join(reasons, " ")
}

// An export prints each event once, asks for no event that it would not print, and keeps its
// filters on all pages. With --oldest a cursor follows the last page too, so only the page
// says whether there are more events.
func TestAuditExport(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args    string
		answers []wireAnswer
		want    string   // the reasons of the events
		queries []string // limit and cursor of each request
		cut     string   // says that there are more
	}{
		"all, newest first": {
			"--limit 0",
			[]wireAnswer{numbered(t, "c1", true, 9, 8), numbered(t, "c2", true), numbered(t, "", false, 7)},
			"9 8 7",
			[]string{"500 ", "500 c1", "500 c2"},
			"",
		},
		"all, oldest first": {
			"--limit 0 --oldest",
			[]wireAnswer{numbered(t, "c1", true, 1, 2), numbered(t, "c2", false, 3)},
			"1 2 3",
			[]string{"500 ", "500 c1"},
			"",
		},
		"a part, oldest first": {
			"--limit 3 --oldest",
			[]wireAnswer{numbered(t, "c1", true, 1, 2), numbered(t, "c2", true, 3)},
			"1 2 3",
			[]string{"3 ", "1 c1"},
			"There may be more events: use --limit 6, or --limit 0 for all.\n",
		},
		"a part, newest first": {
			"--limit 2",
			[]wireAnswer{numbered(t, "c1", true, 9), numbered(t, "c2", true, 8)},
			"9 8",
			[]string{"2 ", "1 c1"},
			"There may be more events: use --limit 4, or --limit 0 for all.\n",
		},
		"more than a page can have": {
			"--limit 501", []wireAnswer{numbered(t, "", false, 9)}, "9", []string{"500 "}, "",
		},
	} {
		service := &inTurn{answers: tt.answers}
		args := append([]string{"audit", "--ndjson", "--kind", "revoked", "--label", "team=a"}, strings.Fields(tt.args)...)
		got := runAgainst(t, service, args...)
		if got.code != command.ExitOK || reasonsOf(t, got.stdout) != tt.want || got.stderr != tt.cut {
			t.Errorf("%s: %+v", name, got)
		}
		var queries []string
		for _, request := range service.requests {
			q := queryOf(t, request)
			queries = append(queries, q.Get("limit")+" "+q.Get("cursor"))
			if q.Get("kind") != "revoked" || q.Get("label") != "team=a" {
				t.Errorf("%s: sent %s", name, request.line)
			}
		}
		if !slices.Equal(queries, tt.queries) {
			t.Errorf("%s: asked for %q, want %q", name, queries, tt.queries)
		}
	}
	// A document names the cursor, so it needs no message; the end of a feed has none.
	for _, tt := range []struct {
		args string
		page wireAnswer
		next string
	}{
		{"audit --json --limit 1", numbered(t, "c1", true, 9), "c1"},
		{"audit --json --oldest --limit 1", numbered(t, "c1", true, 9), "c1"},
		{"audit --json --oldest --limit 1", numbered(t, "c1", false, 9), ""},
	} {
		got := runAgainst(t, &inTurn{answers: []wireAnswer{tt.page}}, strings.Fields(tt.args)...)
		var whole document[api.Event]
		if err := json.Unmarshal([]byte(got.stdout), &whole); err != nil || whole.Next != tt.next || got.stderr != "" ||
			len(whole.Items) != 1 {
			t.Errorf("%s: %v, %+v", tt.args, err, got)
		}
	}
}

// Ages are counted back from now by this machine, because the feed takes only times. Dates
// are those of UTC.
func TestAuditTimes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args         string
		since, until string // a time, or an age
	}{
		{"--since 24h", "24h", ""},
		{"--since 7d --until 90m", "168h", "90m"},
		{"--since 2026-11-01 --until 2026-11-02T03:04:05+02:00", "2026-11-01T00:00:00Z", "2026-11-02T01:04:05Z"},
	} {
		service := &inTurn{answers: []wireAnswer{numbered(t, "", false, 1)}}
		before := time.Now()
		got := runAgainst(t, service, append([]string{"audit"}, strings.Fields(tt.args)...)...)
		if got.code != command.ExitOK {
			t.Fatalf("%s: %+v", tt.args, got)
		}
		q := queryOf(t, service.requests[0])
		for name, want := range map[string]string{"since": tt.since, "until": tt.until} {
			age, err := time.ParseDuration(want)
			if err != nil { // a time, or none
				if q.Get(name) != want {
					t.Errorf("%s: %s is %q, want %q", tt.args, name, q.Get(name), want)
				}
				continue
			}
			sent, err := time.Parse(time.RFC3339, q.Get(name))
			if late := sent.Sub(before.Add(-age)); err != nil || late < -time.Second || late > time.Minute {
				t.Errorf("%s: %s is %s, %v, %v off", tt.args, name, q.Get(name), err, late)
			}
		}
	}
}

// followed runs a command with --follow against answers, until the last of them was asked
// for twice. It returns the queries of the feed.
func followed(t *testing.T, answers []wireAnswer, args ...string) (result, []url.Values) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	service := &inTurn{answers: answers}
	asked := 0 // by one command, one request after another
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/links/") {
			fmt.Fprint(w, `{"id":"`+testID()+`"}`)
			return
		}
		if asked++; asked > len(answers) {
			cancel() // everything before has been printed
		}
		service.ServeHTTP(w, r)
	}))
	var stdout, stderr strings.Builder
	code := runCLI(ctx, args, command.Env{
		Stdout: &stdout, Stderr: &stderr, Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
	})
	server.Close() // waits for the last request
	var queries []url.Values
	for _, request := range service.requests {
		queries = append(queries, queryOf(t, request))
	}
	return result{code, stdout.String(), stderr.String()}, queries
}

// A feed that is followed is lines without a header for programs, keeps its filters, and
// goes on behind each page. The feed of a link is that of all links with a filter.
func TestFollowAsLines(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]url.Values{
		"audit --follow --json --kind revoked": {"kind": {"revoked"}},
		"audit --follow --ndjson --object s3://reports/a": {
			"bucket": {"reports"}, "key": {"a"},
		},
		"events --follow --json " + testID():   {"link": {testID()}},
		"events --follow --ndjson " + testID(): {"link": {testID()}},
	} {
		pages := []wireAnswer{numbered(t, "c1", true, 1, 2), numbered(t, "c2", true), numbered(t, "c3", true, 3)}
		got, queries := followed(t, pages, strings.Fields(args)...)
		if got.code != command.ExitOK || got.stderr != "" || !strings.HasPrefix(reasonsOf(t, got.stdout), "1 2 3") ||
			len(queries) < 3 {
			t.Errorf("%s: %+v after %d requests", args, got, len(queries))
			continue
		}
		for i, cursor := range []string{"", "c1", "c2"} {
			q := queries[i]
			if q.Get("cursor") != cursor || q.Get("order") != "oldest" || q.Get("limit") != "500" {
				t.Errorf("%s: request %d is %v", args, i+1, q)
			}
			for name := range want {
				if q.Get(name) != want.Get(name) {
					t.Errorf("%s: request %d has the %s %q", args, i+1, name, q.Get(name))
				}
			}
		}
		if since := queries[0].Get("since"); since != "now" {
			t.Errorf("%s: begins at %q", args, since)
		}
	}
}

// An outage is reported once, however long it lasts, and no event of it is lost.
func TestFollowReportsAnOutageOnce(t *testing.T) {
	t.Parallel()
	down := wireAnswer{503, `{"status":503,"code":"unavailable","detail":"Redis is away\u001b"}`, false}
	got, queries := followed(t, []wireAnswer{
		numbered(t, "c1", true, 1), down, down, numbered(t, "c2", true, 2),
	}, "audit", "--follow", "--ndjson")
	const want = `keyhole: Redis is away\x1b` + "\n  still following: retrying until the service responds\n"
	if got.code != command.ExitOK || got.stderr != want || !strings.HasPrefix(reasonsOf(t, got.stdout), "1 2") {
		t.Errorf("%+v", got)
	}
	for i, cursor := range []string{"", "c1", "c1", "c1", "c2"} {
		if i < len(queries) && queries[i].Get("cursor") != cursor {
			t.Errorf("request %d has the cursor %q, want %q", i+1, queries[i].Get("cursor"), cursor)
		}
	}
}

// interrupts is a standard error that ends the command with the first message.
type interrupts struct {
	strings.Builder
	end func()
}

func (w *interrupts) Write(p []byte) (int, error) {
	defer w.end()
	return w.Builder.Write(p)
}

// Ctrl-C ends a command that waits for the service at once and without an error.
func TestFollowIsInterruptedDuringAnOutage(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"status":503,"code":"unavailable","detail":"Redis is away"}`)
	}))
	t.Cleanup(server.Close)
	for _, args := range [][]string{{"audit", "--follow", "--json"}, {"events", "--follow", "--json", testID()}} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		stderr := &interrupts{end: cancel}
		var stdout strings.Builder
		began := time.Now()
		code := runCLI(ctx, args, command.Env{
			Stdout: &stdout, Stderr: stderr, Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		if code != command.ExitOK || stdout.Len() > 0 || time.Since(began) > 30*time.Second {
			t.Errorf("%s: exit %d after %v, %s", args[0], code, time.Since(began), stdout.String())
		}
		has(t, stderr.String(), "keyhole: Redis is away\n  still following")
	}
}

// The feed of an unknown link would stay empty for ever, so the command ends.
func TestFollowOfAnUnknownLink(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/audit": api.Problem{Status: 401, Code: "unauthorized"}}}
	got := runOver(t, f, "events", "--follow", testID())
	want := "keyhole: link " + testID() + ": there is no such link\n" +
		"  check the ID of the link; keyhole list shows the links that this key may see\n"
	if got != (result{command.ExitFailed, "", want}) || len(f.requests) != 1 {
		t.Errorf("%+v after %d requests", got, len(f.requests))
	}
}
