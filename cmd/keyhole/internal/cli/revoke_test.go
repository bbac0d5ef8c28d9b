package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// A bulk revocation follows the cursors of answers that found nothing yet, also where it
// only counts, and does not call done what could not be read.
func TestRevokeFollowsCursors(t *testing.T) {
	for _, tt := range []struct {
		name    string
		args    []string
		answers []string // by cursor, from the first on
		code    int
		stdout  string
		stderr  string
	}{
		{
			"counts",
			[]string{"--dry-run"},
			[]string{`{"matched":0,"revoked":0,"done":false,"next":"1"}`, `{"matched":2,"revoked":0,"done":true}`},
			command.ExitOK, "2 links would be revoked\n", "",
		},
		{
			"revokes",
			[]string{"--yes"},
			[]string{`{"matched":0,"revoked":0,"done":false,"next":"1"}`, `{"matched":2,"revoked":2,"done":true}`},
			command.ExitOK, "2 links revoked\n", "",
		},
		{
			"leaves some out",
			[]string{"--yes"},
			[]string{
				`{"matched":1,"revoked":1,"unreadable":2,"done":false,"next":"1"}`,
				`{"matched":1,"revoked":1,"done":false}`,
			},
			command.ExitFailed, "2 links revoked\n", "2 links could not be read and may be live",
		},
		{
			"finds only what it cannot read",
			[]string{"--dry-run"},
			[]string{`{"matched":0,"revoked":0,"unreadable":1,"done":false}`},
			command.ExitFailed, "", "1 link could not be read and may be live",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					http.NotFound(w, r) // this service cannot list the links
					return
				}
				var body api.RevocationRequest
				if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
					t.Error(err)
				}
				want := ""
				if asked > 0 {
					want = strconv.Itoa(asked)
				}
				if body.Cursor != want || asked >= len(tt.answers) {
					t.Errorf("request %d has the cursor %q", asked+1, body.Cursor)
					http.Error(w, "", http.StatusTeapot)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, tt.answers[asked])
				asked++
			}))
			t.Cleanup(service.Close)
			var stdout, stderr strings.Builder
			env := command.Env{
				Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
				Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + service.URL},
			}
			code := runCLI(t.Context(), append([]string{"revoke", "--all"}, tt.args...), env)
			if code != tt.code || stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.stderr) ||
				asked != len(tt.answers) {
				t.Errorf("exit %d after %d requests, stdout %q, stderr %q", code, asked, stdout.String(), stderr.String())
			}
		})
	}
}

