package gateway

import (
	"fmt"
	"strings"
	"testing"
)

// TestIDPrefix reads the beginnings of ids of every length.
func TestIDPrefix(t *testing.T) {
	t.Parallel()
	id := IDOf("a")
	text := id.String()
	for n := range len(text) + 1 {
		prefix, ok := ParseIDPrefix(text[:n])
		if ok != (n >= 8 && n < 26) {
			t.Errorf("%d characters: %v", n, ok)
		}
		if !ok {
			continue
		}
		if !prefix.Matches(id) || prefix.Matches(IDOf("b")) {
			t.Errorf("%s does not match as it should", prefix)
		}
		if want := string(id[:n*5/8]); string(prefix.Bytes()) != want {
			t.Errorf("%s determines %x, want %x", prefix, prefix.Bytes(), want)
		}
	}
	for _, other := range []string{
		strings.ToUpper(text[:8]), "aaaaaaa1", "aaaaaaa=", "aaaaaaa ", "aaaa\x00aaaa", text + "a", "ääää", "aaaaaaa8",
	} {
		if _, ok := ParseIDPrefix(other); ok {
			t.Errorf("%q is read as a prefix", other)
		}
	}
}

// TestShowPrefix shows links by the beginnings of their ids. Links outside the scope do
// not count.
func TestShowPrefix(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	ids := map[string]ID{}
	for i, bucket := range []string{"reports", "exports", "exports"} {
		id := ID{7, 1, 2, 3, 4, byte(i << 4)}
		ids[fmt.Sprint(bucket, i)] = id
		f.store.links[id] = Link{ID: id, State: StateRevoked, Ref: ObjectRef{"main", bucket, "a"}}
	}
	prefix := func(id ID, n int) IDPrefix {
		parsed, ok := ParseIDPrefix(id.String()[:n])
		if !ok {
			t.Fatalf("no prefix of %s", id)
		}
		return parsed
	}
	of := func(pattern Pattern, actions ...Action) *Actor {
		return &Actor{Name: "a", Can: append(actions, ActionIssue), Objects: []Pattern{pattern}}
	}
	for name, test := range map[string]struct {
		actor  *Actor
		prefix IDPrefix
		want   string // the link or the code
	}{
		"several":              {everything(), prefix(ids["reports0"], 8), "ambiguous"},
		"a longer prefix":      {everything(), prefix(ids["exports1"], 10), "exports1"},
		"one in the scope":     {of("reports/*", ActionRead), prefix(ids["reports0"], 8), "reports0"},
		"two in the scope":     {of("exports/*", ActionRead), prefix(ids["reports0"], 8), "ambiguous"},
		"none in the scope":    {of("archive/*", ActionRead), prefix(ids["reports0"], 8), "not_found"},
		"unknown":              {everything(), prefix(IDOf("x"), 8), "not_found"},
		"without a right":      {of("*"), prefix(ids["reports0"], 10), "forbidden"},
		"outside of the scope": {of("archive/*", ActionRead), prefix(ids["reports0"], 25), "not_found"},
	} {
		link, err := f.service.ShowPrefix(t.Context(), test.actor, test.prefix)
		if id, ok := ids[test.want]; ok {
			if err != nil || link.ID != id {
				t.Errorf("%s: got %s, %v", name, link.ID, err)
			}
			continue
		}
		wantCode(t, err, Code(test.want))
		if strings.Contains(fmt.Sprint(err), "3 links") != (name == "several") {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.store.err = ErrUnavailable
	_, err := f.service.ShowPrefix(t.Context(), everything(), prefix(ids["reports0"], 8))
	wantCode(t, err, CodeUnavailable)
}
