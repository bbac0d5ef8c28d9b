package cli

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// serve serves a fake operator API until the test ends, and returns a client of it.
func serve(t *testing.T, f *fakeAPI) *client.Client {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, "khk_test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// objectPage answers a search for the object q3.pdf.
func objectPage(sensitive bool) api.ObjectPage {
	size, modified := int64(1536), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	return api.ObjectPage{Bucket: "reports", Objects: []api.ObjectEntry{
		{Key: "q3.pdf", Size: &size, LastModified: &modified, Sensitive: sensitive},
	}}
}

// noLife is the life of a link whose sensitivity decides it.
func noLife() string { return "" }

// Only a clear answer is taken; Enter means that the answer is not known.
func TestAskSensitivity(t *testing.T) {
	t.Parallel()
	forbidden := api.Problem{Status: 403, Code: string(gateway.CodeForbidden), Detail: "this key may not browse"}
	for name, tt := range map[string]struct {
		page    any
		typed   string
		want    *bool
		asked   int // how often the question is printed
		mention string
	}{
		"yes":             {objectPage(false), "y\n", new(true), 1, "size      1.5 KiB (1536 bytes)"},
		"no, in capitals": {objectPage(false), " NO \n", new(false), 1, "modified  2026-11-01T00:00:00Z"},
		"not known":       {objectPage(false), "\n", nil, 1, "or Enter if you do not know"},
		"unclear first":   {objectPage(false), "maybe\nq\nyes\n", new(true), 3, "Share     s3://reports/q3.pdf"},
		// The policy has decided, so the answer would change nothing.
		"by the policy": {objectPage(true), "n\n", nil, 0, ""},
		// The issue will say that the object does not exist.
		"no such object": {api.ObjectPage{Bucket: "reports"}, "y\n", nil, 0, ""},
		// A key may issue without browsing: the question needs no properties.
		"may not browse": {forbidden, "y\n", new(true), 1, "Share     s3://reports/q3.pdf"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, &fakeAPI{answers: map[string]any{"GET /api/v1/objects": tt.page}})
			var stderr strings.Builder
			env := &command.Env{Stdin: strings.NewReader(tt.typed), Stderr: &stderr}
			got, err := askSensitivity(t.Context(), env, c, &api.IssueRequest{Bucket: "reports", Key: "q3.pdf"}, noLife)
			if err != nil || (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
				t.Errorf("got %v, %v", got, err)
			}
			if n := strings.Count(stderr.String(), "Is the object sensitive"); n != tt.asked {
				t.Errorf("asked %d times, want %d:\n%s", n, tt.asked, stderr.String())
			}
			has(t, stderr.String(), tt.mention)
		})
	}
}

// Without an answer nothing is shared: the end of the input, and Ctrl-C, are not "no".
func TestAskSensitivityWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	c := serve(t, &fakeAPI{answers: map[string]any{"GET /api/v1/objects": objectPage(false)}})
	request := &api.IssueRequest{Bucket: "reports", Key: "q3.pdf"}
	env := &command.Env{Stdin: strings.NewReader("y"), Stderr: io.Discard} // without a line break
	var known *command.Error
	if got, err := askSensitivity(t.Context(), env, c, request, noLife); got != nil || !errors.As(err, &known) ||
		known.Code != command.ExitFailed || !strings.Contains(known.Hint, "--yes") {
		t.Errorf("got %v, %v", got, err)
	}
	broken := serve(t, &fakeAPI{answers: map[string]any{
		"GET /api/v1/objects": api.Problem{Status: 503, Code: "unavailable", Detail: "Redis is unreachable"},
	}})
	if _, err := askSensitivity(t.Context(), env, broken, request, noLife); err == nil ||
		!strings.Contains(err.Error(), "Redis is unreachable") {
		t.Errorf("got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := askSensitivity(ended, env, c, request, noLife); err == nil {
		t.Error("an interrupted question has an answer")
	}
}