// revoke revokes the other links if one fails, and names each failure.
func TestRevoke(t *testing.T) {
	t.Parallel()
	revoked := testLink()
	revoked.State = "revoked"
	f := &fakeAPI{answers: map[string]any{"DELETE /api/v1/links/" + testID(): revoked}}
	other := strings.Repeat("b", 25) + "a"
	got := runOver(t, f, "revoke", other, testID(), "--reason", "wrong file")
	if got.code != command.ExitFailed || !strings.Contains(got.stdout, testID()+" revoked") {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, "cannot revoke "+other, "check the ID of the link")
	for args, want := range map[string]string{
		"":                 "no links were named",
		"x":                "neither the ID nor the URL",
		"--all --bucket b": "--all cannot be combined with other filters", "--all --used never": "--all cannot be combined",
		"--state expired": "--state expired selects links that cannot be revoked", "--used once": "--used is",
		"--state active,gone": `--state is "gone"`, "--label a=1 --label a=2": "is repeated", "--since x": "--since is",
		"--ends-within x": "--ends-within is", "--json --ndjson --all": "--json and --ndjson cannot be combined",
		"--prefix a": "--prefix and --key need a bucket", "--dry-run": "--dry-run and --yes need filters",
		testID() + " --all": "links and filters cannot be combined", testID() + " x": "argument 2: ",
	} {
		got := runOver(t, f, append([]string{"revoke"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// On a terminal the number of links is printed, and only y or yes revokes.
func TestRevokeAsks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		typed string
		found api.Revocation
		want  int // links that may be revoked
		asks  string
		err   string
	}{
		"yes":     {"yes\n", api.Revocation{Matched: 2, Done: true}, 2, "Revoke 2 links to objects of s3://reports", ""},
		"y":       {" Y \n", api.Revocation{Matched: 1, Done: true}, 1, "Revoke 1 link to objects", ""},
		"no":      {"n\n", api.Revocation{Matched: 1, Done: true}, 0, "[y/N] ", "nothing was revoked"},
		"Enter":   {"\n", api.Revocation{Matched: 1, Done: true}, 0, "[y/N] ", "nothing was revoked"},
		"the end": {"y", api.Revocation{Matched: 1, Done: true}, 0, "[y/N] \n", "nothing was revoked"},
		// The service stops counting after a few seconds.
		"a lower bound": {"y\n", api.Revocation{Matched: 500}, 500, "Revoke at least 500 links", ""},
		"none":          {"y\n", api.Revocation{Done: true}, 0, "", ""},
		"unreadable":    {"y\n", api.Revocation{Unreadable: 3, Done: true}, 0, "", "3 links could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fakeAPI{answers: map[string]any{"POST /api/v1/revocations": tt.found}}
			var stderr strings.Builder
			env := &command.Env{Stdin: strings.NewReader(tt.typed), Stderr: &stderr}
			flags := &revokeFlags{filter: filterFlags{bucket: "reports"}}
			got, err := flags.ask(t.Context(), env, serve(t, f))
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %d, %v", got, err)
			}
			if tt.asks == "" && stderr.Len() > 0 {
				t.Errorf("asked: %s", stderr.String())
			}
			has(t, stderr.String(), tt.asks)
			if f.requests[0].body["dry_run"] != true {
				t.Errorf("the count revokes: %v", f.requests[0].body)
			}
		})
	}
}

// The question names every filter, because it is the last chance to notice a mistake.
func TestRevokeNamesItsFilters(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]*filterFlags{
		"":                                     {},
		" to objects of s3://b":                {bucket: "b"},
		` to objects of s3://b\x1b`:            {bucket: "b\x1b"},
		", created by ci":                      {createdBy: "ci"},
		", with the label team=a":              {labels: []string{"team=a"}},
		" to objects of s3://b with the key k": {bucket: "b", key: "k"},
		", with the label team=a and case=7":   {labels: []string{"team=a", "case=7"}},
		", in the state active or paused, issued since 24h, used never, that expire within 2d": {
			states: []string{"active", "paused"}, since: "24h", used: "never", endsWithin: "2d",
		},
		" to objects of s3://b whose keys begin with p/, created by ci": {bucket: "b", prefix: "p/", createdBy: "ci"},
	} {
		if got := f.selected(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Without a terminal nothing is asked: filters revoke, --dry-run counts, and filters that
// select nothing are a warning, because they may be mistyped.
func TestRevokeByFilters(t *testing.T) {
	t.Parallel()
	const path = "POST /api/v1/revocations"
	done := &fakeAPI{answers: map[string]any{path: api.Revocation{Matched: 2, Revoked: 2, Done: true}}}
	got := runOver(t, done, "revoke", "--bucket", "reports", "--prefix", "2026/", "--reason", "wrong file")
	if got.code != command.ExitOK || got.stdout != "2 links revoked\n" || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]any{"bucket": "reports", "prefix": "2026/", "reason": "wrong file"} {
		if body := done.requests[0].body; body[name] != want || body["key"] != nil {
			t.Errorf("sent %v, want %s %v", body, name, want)
		}
	}
	if got := runOver(t, done, "revoke", "--all", "--quiet"); got.stdout != "" || got.code != command.ExitOK {
		t.Errorf("--quiet: %+v", got)
	}
	got = runOver(t, done, "revoke", "--all", "--json")
	has(t, got.stdout, `"matched": 2`, `"revoked": 2`, `"done": true`)

	counted := &fakeAPI{answers: map[string]any{path: api.Revocation{Matched: 500}}}
	if got := runOver(t, counted, "revoke", "--all", "--dry-run"); got.stdout != "at least 500 links would be revoked\n" {
		t.Errorf("--dry-run: %+v", got)
	}
	none := &fakeAPI{answers: map[string]any{
		path: api.Revocation{Done: true}, "GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Bucket: "reports"}}},
	}}
	got = runOver(t, none, "revoke", "--bucket", "reports")
	if got.code != command.ExitOK || got.stdout != "0 links revoked\n" ||
		!strings.Contains(got.stderr, "warning: the filters select no live link") {
		t.Errorf("no link: %+v", got)
	}
	got = runOver(t, none, "revoke", "--bucket", "report")
	if got.code != command.ExitFailed || !strings.Contains(got.stderr, "did you mean --bucket reports?") {
		t.Errorf("a mistyped bucket: %+v", got)
	}
	refused := &fakeAPI{answers: map[string]any{path: api.Problem{
		Status: 422, Code: "invalid", Errors: []api.FieldError{{Field: "created_by", Message: "is too long"}},
	}}}
	if got := runOver(t, refused, "revoke", "--created-by", "x"); !strings.Contains(got.stderr,
		"--created-by: is too long") {
		t.Errorf("refused: %+v", got)
	}
}

// With --json the revoked links are printed as one list, also if others failed.
func TestRevokeEachAsJSON(t *testing.T) {
	t.Parallel()
	revoked := testLink()
	revoked.State = "revoked"
	f := &fakeAPI{answers: map[string]any{"DELETE /api/v1/links/" + testID(): revoked}}
	got := runOver(t, f, "revoke", testID(), strings.Repeat("b", 25)+"a", "--json")
	var links document[api.Link]
	err := json.Unmarshal([]byte(got.stdout), &links)
	if err != nil || len(links.Items) != 1 || got.code != command.ExitFailed {
		t.Errorf("%v, %+v", err, got)
	}
	if got := runOver(t, f, "revoke", testID(), "--quiet"); got.stdout != "" || got.code != command.ExitOK {
		t.Errorf("--quiet: %+v", got)
	}
}
