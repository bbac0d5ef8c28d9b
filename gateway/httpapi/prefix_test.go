package httpapi

import (
	"encoding/json"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// TestShowByPrefix shows a link by the beginning of its id. All other requests need the
// whole id.
func TestShowByPrefix(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.put("exports", "a")
	show := func(text string) answer { return b.operator(opsKey, "GET", "/api/v1/links/"+text, "") }
	for n := range len(id) {
		a := show(id[:n])
		if n >= 8 {
			var link api.Link
			if err := json.Unmarshal([]byte(a.body), &link); err != nil || a.status != 200 || link.ID != id ||
				a.header.Get("ETag") != show(id).header.Get("ETag") {
				t.Errorf("%d characters: got %d, %v: %s", n, a.status, err, a.body)
			}
		} else if n > 0 && a.problem(t).Code != "not_found" {
			t.Errorf("%d characters: got %d %s", n, a.status, a.body)
		}
	}
	path := "/api/v1/links/" + id[:25]
	for name, a := range map[string]answer{
		"change": b.operator(opsKey, "PATCH", path, `{"note":"n"}`, "Content-Type", "application/json"),
		"revoke": b.operator(opsKey, "DELETE", path, ""),
		"events": b.operator(opsKey, "GET", path+"/events", ""),
	} {
		if p := a.problem(t); a.status != 404 || p.Code != "not_found" {
			t.Errorf("%s: got %d %+v", name, a.status, p)
		}
	}
	for last := range byte(2) {
		twin := gateway.ID{7, 1, 2, 3, 4, 15: last}
		b.store.links[twin] = gateway.Link{ID: twin, Ref: gateway.ObjectRef{Storage: "main", Bucket: "exports", Key: "a"}}
	}
	a := show(gateway.ID{7, 1, 2, 3, 4}.String()[:8])
	if p := a.problem(t); a.status != 409 || p.Code != "ambiguous" {
		t.Errorf("several links: got %d %+v", a.status, p)
	}
}
