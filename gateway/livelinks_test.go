package gateway

import (
	"errors"
	"maps"
	"slices"
	"testing"
)

// An actor gets the counts of the objects in the scope only, and needs the right to read.
func TestLiveLinks(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	reader := &Actor{Name: "r", Can: []Action{ActionRead}, Objects: []Pattern{"exports/a/*", "second:exports/b"}}
	ask := func(actor *Actor, keys ...string) []string {
		t.Helper()
		counts, err := f.service.LiveLinks(t.Context(), actor, "main", "exports", keys)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(counts))
	}
	if got := ask(reader, "a/1", "b", "a/2", "ab"); !slices.Equal(got, []string{"main:exports/a/1", "main:exports/a/2"}) {
		t.Errorf("got %v", got)
	}
	before := f.store.calls
	if got := ask(reader, "b"); len(got) > 0 || f.store.calls != before {
		t.Errorf("outside the scope: got %v", got)
	}
	if got := ask(reader); len(got) > 0 || f.store.calls != before {
		t.Errorf("no keys: got %v", got)
	}
	for name, tt := range map[string]struct {
		actor *Actor
		keys  []string
		want  Code
	}{
		"no right":      {&Actor{Can: []Action{ActionBrowse}, Objects: []Pattern{"*"}}, []string{"a"}, CodeForbidden},
		"too many keys": {reader, make([]string, MaxLiveKeys+1), CodeBadRequest},
	} {
		_, err := f.service.LiveLinks(t.Context(), tt.actor, "main", "exports", tt.keys)
		if refused, ok := errors.AsType[*Error](err); !ok || refused.Code != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	f.store.err = ErrUnavailable
	_, err := f.service.LiveLinks(t.Context(), reader, "main", "exports", []string{"a/1"})
	if refused, ok := errors.AsType[*Error](err); !ok || refused.Code != CodeUnavailable {
		t.Errorf("without Redis: %v", err)
	}
}
