package cli

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// batchAPI answers batches. problems holds the refusals of a dry run by key, and late those
// that come only with the issue.
func batchAPI(problems, late map[string]api.Problem) *fakeAPI {
	answer := func(body map[string]any) any {
		var batch api.Batch
		dryRun := body["dry_run"] == true
		for i, entry := range body["links"].([]any) {
			key, _ := entry.(map[string]any)["key"].(string)
			refused, found := problems[key]
			if !found && !dryRun {
				refused, found = late[key]
			}
			if found {
				batch.Results = append(batch.Results, api.BatchResult{Status: refused.Status, Problem: &refused})
				continue
			}
			link := testLink()
			link.Key, link.Filename = key, gateway.SaveAs("", key)
			link.ID = gateway.ID{byte(i + 1)}.String()
			link.URL = fmt.Sprintf("https://dl.example.com/%d", i+1)
			batch.Results = append(batch.Results, api.BatchResult{Status: 201, Link: &link})
		}
		return batch
	}
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links:batch": answer}}
	for i := range 5 {
		f.answers["DELETE /api/v1/links/"+gateway.ID{byte(i + 1)}.String()] = testLink()
	}
	return f
}

// missing is the refusal of an object that does not exist.
func missing() api.Problem {
	return api.Problem{
		Status: 422, Code: "invalid", Errors: []api.FieldError{
			{Field: "key", Code: "object_not_found", Message: "there is no such object in the bucket"},
		},
	}
}

// lines returns the methods and paths of the requests, with dry for a dry run.
func (f *fakeAPI) lines() []string {
	var all []string
	for _, r := range f.requests {
		line := r.line
		if r.body["dry_run"] == true {
			line += " dry"
		}
		all = append(all, line)
	}
	return all
}

// Several objects get one link each. All are checked before the first link is issued, and
// the URLs are the last lines, in the order of the objects.
func TestShareSeveral(t *testing.T) {
	t.Parallel()
	f := batchAPI(nil, nil)
	got := runOver(t, f, "share", "s3://reports/a.pdf", "s3://reports/b.pdf", "--expires", "2w", "--sensitive")
	if got.code != command.ExitOK || got.stdout != "https://dl.example.com/1\nhttps://dl.example.com/2\n" {
		t.Fatalf("exit %d, %q, %s", got.code, got.stdout, got.stderr)
	}
	if want := []string{"POST /api/v1/links:batch dry", "POST /api/v1/links:batch"}; !slices.Equal(f.lines(), want) {
		t.Errorf("sent %q, want %q", f.lines(), want)
	}
	has(t, got.stderr, "Sharing   2 objects", "s3://reports/a.pdf", "for       anyone with the link",
		"uses      at most 3",
		"(as requested)", "warning   all objects: the link lives long (long)", "Shared    2 objects",
		gateway.ID{2}.String())
	sent := f.requests[1].body["links"].([]any)[1].(map[string]any)
	if sent["key"] != "b.pdf" || sent["expires_in"] != "14d" || sent["sensitive"] != true || f.requests[1].retry == "" {
		t.Errorf("sent %v", sent)
	}
	quiet := runOver(t, batchAPI(nil, nil), "share", "s3://reports/a", "s3://reports/b", "--quiet")
	if quiet.stderr != "" || strings.Count(quiet.stdout, "\n") != 2 {
		t.Errorf("--quiet: %+v", quiet)
	}
	var page document[api.Link]
	asJSON := runOver(t, batchAPI(nil, nil), "share", "s3://reports/a", "s3://reports/b", "--quiet", "--json")
	err := json.Unmarshal([]byte(asJSON.stdout), &page)
	if err != nil || len(page.Items) != 2 || page.Items[1].Key != "b" {
		t.Errorf("--json: %v, %+v", err, asJSON)
	}
}

// If one object is refused, no link is issued, unless --partial is given.
func TestShareSeveralRefused(t *testing.T) {
	t.Parallel()
	refused := map[string]api.Problem{"b": missing()}
	f := batchAPI(refused, nil)
	got := runOver(t, f, "share", "s3://reports/a", "s3://reports/b")
	if got.code != command.ExitFailed || got.stdout != "" || len(f.requests) != 1 {
		t.Errorf("got %+v after %q", got, f.lines())
	}
	has(t, got.stderr, "keyhole: 1 of 2 objects refused; no link was issued",
		"  s3://reports/b: there is no such object in the bucket", "--partial")

	f = batchAPI(refused, nil)
	got = runOver(t, f, "share", "s3://reports/a", "s3://reports/b", "--partial")
	if got.code != command.ExitFailed || got.stdout != "https://dl.example.com/1\n" {
		t.Errorf("--partial: got %+v after %q", got, f.lines())
	}
	has(t, got.stderr, "1 of 2 objects refused; the others were shared")

	got = runOver(t, batchAPI(map[string]api.Problem{"a": missing(), "b": missing()}, nil), "share", "s3://reports/a",
		"s3://reports/b", "--partial")
	if got.code != command.ExitFailed || got.stdout != "" {
		t.Errorf("all refused: got %+v", got)
	}
	has(t, got.stderr, "every object was refused, and no link was issued")
}

