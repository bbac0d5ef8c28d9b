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
}

// Used-up links are counted while their downloads can be resumed. The list has others too, so
// a line takes the place of their rows, and rows and number agree.
func TestRevokeDryRunCountsUsedUpLinks(t *testing.T) {
	t.Parallel()
	answers := func(live, usedUp int) *fakeAPI {
		return &fakeAPI{answers: map[string]any{
			"POST /api/v1/revocations": api.Revocation{Matched: live + usedUp, UsedUp: usedUp, Done: true},
			"GET /api/v1/links":        api.LinkPage{Links: someLinks(live)},
		}}
	}
	got := runOver(t, answers(2, 3), "revoke", "--all", "--dry-run")
	if got.code != command.ExitOK || !strings.HasSuffix(got.stdout, "s3://reports/exports/2\n"+
		"and 3 used-up links whose downloads can still be resumed\n5 links would be revoked\n") {
		t.Errorf("%+v", got)
	}
	f := answers(0, 1)
	got = runOver(t, f, "revoke", "--state", "used_up", "--dry-run")
	const one = "1 used-up link whose download can still be resumed\n1 link would be revoked\n"
	if got != (result{0, one, ""}) || len(f.requests) != 1 {
		t.Errorf("--state used_up: %+v, sent %q", got, f.lines())
	}
	f = answers(1, 1)
	runOver(t, f, "revoke", "--state", "used_up,paused", "--dry-run")
	if line := f.requests[1].line; !strings.HasSuffix(line, "&state=paused") {
		t.Errorf("--state: listed by %s", line)
	}
	got = runOver(t, answers(2, 3), "revoke", "--all", "--dry-run", "--ndjson")
	if !strings.HasSuffix(got.stdout, "\n"+`{"matched":5,"used_up":3,"revoked":0,"done":true}`+"\n") {
		t.Errorf("--ndjson: %+v", got)
	}
	got = runAt(t, answers(1, 2), "n\n", true, "revoke", "--all")
	has(t, got.stderr, "s3://reports/exports/1\nand 2 used-up links whose downloads can still be resumed\nRevoke 3 links")
}

// The state of a used-up link stays, so its revocation says what has changed.
func TestRevokeSaysThatDownloadsEnd(t *testing.T) {
	t.Parallel()
	link := testLink()
	link.State = string(gateway.StateUsedUp)
	f := &fakeAPI{answers: map[string]any{
		"DELETE /api/v1/links/" + testID(): link,
		"POST /api/v1/revocations":         api.Revocation{Matched: 3, UsedUp: 2, Revoked: 3, Done: true},
	}}
	got := runOver(t, f, "revoke", testID())
	has(t, got.stdout, testID()+" used_up s3://", " (its downloads can no longer be resumed)\n")
	got = runOver(t, f, "revoke", "--all")
	if want := "3 links revoked, 2 of them used up before: the downloads can no longer be resumed\n"; got.stdout != want {
		t.Errorf("%+v", got)
	}
	link.Notes = []api.Note{{Code: gateway.NoteEndedBefore}}
	f.answers["DELETE /api/v1/links/"+testID()] = link
	if got := runOver(t, f, "revoke", testID()); strings.Contains(got.stdout, "resumed") {
		t.Errorf("after a revocation that changed nothing: %+v", got)
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
