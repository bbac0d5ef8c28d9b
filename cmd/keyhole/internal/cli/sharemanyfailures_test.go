package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// afterCheck is a batchAPI whose batches get the answer once the dry run has passed.
func afterCheck(answer any) *fakeAPI {
	f := batchAPI(nil, nil)
	check := f.answers["POST /api/v1/links:batch"].(func(map[string]any) any)
	f.answers["POST /api/v1/links:batch"] = func(body map[string]any) any {
		if body["dry_run"] == true {
			return check(body)
		}
		return answer
	}
	return f
}

// A refusal of the whole batch issues nothing and names no object. If the issue fails on the
// side of the service, links may exist, and the hint says how to repeat it.
func TestShareSeveralFails(t *testing.T) {
	t.Parallel()
	const repeat = "repeat the command with --idempotency-key k: this issues no second link\n"
	const mayBe = "links may have been issued: keyhole list shows them\n  "
	for name, tt := range map[string]struct {
		answer           any
		dry, issued      string // the error of a dry run, and of an issue
		dryHint, thenTry string
	}{
		"forbidden": {
			api.Problem{Status: 403, Code: "forbidden", Detail: "this key may not issue links"},
			"this key may not issue links", "this key may not issue links",
			"use a key that allows this", "use a key that allows this",
		},
		"overloaded": {
			api.Problem{Status: 503, Code: "unavailable", Detail: "Redis is unreachable"},
			"Redis is unreachable", "Redis is unreachable", "try again in a few seconds", mayBe + repeat,
		},
		"too many requests": {
			api.Problem{Status: 429, Code: "rate_limited", Detail: "slow down"},
			"slow down", "slow down", "try again in a minute", "try again in a minute",
		},
		"too few results": {
			api.Batch{Results: []api.BatchResult{{Status: 201, Link: new(testLink())}}},
			"the answer is not from Keyhole's operator API: 1 results for 2 objects",
			"the answer is not from Keyhole's operator API: 1 results for 2 objects",
			"is this the operator address", mayBe + repeat,
		},
		"an empty result": {
			api.Batch{Results: []api.BatchResult{{Status: 201, Link: new(testLink())}, {Status: 201}}},
			"the answer is not from Keyhole's operator API: a result is empty",
			"the answer is not from Keyhole's operator API: a result is empty",
			"is this the operator address", mayBe + repeat,
		},
		"the name of a field": {
			api.Problem{Status: 422, Code: "invalid", Errors: []api.FieldError{
				{Field: "expires_in", Code: "too_long", Message: "expires_in is 90d; the limit is 7d"},
			}},
			"--expires: --expires is 90d; the limit is 7d", "--expires: --expires is 90d; the limit is 7d",
			"correct the values named above and try again", "correct the values named above and try again",
		},
	} {
		args := strings.Fields("share s3://reports/a s3://reports/b --quiet --idempotency-key k")
		dry := &fakeAPI{answers: map[string]any{"POST /api/v1/links:batch": tt.answer}}
		got := runOver(t, dry, args...)
		if got.code != command.ExitFailed || got.stdout != "" || len(dry.requests) != 1 {
			t.Errorf("%s: %+v after %q", name, got, dry.lines())
		}
		has(t, got.stderr, "keyhole: "+tt.dry+"\n", "\n  "+tt.dryHint)
		if strings.Contains(got.stderr, "second link") {
			t.Errorf("%s: a dry run issues nothing: %s", name, got.stderr)
		}
		f := afterCheck(tt.answer)
		got = runOver(t, f, args...)
		if got.code != command.ExitFailed || got.stdout != "" || len(f.requests) != 2 {
			t.Errorf("%s: %+v after %q", name, got, f.lines())
		}
		has(t, got.stderr, "keyhole: "+tt.issued+"\n", "\n  "+tt.thenTry)
	}
}

