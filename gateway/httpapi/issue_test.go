package httpapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/storetest"
)

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := newBenchOver(t, storetest.Open(t), nil)
	issue := func(body string, keys ...string) answer {
		headers := []string{"Content-Type", "application/json"}
		for _, key := range keys {
			headers = append(headers, "Idempotency-Key", key)
		}
		return b.operator(opsKey, "POST", "/api/v1/links", body, headers...)
	}
	for _, keys := range [][]string{{""}, {strings.Repeat("k", 129)}, {"a\tb"}, {"\u00e9"}, {"k", "k"}, {"k", "l"}} {
		a := issue(`{"bucket":"exports","key":"a"}`, keys...)
		if p := a.problem(t); a.status != 422 || len(p.Errors) != 1 || p.Errors[0].Field != "Idempotency-Key" ||
			p.Errors[0].Code != "invalid" {
			t.Errorf("%q: got %d %+v", keys, a.status, p)
		}
	}
	links := func() int {
		t.Helper()
		var page api.LinkPage
		if err := json.Unmarshal([]byte(b.operator(readKey, "GET", "/api/v1/links", "").body), &page); err != nil {
			t.Fatal(err)
		}
		return len(page.Links)
	}
	if n := links(); n != 0 {
		t.Fatalf("%d links were issued", n)
	}
	longest := "~ " + strings.Repeat("k", 126)
	first := issue(`{"bucket":"exports","key":"a","labels":{"x":"1","y":"2"}}`, longest)
	// Another order and other blanks are no other request.
	second := issue(`{ "labels": {"y":"2","x":"1"}, "key":"a", "bucket":"exports" }`, longest)
	if first.status != 201 || second.status != 201 || first.body != second.body ||
		first.header.Get("Location") != second.header.Get("Location") || links() != 1 {
		t.Errorf("got %d %s, then %d %s, with %d links", first.status, first.body, second.status, second.body,
			links())
	}
	other := issue(`{"bucket":"exports","key":"b"}`, longest)
	if p := other.problem(t); other.status != 409 || p.Code != "idempotency_conflict" {
		t.Errorf("another body: got %d %+v", other.status, p)
	}
}

func TestIssueAnswersWithTheLink(t *testing.T) {
	t.Parallel()
	b := newBenchOver(t, storetest.Open(t), nil)
	a := b.operator(opsKey, "POST", "/api/v1/links", bodyWith(
		`"storage":"main","preset":"handoff","sensitive":true,"filename":"<b>.txt","disposition":"inline",`+
			`"pin":"none","note":"n","labels":{"team":"x"}`))
	if a.status != 201 {
		t.Fatalf("got %d: %s", a.status, a.body)
	}
	var link api.Link
	if err := json.Unmarshal([]byte(a.body), &link); err != nil {
		t.Fatal(err)
	}
	token, ok := strings.CutPrefix(link.URL, "https://dl.example.com/")
	if !ok || !gateway.ValidToken(token) || gateway.IDOf(token).String() != link.ID {
		t.Errorf("the URL is %q of %s", link.URL, link.ID)
	}
	if a.header.Get("Location") != "/api/v1/links/"+link.ID || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("the headers are %v", a.header)
	}
	if link.State != "active" || link.Storage != "main" || link.Bucket != "exports" || link.Key != "a" ||
		link.Preset != "handoff" ||
		link.Sensitive == nil || !*link.Sensitive || link.Filename != "<b>.txt" || link.Disposition != "inline" ||
		link.Note != "n" ||
		link.Labels["team"] != "x" || link.CreatedBy != "ops" || link.ExpiresAt.Sub(link.CreatedAt).Minutes() != 15 ||
		*link.Object.Size != 3 {
		t.Errorf("the link is %+v", link)
	}
	// Of what this version cannot do the link says no and nothing, never null lists.
	for _, member := range []string{
		`"max_clicks":null`, `"confirm":false`, `"passphrase":false`, `"allow":[]`,
		`"not_before":null`, `"warnings":[]`, `"pin":"none"`,
	} {
		if !strings.Contains(a.body, member) {
			t.Errorf("%s is not in %s", member, a.body)
		}
	}
	warned := b.operator(opsKey, "POST", "/api/v1/links",
		`{"bucket":"exports","key":"dir/q3.csv","expires_in":"2d","sensitive":false}`)
	for _, member := range []string{
		`"notes":[{"code":"etag_only","message":"`,
		`"warnings":[{"code":"long_expiry","message":"`, `"pin":"etag"`, `"filename":"q3.csv"`, `"labels":{}`,
		`"preset":"custom"`, `"sensitive":false`,
	} {
		if !strings.Contains(warned.body, member) {
			t.Errorf("%s is not in %s", member, warned.body)
		}
	}
	show := b.operator(opsKey, "GET", "/api/v1/links/"+link.ID, "")
	if show.status != http.StatusOK || strings.Contains(show.body, token) || strings.Contains(show.body, `"url"`) {
		t.Errorf("the link is shown with its URL: %s", show.body)
	}
}

// Keys arrive unchanged, however JSON escapes them.
func TestKeysAreTakenLiterally(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"%2e%2e/x", "a//b", "/lead", "dir/", `sp ace+%20?#&;'"\`, "emoji 📄", "caf\u00e9", "cafe\u0301", "<script>",
		"\u2028", "\x7f", "\ufffd",
	} {
		b := newBench(t, nil)
		body, err := json.Marshal(map[string]string{"bucket": "exports", "key": key})
		if err != nil {
			t.Fatal(err)
		}
		a := b.operator(opsKey, "POST", "/api/v1/links", string(body))
		var link api.Link
		if err := json.Unmarshal([]byte(a.body), &link); err != nil || a.status != 201 || link.Key != key ||
			!slices.Equal(b.storage.proved, []string{"exports/" + key}) {
			t.Errorf("%q: got %d %q, proved %q, %v", key, a.status, link.Key, b.storage.proved, err)
		}
	}
}
