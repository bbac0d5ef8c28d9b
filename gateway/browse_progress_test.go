package gateway

import (
	"fmt"
	"testing"
)

// A search says how many objects it compared for a page, and up to which one. Objects outside
// of the scope do not count.
func TestSearchProgress(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 6000 {
		all = append(all, fmt.Sprintf("b/%05d", i))
	}
	all = append(all, "a/secret", "z/secret")
	type progress struct {
		searched int
		last     string
	}
	for _, tt := range []struct {
		name  string
		scope Pattern
		query ObjectsQuery // of the bucket exports
		want  []progress   // of each page
	}{
		{"no hit", "*", ObjectsQuery{Search: "nothing", Limit: 50}, []progress{{5000, "b/04998"}, {1002, "z/secret"}}},
		{"a full page", "*", ObjectsQuery{Search: "1", Limit: 2}, []progress{{12, "b/00010"}}},
		{
			"a scope", "exports/b/*",
			ObjectsQuery{Search: "nothing", Limit: 50},
			[]progress{{4999, "b/04998"}, {1001, "b/05999"}},
		},
		{"no object in the scope", "exports/c/*", ObjectsQuery{Search: "x", Limit: 50}, []progress{{}, {}}},
		{"no search", "*", ObjectsQuery{Prefix: "b/", Limit: 50}, []progress{{}}},
	} {
		f := newFixture(t, nil)
		f.objects.list = keys(all...)
		actor := everything()
		actor.Objects = []Pattern{tt.scope}
		tt.query.Bucket = "exports"
		for i, want := range tt.want {
			page, err := f.service.Objects(t.Context(), actor, tt.query)
			if got := (progress{page.Searched, page.LastKey}); err != nil || got != want {
				t.Errorf("%s, page %d: got %+v, %v; want %+v", tt.name, i, got, err, want)
			}
			tt.query.Cursor = page.Next
		}
	}
}