// Different reasons are said beside their objects, and the same reason of all only once.
func TestShareSeveralReasons(t *testing.T) {
	t.Parallel()
	unknown := api.Problem{Status: 422, Code: "invalid", Errors: []api.FieldError{
		{Field: "bucket", Code: "unknown_bucket", Message: "there is no such bucket"},
	}}
	scope := api.Problem{Status: 403, Code: "out_of_scope", Detail: "this key may not share it"}
	for name, tt := range map[string]struct {
		refused map[string]api.Problem
		args    string
		want    string
	}{
		"one": {
			map[string]api.Problem{"b": missing()},
			"",
			"keyhole: 1 of 3 objects refused; no link was issued\n" +
				"  s3://reports/b: there is no such object in the bucket\n" +
				"  correct the list, or use --partial to share the others\n",
		},
		"two reasons": {
			map[string]api.Problem{"a": unknown, "c": scope},
			"",
			"keyhole: 2 of 3 objects refused; no link was issued\n" +
				"  s3://reports/a: there is no such bucket\n  s3://reports/c: this key may not share it\n" +
				"  correct the list, or use --partial to share the others\n",
		},
		"all, two reasons": {
			map[string]api.Problem{"a": scope, "b": missing(), "c": missing()},
			"--partial",
			"keyhole: 3 of 3 objects refused; no link was issued\n  s3://reports/a: this key may not share it\n" +
				"  s3://reports/b: there is no such object in the bucket\n" +
				"  s3://reports/c: there is no such object in the bucket\n  use a key whose objects cover this object\n",
		},
		"all, one reason": {
			map[string]api.Problem{"a": scope, "b": scope, "c": scope},
			"",
			"keyhole: every object was refused, and no link was issued: this key may not share it\n" +
				"  use a key whose objects cover this object\n",
		},
	} {
		f := batchAPI(tt.refused, nil)
		args := strings.Fields("share s3://reports/a s3://reports/b s3://reports/c --quiet " + tt.args)
		got := runOver(t, f, args...)
		if got.code != command.ExitFailed || got.stdout != "" || got.stderr != tt.want || len(f.requests) != 1 {
			t.Errorf("%s: after %q: %+v\nwant %s", name, f.lines(), got, tt.want)
		}
	}
}

// With --partial, objects that pass the check and fail in the issue are refusals like others,
// and nothing is revoked. The refusals end the command with 1, after the URLs.
func TestSharePartialFailsLate(t *testing.T) {
	t.Parallel()
	const unsure = "keyhole list shows whether a link of a failed object was issued: nobody has its URL\n"
	gone := api.Problem{Status: 503, Code: "unavailable", Detail: "the storage is unavailable"}
	f := batchAPI(map[string]api.Problem{"a": missing()}, map[string]api.Problem{"b": gone, "c": gone})
	got := runOver(t, f, "share", "s3://reports/a", "s3://reports/b", "s3://reports/c", "--partial", "--quiet")
	want := "keyhole: 3 of 3 objects refused; no link was issued\n" +
		"  s3://reports/a: there is no such object in the bucket\n" +
		"  s3://reports/b: the storage is unavailable\n  s3://reports/c: the storage is unavailable\n" +
		"  " + unsure
	if got.code != command.ExitFailed || got.stdout != "" || got.stderr != want {
		t.Errorf("none is left: %+v\nwant %s", got, want)
	}
	f = batchAPI(map[string]api.Problem{"a": missing()}, map[string]api.Problem{"b": gone})
	got = runOver(t, f, "share", "s3://reports/a", "s3://reports/b", "s3://reports/c", "--partial", "--json", "--quiet")
	var page document[api.Link]
	if err := json.Unmarshal([]byte(got.stdout), &page); err != nil || len(page.Items) != 1 || page.Items[0].Key != "c" {
		t.Errorf("--json: %v, %+v", err, got)
	}
	if got.code != command.ExitFailed || slices.ContainsFunc(f.lines(), func(line string) bool {
		return strings.HasPrefix(line, "DELETE")
	}) {
		t.Errorf("exit %d after %q", got.code, f.lines())
	}
	has(t, got.stderr, "keyhole: 2 of 3 objects refused; the others were shared\n",
		"  s3://reports/a: there is no such object in the bucket\n  s3://reports/b: the storage is unavailable\n  "+unsure)
}

// notedOf answers a batch with links that were issued before and have ended, and with notes.
func notedOf(body map[string]any) any {
	var batch api.Batch
	for i, entry := range body["links"].([]any) {
		link := testLink()
		link.Key, _ = entry.(map[string]any)["key"].(string)
		link.ID, link.URL = gateway.ID{byte(i + 1)}.String(), fmt.Sprintf("https://dl.example.com/%d", i+1)
		link.Warnings = []api.Warning{{Code: "large", Message: "it is large\x1b"}}
		link.Notes = []api.Note{{Code: "zone", Message: "the hours are UTC"}, {Code: link.Key, Message: "about " + link.Key}}
		if i == 1 {
			link.State = "revoked"
		}
		batch.Results = append(batch.Results, api.BatchResult{Status: 200, Link: &link})
	}
	return batch
}

