package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

func TestShowAndChange(t *testing.T) {
	t.Parallel()
	revoked := testLink()
	at := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	revoked.State, revoked.RevokedAt, revoked.RevokedBy, revoked.RevokeReason = "revoked", &at, "ops", "wrong file"
	revoked.Language = "pl"
	path := "/api/v1/links/" + testID()
	f := &fakeAPI{answers: map[string]any{"GET " + path: revoked, "PATCH " + path: testLink()}}
	got := runOver(t, f, "show", testID())
	has(t, got.stdout, "2026-11-02T00:00:00Z by ops", "wrong file", `s3://reports/q3\x1b.pdf`, "at most 3",
		"language   Polish (pl)")
	got = runOver(t, f, "change", testID(), "--pause", "--note", "", "--expires", "2h", "--max-clicks", "9", "--no-labels")
	if got.code != command.ExitOK {
		t.Fatalf("%+v", got)
	}
	body := f.requests[len(f.requests)-1].body
	labels, ok := body["labels"].(map[string]any)
	if body["paused"] != true || body["note"] != "" || body["expires_in"] != "2h" || body["max_clicks"] != 9.0 || !ok ||
		len(labels) > 0 {
		t.Errorf("sent %v", body)
	}
	for args, want := range map[string]string{
		"--pause --resume":        "--pause and --resume cannot be combined",
		"--label a=1 --no-labels": "--label and --no-labels cannot be combined",
		"--language DE":           "use one of en, de, fr, es, pt, it, nl, pl, ja, zh, ar",
		"":                        "no change was requested", "--label x": "is not a label",
	} {
		got := runOver(t, f, append([]string{"change", testID()}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// A property without a flag is left out of the request, and stays as it is. An empty note
// and an empty set of labels are changes.
func TestChangeRequest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want string // the body as JSON
	}{
		"the expiry":       {[]string{"--expires", "2h"}, `{"expires_in":"2h"}`},
		"the uses":         {[]string{"--max-clicks", "5"}, `{"max_clicks":5}`},
		"a language":       {[]string{"--language", "ar"}, `{"language":"ar"}`},
		"no language":      {[]string{"--language", ""}, `{"language":""}`},
		"no note":          {[]string{"--note", ""}, `{"note":""}`},
		"a note":           {[]string{"--note", "a b"}, `{"note":"a b"}`},
		"labels":           {[]string{"--label", "a=1", "--label", "b="}, `{"labels":{"a":"1","b":""}}`},
		"no labels":        {[]string{"--no-labels"}, `{"labels":{}}`},
		"pause":            {[]string{"--pause"}, `{"paused":true}`},
		"resume":           {[]string{"--resume"}, `{"paused":false}`},
		"several together": {[]string{"--resume", "--expires", "1h"}, `{"expires_in":"1h","paused":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fakeAPI{answers: map[string]any{"PATCH /api/v1/links/" + testID(): testLink()}}
			got := runOver(t, f, append([]string{"change", testID(), "--json"}, tt.args...)...)
			if got.code != command.ExitOK || len(f.requests) != 1 {
				t.Fatalf("%+v after %d requests", got, len(f.requests))
			}
			body, err := json.Marshal(f.requests[0].body)
			if err != nil || string(body) != tt.want {
				t.Errorf("sent %s, %v, want %s", body, err, tt.want)
			}
			has(t, got.stdout, `"id": "`+testID()+`"`)
		})
	}
}

// A refusal names the flags of change, and the hint fits the refusal.
func TestChangeIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		problem api.Problem
		want    []string
	}{
		"ended": {
			api.Problem{Status: 409, Code: "not_active", Detail: "the link is revoked"},
			[]string{
				"keyhole: the link is revoked\n", "issue another link with the same settings: keyhole resend " + testID() + "\n",
				"for one download: keyhole resend " + testID() + " --max-clicks 1\n",
			},
		},
		"too long": {
			api.Problem{Status: 422, Code: "invalid", Errors: []api.FieldError{
				{Field: "expires_in", Code: "too_long", Message: "expires_in is 90d; the limit is 7d"},
			}},
			[]string{"--expires: --expires is 90d; the limit is 7d", "correct the values named above"},
		},
		"changed meanwhile": {
			api.Problem{Status: 412, Code: "precondition_failed", Detail: "the link has changed"},
			[]string{"read it again: keyhole show"},
		},
	} {
		f := &fakeAPI{answers: map[string]any{"PATCH /api/v1/links/" + testID(): tt.problem}}
		got := runOver(t, f, "change", testID(), "--expires", "90d")
		if got.code != command.ExitFailed || got.stdout != "" {
			t.Errorf("%s: %+v", name, got)
		}
		has(t, got.stderr, tt.want...)
	}
}
