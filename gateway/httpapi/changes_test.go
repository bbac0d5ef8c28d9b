package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

func TestChangeAnswersWithTheLink(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.put("exports", "a")
	body := `{"expires_in":"2h","note":"n","labels":{"case":"7"},"paused":true}`
	a := b.operator(opsKey, "PATCH", "/api/v1/links/"+id, body, "Content-Type", "application/json")
	var link api.Link
	if err := json.Unmarshal([]byte(a.body), &link); err != nil || a.status != 200 || link.Note != "n" ||
		link.Labels["case"] != "7" {
		t.Fatalf("got %d, %v: %s", a.status, err, a.body)
	}
	if c := b.store.change; c.Life != 2*time.Hour || c.Longest != 24*time.Hour || c.Paused == nil || !*c.Paused ||
		c.Window != 10*time.Minute {
		t.Errorf("the store was asked %+v", c)
	}
	for body, want := range map[string]string{
		`{}`: "invalid", `{"max_clicks":3}`: "invalid", `{"expires_in":"9d"}`: "invalid", `{"pin":"none"}`: "bad_request",
		`{"passphrase":""}`: "invalid", `{"allow":[]}`: "invalid", `{"not_before":"soon"}`: "invalid",
		`{"remove":["labels"]}`: "invalid", `{"remove":[]}`: "invalid", `{"remove":null}`: "invalid",
		`{"paused":"yes"}`: "bad_request", `null`: "bad_request", `{"note":null}`: "invalid",
	} {
		if p := b.operator(opsKey, "PATCH", "/api/v1/links/"+id, body, "Content-Type",
			"application/json").problem(t); p.Code != want {
			t.Errorf("%s: got %s, want %s", body, p.Code, want)
		}
	}
	if p := b.operator(readKey, "PATCH", "/api/v1/links/"+id, body, "Content-Type",
		"application/json").problem(t); p.Code != "forbidden" {
		t.Errorf("a key that may only read: %s", p.Code)
	}
	if p := b.operator(exportsKey, "PATCH", "/api/v1/links/"+b.put("reports", "a"), body, "Content-Type",
		"application/json").problem(t); p.Code != "not_found" {
		t.Errorf("a link out of scope: %s", p.Code)
	}
	b.store.err = gateway.ErrEnded
	if a := b.operator(opsKey, "PATCH", "/api/v1/links/"+id, body, "Content-Type",
		"application/json"); a.status != 503 && a.status != 409 {
		t.Errorf("what has ended: %d", a.status)
	}
}

