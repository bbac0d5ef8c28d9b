package httpapi

import (
	"encoding/json"
	"slices"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/storetest"
)

// TestLinkOverAStore follows a link through the API over a real store: each answer depends
// on the requests before it.
func TestLinkOverAStore(t *testing.T) {
	t.Parallel()
	b := newBenchOver(t, storetest.Open(t), nil)
	call := func(method, target, body string, into any) {
		t.Helper()
		a := b.operator(opsKey, method, target, body)
		if err := json.Unmarshal([]byte(a.body), into); err != nil || a.status != 200 && a.status != 201 {
			t.Fatalf("%s %s: got %d %s, %v", method, target, a.status, a.body, err)
		}
	}
	var issued, other, link api.Link
	call("POST", "/api/v1/links", `{"bucket":"exports","key":"a","pin":"none","note":"n"}`, &issued)
	call("POST", "/api/v1/links", `{"bucket":"exports","key":"b"}`, &other)
	var page api.LinkPage
	call("GET", "/api/v1/links?key=a&bucket=exports", "", &page)
	if len(page.Links) != 1 || page.Links[0].ID != issued.ID || page.Links[0].Note != "n" || page.Next != "" {
		t.Errorf("listed as %+v", page)
	}
	path := "/api/v1/links/" + issued.ID
	call("PATCH", path, `{"note":"changed"}`, &link)
	if call("GET", path, "", &link); link.Note != "changed" || link.State != "active" || link.Clicks != 0 {
		t.Errorf("after the change: %+v", link)
	}
	click := "/" + issued.URL[len("https://dl.example.com/"):]
	if a := ask(b.api.Public(), "GET", click, ""); a.status != 302 || a.header.Get("Location") != presigned {
		t.Errorf("the click got %d", a.status)
	}
	var bulk api.Revocation
	call("POST", "/api/v1/revocations", `{"bucket":"exports","key":"a"}`, &bulk)
	if bulk.Matched != 1 || bulk.Revoked != 1 || !bulk.Done {
		t.Errorf("revoked %+v", bulk)
	}
	if call("GET", path, "", &link); link.State != "revoked" || link.RevokedBy != "ops" || link.Clicks != 1 {
		t.Errorf("after the revocation: %+v", link)
	}
	if call("GET", "/api/v1/links/"+other.ID, "", &link); link.State != "active" {
		t.Errorf("the other link is %s", link.State)
	}
	if a := ask(b.api.Public(), "GET", click, ""); a.status == 302 {
		t.Error("a revoked link redirects")
	}
	var events api.EventPage
	call("GET", path+"/events", "", &events)
	var kinds []string
	for _, e := range events.Events {
		kinds = append(kinds, e.Kind)
	}
	// Events in the same millisecond have no order between streams.
	for _, kind := range []string{"issued", "changed", "redirected", "revoked"} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("no event %s in %v", kind, kinds)
		}
	}
}