// If an object is refused after all, the links of the others are revoked, and the command
// says which it could not revoke.
func TestShareSeveralUndone(t *testing.T) {
	t.Parallel()
	late := map[string]api.Problem{"b": {Status: 503, Code: "unavailable", Detail: "the storage is unavailable"}}
	f := batchAPI(nil, late)
	got := runOver(t, f, "share", "s3://reports/a", "s3://reports/b", "s3://reports/c")
	if got.code != command.ExitFailed || got.stdout != "" {
		t.Errorf("got %+v", got)
	}
	revoke := func(i byte) string {
		return "DELETE /api/v1/links/" + gateway.ID{i}.String() + "?reason=another+object+of+the+same+command+was+refused"
	}
	want := []string{
		"POST /api/v1/links:batch dry", "POST /api/v1/links:batch", "POST /api/v1/links:batch", revoke(1), revoke(3),
	}
	if !slices.Equal(f.lines(), want) || f.requests[1].retry != f.requests[2].retry {
		t.Errorf("sent %q, want %q", f.lines(), want)
	}
	has(t, got.stderr, "2 links issued before and revoked again", "keyhole list shows whether")

	f = batchAPI(nil, late)
	delete(f.answers, "DELETE /api/v1/links/"+gateway.ID{3}.String())
	got = runOver(t, f, "share", "s3://reports/a", "s3://reports/b", "s3://reports/c")
	has(t, got.stderr, "1 of 2 links issued before could not be revoked", "keyhole revoke "+gateway.ID{3}.String())

	got = runOver(t, batchAPI(nil, late), "share", "s3://reports/a", "s3://reports/b", "--partial")
	if got.code != command.ExitFailed || got.stdout != "https://dl.example.com/1\n" {
		t.Errorf("--partial: %+v", got)
	}
}

// The argument - reads the objects from standard input.
func TestShareList(t *testing.T) {
	t.Parallel()
	const both = "https://dl.example.com/1\nhttps://dl.example.com/2\n"
	long := ""
	for n := range 101 {
		long += fmt.Sprintf("s3://reports/%d\n", n)
	}
	for name, tt := range map[string]struct {
		args, list string
		want       string // a part of the error, or the URLs
	}{
		"several":      {"-", "s3://reports/a b\r\n\n  \ns3://reports/ü#?%20\n", both},
		"with another": {"s3://reports/a -", "s3://reports/b", both},
		"nothing":      {"-", "\n", "! standard input lists no object"},
		"a mistake":    {"-", "s3://reports/a\nreports/b\n", `! line 2 of standard input: "reports/b" is not an object`},
		"twice":        {"- -", "s3://reports/a", "! - is repeated"},
		"a duplicate":  {"s3://reports/a -", "s3://reports/a", "! s3://reports/a is listed twice"},
		"too many":     {"-", long, "! one command shares at most 100"},
		"a long line":  {"-", "s3://reports/" + strings.Repeat("x", 5000), "! cannot read line 1 of standard input"},
		"a space":      {"s3://reports/a b.pdf", "", "! put it into quotes: 's3://reports/a b.pdf'"},
		"a name":       {"s3://reports/a s3://reports/b --filename c", "", "! --filename is for one object"},
		"a picture":    {"s3://reports/a s3://reports/b --qr", "", "! --qr is for one object"},
		"a version":    {"s3://reports/a s3://reports/b --version-id v", "", "! --version-id is for one object"},
		"a QR file":    {"s3://reports/a s3://reports/b --qr-file c.png", "", "! --qr-file is for one object"},
	} {
		server := httptest.NewServer(batchAPI(nil, nil))
		defer server.Close()
		var stdout, stderr strings.Builder
		code := runCLI(t.Context(), append([]string{"share"}, strings.Fields(tt.args)...), command.Env{
			Stdin: strings.NewReader(tt.list), Stdout: &stdout, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		if problem, refused := strings.CutPrefix(tt.want, "! "); refused {
			if code != command.ExitUsage || !strings.Contains(stderr.String(), problem) {
				t.Errorf("%s: exit %d, %s, want %s", name, code, stderr.String(), problem)
			}
			continue
		}
		if code != command.ExitOK || stdout.String() != tt.want {
			t.Errorf("%s: exit %d, %q, %s", name, code, stdout.String(), stderr.String())
		}
	}
}

// A generated passphrase becomes longer until the policy of the service accepts it.
func TestGeneratedPassphraseFitsThePolicy(t *testing.T) {
	t.Parallel()
	refuse := func(n int) func(map[string]any) bool {
		return func(body map[string]any) bool { return len(body["passphrase"].(string)) < n }
	}
	tooShort := api.Problem{Status: 422, Code: "invalid", Errors: []api.FieldError{
		{Field: "passphrase", Code: "too_short", Message: "has 19 characters; the policy requires at least 30"},
	}}
	for least, want := range map[int]int{8: 19, 20: 24, 64: 64} {
		refused := refuse(least)
		f := &fakeAPI{answers: map[string]any{}}
		one := func(body map[string]any) any {
			if refused(body) {
				return tooShort
			}
			return testLink()
		}
		f.answers["POST /api/v1/links"], f.answers["PATCH /api/v1/links/"+testID()] = one, one
		f.answers["POST /api/v1/links:batch"] = func(body map[string]any) any {
			var batch api.Batch
			for _, link := range body["links"].([]any) {
				result := api.BatchResult{Status: 201, Link: new(testLink())}
				if refused(link.(map[string]any)) {
					result = api.BatchResult{Status: 422, Problem: &tooShort}
				}
				batch.Results = append(batch.Results, result)
			}
			return batch
		}
		for _, args := range []string{"share s3://reports/a", "change " + testID(), "share s3://reports/a s3://reports/b"} {
			got := runOver(t, f, append(strings.Fields(args), "--make-passphrase")...)
			_, told, _ := strings.Cut(got.stderr, "Passphrase: ")
			told, _, _ = strings.Cut(told, "\n")
			if got.code != command.ExitOK || len(told) != want {
				t.Errorf("%s, at least %d: exit %d, %q", args, least, got.code, told)
			}
		}
	}
}