// The checklist of several objects has each warning, and a note that fits all of them once. A
// link that has ended is warned of even with --quiet.
func TestShareSeveralWarns(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links:batch": notedOf}}
	got := runOver(t, f, "share", "s3://reports/a", "s3://reports/b", "--idempotency-key", "k")
	ended := "warning: an earlier request issued the link " + gateway.ID{2}.String() + ", and it is revoked\n"
	if got.code != command.ExitOK || strings.Count(got.stderr, "the hours are UTC (zone)") != 1 ||
		strings.Count(got.stderr, ended) != 1 {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, `  warning   all objects: it is large\x1b (large)`+"\n",
		"  notice    about a (a)\n", "  notice    about b (b)\n",
		ended, "  undo      keyhole revoke ID, for each link\n")
	got = runOver(t, f, "share", "s3://reports/a", "s3://reports/b", "--idempotency-key", "k", "--quiet")
	if got.stderr != ended || strings.Count(got.stdout, "\n") != 2 {
		t.Errorf("--quiet: %+v", got)
	}
}

// A refused object on a terminal ends the command before the question. If the policy decides
// about all objects, there is no question, and an answer goes only to the others.
func TestShareSeveralAsksOnlyAboutOpenOnes(t *testing.T) {
	t.Parallel()
	f := batchAPI(map[string]api.Problem{"b": missing()}, nil)
	got := runAt(t, f, "y\n", false, "share", "s3://reports/a", "s3://reports/b")
	if got.code != command.ExitFailed || len(f.requests) != 1 || strings.Contains(got.stderr, "sensitive (") {
		t.Errorf("refused: %+v after %q", got, f.lines())
	}
	decided := func(keys ...string) func(map[string]any) any {
		return func(body map[string]any) any {
			batch := notedOf(body).(api.Batch)
			for _, result := range batch.Results {
				if slices.Contains(keys, result.Link.Key) {
					result.Link.Sensitive = new(true)
				}
			}
			return batch
		}
	}
	f = &fakeAPI{answers: map[string]any{"POST /api/v1/links:batch": decided("a", "b")}}
	got = runAt(t, f, "\x04", false, "share", "s3://reports/a", "s3://reports/b")
	if got.code != command.ExitOK || len(f.requests) != 3 || strings.Contains(got.stderr, "sensitive (personal") {
		t.Errorf("decided: %+v after %q", got, f.lines())
	}
	f = &fakeAPI{answers: map[string]any{"POST /api/v1/links:batch": decided("a")}}
	got = runAt(t, f, "n\n", false, "share", "s3://reports/a", "s3://reports/b")
	if got.code != command.ExitOK || len(f.requests) != 4 { // the service is also asked for the lives
		t.Fatalf("one is open: %+v after %q", got, f.lines())
	}
	for i, want := range []any{nil, false} {
		if sent := f.requests[3].body["links"].([]any)[i].(map[string]any)["sensitive"]; sent != want {
			t.Errorf("object %d: sent %v, want %v", i, sent, want)
		}
	}
}

// tooLong is the refusal of a life, with the code and message of a field.
func tooLong(field, code, message string) api.Problem {
	refused := []api.FieldError{{Field: field, Code: code, Message: message}}
	return api.Problem{Status: 422, Code: "invalid", Errors: refused}
}

// If one object is sensitive by policy and the life is too long for it, the advice is not to
// remove a flag that the other objects need.
func TestShareSeveralSensitiveByPolicy(t *testing.T) {
	t.Parallel()
	const byPolicy = `this object is sensitive by policy: at most 24h; remove "sensitive": false`
	f := batchAPI(map[string]api.Problem{"b": tooLong("sensitive", "sensitive_object", byPolicy)}, nil)
	got := runOver(t, f, "share", "s3://reports/a", "s3://reports/b", "--not-sensitive", "--expires", "3d")
	if got.code != command.ExitFailed {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, "1 of 2 objects refused",
		"s3://reports/b: --not-sensitive: this object is sensitive by policy: at most 24h",
		"\n  share the objects that are sensitive by policy with a command of their own, for a shorter time;\n"+
			"  or use --partial to share the others\n")
	f = batchAPI(map[string]api.Problem{
		"a": tooLong("expires_in", "over_policy", "72h is over the limit of 24h (sensitivity was not stated)"),
		"b": tooLong("expires_in", "over_policy", "72h is over the limit of 24h (sensitive by policy)"),
	}, nil)
	got = runOver(t, f, "share", "s3://reports/a", "s3://reports/b", "--expires", "3d")
	has(t, got.stderr, "2 of 2 objects refused",
		"  share the objects that are sensitive by policy with a command of their own")
}

