package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// someLinks returns n live links.
func someLinks(n int) []api.Link {
	found := make([]api.Link, n)
	for i := range found {
		found[i] = testLink()
		found[i].ID, found[i].Key = gateway.ID{byte(i + 1)}.String(), fmt.Sprintf("exports/%d", i+1)
	}
	return found
}

// --dry-run lists the live links that would be revoked, with their number as the last line.
func TestRevokeDryRunLists(t *testing.T) {
	t.Parallel()
	answers := func(n int) *fakeAPI {
		return &fakeAPI{answers: map[string]any{
			"POST /api/v1/revocations": api.Revocation{Matched: n, Done: true},
			"GET /api/v1/links":        api.LinkPage{Links: someLinks(n)},
		}}
	}
	f := answers(2)
	got := runOver(t, f, "revoke", "--bucket", "reports", "--prefix", "exports/", "--label", "team=a", "--dry-run")
	if got.code != command.ExitOK || got.stderr != "" || !strings.HasSuffix(got.stdout, "\n2 links would be revoked\n") {
		t.Errorf("%+v", got)
	}
	has(t, got.stdout, "EXPIRES", "CLICKS", gateway.ID{2}.String(), "s3://reports/exports/2")
	if want := "GET /api/v1/links?bucket=reports&label=team%3Da&limit=50&prefix=exports%2F&" +
		"state=active%2Cpaused%2Cnot_yet"; f.requests[1].line != want {
		t.Errorf("listed by %s, want %s", f.requests[1].line, want)
	}
	got = runOver(t, answers(2), "revoke", "--all", "--dry-run", "--json")
	var whole revocationItems
	if err := json.Unmarshal([]byte(got.stdout), &whole); err != nil || whole.Matched != 2 || len(whole.Items) != 2 {
		t.Errorf("--json: %v, %+v", err, got)
	}
	got = runOver(t, answers(2), "revoke", "--all", "--dry-run", "--ndjson")
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], `"key":"exports/2"`) ||
		lines[2] != `{"matched":2,"revoked":0,"done":true}` {
		t.Errorf("--ndjson: %+v", got)
	}
	f = answers(2)
	runOver(t, f, "revoke", "--state", "used_up", "--dry-run")
	if line := f.requests[1].line; !strings.HasSuffix(line, "&state=used_up") {
		t.Errorf("--state: listed by %s", line)
	}
}

// A key that may revoke but not read links still counts them, and says why it lists none.
func TestRevokeDryRunWithoutTheRightToRead(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"POST /api/v1/revocations": api.Revocation{Matched: 2, Done: true},
		"GET /api/v1/links":        api.Problem{Status: 403, Code: "forbidden", Detail: "this key may not read"},
	}}
	got := runOver(t, f, "revoke", "--all", "--dry-run")
	if got != (result{0, "2 links would be revoked\n", "note: the links cannot be listed: this key may not read\n"}) {
		t.Errorf("%+v", got)
	}
}

// The question shows the first ten links.
func TestRevokeQuestionShowsLinks(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"POST /api/v1/revocations": api.Revocation{Matched: 12, Revoked: 12, Done: true},
		"GET /api/v1/links":        api.LinkPage{Links: someLinks(10), Next: "n"},
	}}
	got := runAt(t, f, "n\n", true, "revoke", "--bucket", "reports")
	if got.code != command.ExitFailed || got.stdout != "" {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, "s3://reports/exports/1\n", "s3://reports/exports/10\n",
		"Revoke 12 links to objects of s3://reports? ")
	if !slices.Contains(f.lines(), "GET /api/v1/links?bucket=reports&limit=10&state=active%2Cpaused%2Cnot_yet") {
		t.Errorf("sent %q", f.lines())
	}
}

// A link that was revoked before is reported as such; another end is reported as it is.
func TestRevokeSaysAlreadyRevoked(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{"revoked": "already revoked", "expired": "expired"} {
		link := testLink()
		link.State, link.Notes = state, []api.Note{{Code: gateway.NoteEndedBefore, Message: "the link had ended before"}}
		f := &fakeAPI{answers: map[string]any{"DELETE /api/v1/links/" + testID(): link}}
		got := runOver(t, f, "revoke", testID())
		if got.code != command.ExitOK || !strings.HasPrefix(got.stdout, testID()+" "+want+" s3://") {
			t.Errorf("%s: %+v", state, got)
		}
	}
}