// The checklist says what was shared, for whom, how long and why, and how to undo it.
func TestChecklist(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		request api.IssueRequest
		change  func(*api.Link)
		want    []string
		never   string
	}{
		"plain": {
			api.IssueRequest{},
			func(*api.Link) {},
			[]string{
				`Shared    s3://reports/q3\x1b.pdf`, "  saved as  q3.pdf\n", "(business, because sensitivity was not stated)",
				"  for       anyone with the link\n", "  label     case=7\n  label     team=a\n", "  note      a note\n",
				"  then      the link stops working; the object stays private\n",
			},
			"state",
		},
		"inline": {
			api.IssueRequest{ExpiresIn: "1h"},
			func(l *api.Link) { l.Disposition = gateway.DispositionInline },
			[]string{"  shown     in the browser, as q3.pdf\n", "in 1h (as requested)"},
			"saved as",
		},
		"sensitive by the policy": {
			api.IssueRequest{},
			func(l *api.Link) { l.Sensitive = new(true) },
			[]string{"sensitive yes: the policy's sensitive_objects says so", "because the object is sensitive"},
			"not stated",
		},
		"an earlier request, ended": {
			api.IssueRequest{},
			func(l *api.Link) { l.State, l.ExpiresAt = "expired", now.Add(-time.Minute) },
			[]string{"  state     expired: an earlier request issued the link", ", already ("},
			"",
		},
		"unknown properties": {
			api.IssueRequest{},
			func(l *api.Link) { l.Object = api.Object{}; l.Labels = nil; l.Note = "" },
			[]string{"  size      -\n", "  type      -\n", "  modified  -\n"},
			"label",
		},
		"a language": {
			api.IssueRequest{Language: "de"},
			func(l *api.Link) { l.Language = "de" },
			[]string{"  language  German (de)\n"},
			"",
		},
		"a notice": {
			api.IssueRequest{},
			func(l *api.Link) {
				l.Notes = []api.Note{{Code: "etag_only", Message: "the bucket keeps no versions"}}
			},
			[]string{"  notice    the bucket keeps no versions (etag_only)\n"},
			"",
		},
		"restricted": {
			api.IssueRequest{},
			func(l *api.Link) { l.Passphrase, l.Allow = true, []string{"192.0.2.0/24"} },
			[]string{"anyone with the link and the passphrase", "  only from 192.0.2.0/24\n"},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			link := testLink()
			link.ExpiresAt = now.Add(time.Hour)
			tt.change(&link)
			var b strings.Builder
			checklist(&b, &tt.request, &link, explain.ExpiryReason(&tt.request, &link), now)
			has(t, b.String(), append(tt.want, "  undo      keyhole revoke "+testID())...)
			if tt.never != "" && strings.Contains(b.String(), "  "+tt.never+" ") {
				t.Errorf("%q is in:\n%s", tt.never, b.String())
			}
		})
	}
}

// A link is printed with one property on each line, without those that it does not have.
func TestPrintLink(t *testing.T) {
	t.Parallel()
	link := testLink()
	link.Sensitive, link.Passphrase = new(false), true
	var b strings.Builder
	if err := term.PrintTable(&b, linkRows(&link)); err != nil {
		t.Fatal(err)
	}
	has(t, b.String(), "id         "+testID(), "size       1.5 KiB (1536 bytes)\n", "saved as   q3.pdf (attachment)\n",
		"created    2026-11-01T00:00:00Z by ci\n", "sensitive  no\n", "clicks     2\nlast used  never\n",
		"uses       at most 3\n",
		"asks for   a passphrase\n", "label      case=7\nlabel      team=a\n")
	used := time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC)
	link.LastUsedAt = &used
	var again strings.Builder
	if err := term.PrintTable(&again, linkRows(&link)); err != nil {
		t.Fatal(err)
	}
	has(t, again.String(), "last used  2026-11-02T03:04:05Z\n")
	for _, absent := range []string{"revoked", "reason", "begins", "only from"} {
		if strings.Contains(b.String(), "\n"+absent) {
			t.Errorf("%s is in:\n%s", absent, b.String())
		}
	}
}