func TestRevocations(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"bucket":"exports","prefix":"a/","reason":"leak"}`: "",
		`{"bucket":"exports","key":"a","created_by":"ci"}`:   "",
		`{"label":"case=7","dry_run":true}`:                  "",
		`{"label":"case=a=b"}`:                               "",
		`{"all":true}`:                                       "",
		`{}`:                                                 "all:required",
		`{"all":false}`:                                      "all:required",
		`{"reason":"leak"}`:                                  "all:required",
		`{"all":true,"bucket":"exports"}`:                    "all:conflict",
		`{"bucket":""}`:                                      "bucket:empty",
		`{"bucket":"exports","prefix":""}`:                   "prefix:empty",
		`{"prefix":"a/"}`:                                    "bucket:required",
		`{"label":"case"}`:                                   "label:invalid",
		`{"label":"=7"}`:                                     "label:invalid",
		`{"state":"active"}`:                                 "",
		`{"state":"gone"}`:                                   "state:invalid",
		`{"state":""}`:                                       "state:empty",
		`{"state":["active"]}`:                               "bad_request",
		`{"state":"active,expired"}`:                         "state:not_revocable",
		`{"labels":{"case":"7","team":"a"}}`:                 "",
		`{"labels":{}}`:                                      "labels:empty",
		`{"labels":{"":"7"}}`:                                "labels:invalid",
		`{"labels":{"a=b":"7"}}`:                             "labels:invalid",
		`{"labels":{"case":null}}`:                           "labels:null",
		`{"label":"case=7","labels":{"case":"8"}}`:           "label:conflict",
		`{"since":"24h"}`:                                    "",
		`{"since":"2026-11-25T08:00:00Z"}`:                   "",
		`{"since":"soon"}`:                                   "since:invalid",
		`{"since":""}`:                                       "since:empty",
		`{"used":"never"}`:                                   "",
		`{"used":"once"}`:                                    "used:invalid",
		`{"ends_within":"24h"}`:                              "",
		`{"ends_within":"x"}`:                                "ends_within:invalid",
		`{"ends_within":"1h","state":"used_up"}`:             "ends_within:conflict",
		`{"ends_after":"24h"}`:                               "",
		`{"ends_after":"2026-11-25T08:00:00Z"}`:              "",
		`{"ends_after":""}`:                                  "ends_after:empty",
		`{"ends_after":"x"}`:                                 "ends_after:invalid",
		`{"ends_after":"1h","state":"used_up"}`:              "ends_after:conflict",
		`{"ends_after":"1h","ends_within":"1h"}`:             "ends_after:conflict",
		`{"all":true,"ends_after":"1h"}`:                     "all:conflict",
		`{"all":true,"ends_after":"2026-11-25T08:00:00Z"}`:   "all:conflict",
		`{"all":true,"used":"never"}`:                        "all:conflict",
		`{"used":null}`:                                      "used:null",
		`{"stat":"active"}`:                                  "bad_request",
	} {
		b := newBench(t, nil)
		a := b.operator(opsKey, "POST", "/api/v1/revocations", body, "Content-Type", "application/json")
		if want == "" {
			if a.status != 200 || strings.TrimSpace(a.body) != `{"matched":3,"revoked":2,"done":true}` {
				t.Errorf("%s: got %d %s", body, a.status, a.body)
			}
			continue
		}
		p := a.problem(t)
		got := p.Code
		if len(p.Errors) > 0 {
			got = p.Errors[0].Field + ":" + p.Errors[0].Code
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	b := newBench(t, nil)
	b.operator(opsKey, "POST", "/api/v1/revocations", `{"label":"case=a=b","dry_run":true}`, "Content-Type",
		"application/json")
	if q := b.store.query; q.Labels["case"] != "a=b" || len(q.Labels) != 1 || !b.store.bulk.DryRun {
		t.Errorf("the store was asked %+v, %+v", q, b.store.bulk)
	}
	b.store.err = fmt.Errorf("%w: %w", gateway.ErrUnavailable, gateway.ErrNotConfirmed)
	a := b.operator(opsKey, "POST", "/api/v1/revocations", `{"all":true}`, "Content-Type", "application/json")
	if p := a.problem(t); a.status != 503 || p.Code != "not_confirmed" || a.header.Get("Retry-After") == "" {
		t.Errorf("not confirmed: got %d %s", a.status, p.Code)
	}
}

// The audit feed passes its query to the store, and text in an event stays a JSON string.
func TestAuditRoute(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	target := "/api/v1/audit?since=2026-11-01T00:00:00Z&until=2026-11-02T00:00:00Z" +
		"&kind=revoked&order=oldest&limit=7&cursor=x"
	a := b.operator(readKey, "GET", target, "")
	want := gateway.AuditQuery{
		Since: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC),
		Kind: gateway.EventRevoked, Oldest: true, Cursor: "x", Limit: 7,
	}
	if got := b.store.audit; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("the store was asked %+v, want %+v", got, want)
	}
	if a.status != 200 || strings.Count(a.body, "\n") != 1 || strings.Contains(a.body, "\r") {
		t.Fatalf("got %d: %s", a.status, a.body)
	}
	var page api.EventPage
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || len(page.Events) != 1 || page.Next != "older" ||
		page.Searched != 7 {
		t.Fatalf("%v: %s", err, a.body)
	}
	e := page.Events[0]
	if e.Reason != "=cmd()|\r\n\u202e<b>" || e.Bucket != "reports" || e.Key != "q3.pdf" || e.Storage != "main" ||
		e.Time.Location() != time.UTC {
		t.Errorf("got %+v", e)
	}
	target = "/api/v1/audit?bucket=reports&key=a%2Fb&label=team=a&label=case=7&outcome=expired&address=192.0.2.7"
	if a := b.operator(readKey, "GET", target, ""); a.status != 200 {
		t.Errorf("all filters: got %d: %s", a.status, a.body)
	}
	got := b.store.audit
	if got.Bucket != "reports" || got.Key != "a/b" || len(got.Labels) != 2 || got.Labels["case"] != "7" ||
		got.Outcome != gateway.OutcomeExpired || !got.Address.Selects("192.0.2.7") || got.Address.Selects("192.0.2.8") {
		t.Errorf("the store was asked %+v", got)
	}
	b.operator(readKey, "GET", "/api/v1/audit?actor=ci&prefix=p%2F", "")
	if got := b.store.audit; got.Actor != "ci" || got.Prefix != "p/" || len(got.Buckets) == 0 {
		t.Errorf("the store was asked %+v", got)
	}
	for _, bad := range []string{
		"prefix=a&key=b", "label=x", "label=a=b&label=a=c", "bucket=", "outcome=gone", "address=here", "address=192.0.2",
		"address=fe80::1%25eth0", "address=hash:", "actor=ci&outcome=expired", "actor=ci&kind=redirected",
		"kind=issued&outcome=expired", "actor=a&actor=b", "object=s3://reports/a",
		"since=yesterday", "until=2026-11-01", "kind=clicked", "order=random", "limit=0", "limit=501", "state=active",
		"since=", "since=now", "since=now&order=newest", "until=now&order=oldest", "since=0001-01-01T00:00:00Z",
	} {
		if a := b.operator(readKey, "GET", "/api/v1/audit?"+bad, ""); a.status != 400 {
			t.Errorf("%s: got %d", bad, a.status)
		}
	}
	if a := b.operator(readKey, "GET", "/api/v1/audit?since=now&order=oldest", ""); a.status != 200 ||
		!b.store.audit.FromNow || !b.store.audit.Since.IsZero() {
		t.Errorf("from now on: got %d, the store was asked %+v", a.status, b.store.audit)
	}
	b.store.err = gateway.ErrCursor
	if a := b.operator(readKey, "GET", "/api/v1/audit?cursor=forged", ""); a.status != 400 {
		t.Errorf("a forged cursor: %d", a.status)
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	text := b.put("reports", "a")
	id, _ := gateway.ParseID(text)
	link := b.store.links[id]
	link.Revision = "\x00\xff"
	b.store.links[id] = link
	path := "/api/v1/links/" + text
	if a := b.operator(opsKey, "GET", path, ""); a.header.Get("ETag") != `"00ff"` {
		t.Fatalf("the ETag is %q", a.header.Get("ETag"))
	}
	for value, want := range map[string]int{
		`"00ff"`: 200, "*": 200, `"aa", "00ff"`: 200, ` "aa" ,"00ff" `: 200,
		`W/"00ff"`: 200, `W/"aa", W/"00ff"`: 200, `"00ff-gzip"`: 200, `W/"00ff-gzip"`: 200, `"00ff-br"`: 200,
		`"00fe"`: 412, `W/"00fe"`: 412, `w/"00ff"`: 400, `W/00ff`: 400, `"00ff-x"`: 412, `"-gzip"`: 412,
		`"00ff-gzip-gzip"`: 412, `"00FF"`: 412, `"not hex"`: 412, `""`: 412,
		"00ff": 400, `"00ff`: 400, "": 400, `"a"b"`: 400, `*, "00ff"`: 400,
	} {
		a := b.operator(opsKey, "PATCH", path, `{"note":"n"}`, "Content-Type", "application/json", "If-Match", value)
		if a.status != want {
			t.Errorf("%s: got %d %s, want %d", value, a.status, a.body, want)
		}
	}
	if a := b.operator(opsKey, "DELETE", path, "", "If-Match", `"00ff"`); a.status != 400 {
		t.Errorf("a conditional revocation: got %d", a.status)
	}
	if a := b.operator(opsKey, "DELETE", path, `{"dry_run":true}`); a.status != 400 {
		t.Errorf("a revocation with a body: got %d", a.status)
	}
}