// If the life is too long for an object whatever the answer is, nobody is asked.
func TestShareSeveralDoesNotAskInVain(t *testing.T) {
	t.Parallel()
	refused := tooLong("expires_in", "over_policy", "72h is over the limit of 24h (sensitive by policy)")
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links:batch": func(body map[string]any) any {
		batch := notedOf(body).(api.Batch)
		batch.Results[1].Link.Sensitive = new(true)
		first, _ := body["links"].([]any)[0].(map[string]any)
		if first["expires_in"] != nil {
			batch.Results[1] = api.BatchResult{Status: refused.Status, Problem: &refused}
		}
		return batch
	}}}
	got := runAt(t, f, "n\n", false, "share", "s3://reports/a", "s3://reports/b", "--expires", "3d")
	if got.code != command.ExitFailed || len(f.requests) != 2 || strings.Contains(got.stderr, "Is any of the objects") {
		t.Errorf("%+v after %q", got, f.lines())
	}
	links, _ := f.requests[1].body["links"].([]any)
	for i, want := range []any{false, nil} {
		if sent := links[i].(map[string]any)["sensitive"]; sent != want {
			t.Errorf("object %d: tried with %v, want %v", i, sent, want)
		}
	}
	has(t, got.stderr, "s3://reports/b: --expires: 72h is over the limit of 24h (sensitive by policy)")
}

// An answer that cannot be read says nothing about what was issued, so the hint says how to
// find the links. A generated passphrase is lost, so a repeat cannot return the same links.
func TestShareSeveralUnreadable(t *testing.T) {
	t.Parallel()
	const look = "\n  links may have been issued: keyhole list shows them"
	for name, answer := range map[string]http.Handler{
		"a page": wireAnswer{200, "<html>", false}, "another type": wireAnswer{200, `{"results":1}`, false},
		"nothing": wireAnswer{200, "", false}, "cut": wireAnswer{200, `{"results":[`, true},
		"a page of a proxy": wireAnswer{502, "<html>", false},
	} {
		for flag, hint := range map[string]string{
			"--idempotency-key k": look + "\n  repeat the command with --idempotency-key k: this issues no second link\n",
			"--make-passphrase":   look + "; revoke them, and share again\n",
		} {
			check := batchAPI(nil, nil)
			got, _ := runBeside(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if len(check.requests) == 0 {
					check.ServeHTTP(w, r)
					return
				}
				answer.ServeHTTP(w, r)
			}), strings.Fields("share s3://reports/a s3://reports/b --quiet "+flag)...)
			if got.code != command.ExitFailed || got.stdout != "" {
				t.Errorf("%s, %s: %+v", name, flag, got)
			}
			has(t, got.stderr, hint)
		}
	}
}

// If the repeat of an incomplete batch fails as a whole, the links of the first request are
// known, so they are revoked, or printed with --partial.
func TestShareSeveralRepeatFails(t *testing.T) {
	t.Parallel()
	away := api.Problem{Status: 503, Code: "unavailable", Detail: "Redis is away"}
	for name, second := range map[string]any{
		"refused": api.Problem{Status: 429, Code: "rate_limited", Detail: "slow down"}, "too few results": api.Batch{},
		"an empty result": api.Batch{Results: []api.BatchResult{{Status: 201, Link: new(testLink())}, {Status: 201}}},
	} {
		for _, partial := range []bool{false, true} {
			f := batchAPI(nil, map[string]api.Problem{"b": away})
			first := f.answers["POST /api/v1/links:batch"].(func(map[string]any) any)
			f.answers["POST /api/v1/links:batch"] = func(body map[string]any) any {
				if len(f.requests) > 2 {
					return second
				}
				return first(body)
			}
			args := strings.Fields("share s3://reports/a s3://reports/b --quiet")
			stdout, result := "", "1 link issued before and revoked again"
			if partial {
				args, stdout, result = append(args, "--partial"), "https://dl.example.com/1\n", "the others were shared"
			}
			got := runOver(t, f, args...)
			if revoked := strings.HasPrefix(f.lines()[len(f.requests)-1], "DELETE "); got.code != command.ExitFailed ||
				got.stdout != stdout || revoked == partial {
				t.Errorf("%s: %+v after %q", name, got, f.lines())
			}
			has(t, got.stderr, "1 of 2 objects refused; "+result, "s3://reports/b: Redis is away",
				"keyhole list shows whether a link of a failed object was issued")
		}
	}
}
