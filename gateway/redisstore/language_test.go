package redisstore_test

import (
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// inLanguage changes the language of a link.
func inLanguage(t *testing.T, s *redisstore.Store, id gateway.ID, tag string) gateway.Link {
	t.Helper()
	change := gateway.Change{Language: &tag, Window: window, Longest: 24 * time.Hour}
	changed, err := s.Change(t.Context(), id, change, operator())
	if err != nil {
		t.Fatalf("change to %q: %v", tag, err)
	}
	return changed
}

// testLanguage changes the language of links of every version: nothing else changes, and
// each link works as before.
func testLanguage(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	inPolish := newLink(t)
	inPolish.Language = "pl"
	for name, link := range map[string]gateway.Link{
		"version 1": create(t, s, newLink(t)), "version 2": restrict(t, s, limited(t, 4)),
		"version 3": create(t, s, inPolish),
	} {
		for _, tag := range []string{"de", "ar", "", "en"} {
			before := get(t, s, link.ID)
			changed := inLanguage(t, s, link.ID, tag)
			if changed.Revision == before.Revision && before.Language != tag {
				t.Errorf("%s: %q is no new revision", name, tag)
			}
			link.Language = tag
			equal(t, name+" in "+tag, plain(changed), plain(link))
			equal(t, name+" in "+tag+" again", plain(get(t, s, link.ID)), plain(link))
			if link.NeedsConfirmation() {
				shown := attempt(t, s, gateway.Attempt{ID: link.ID, Method: "GET", Page: true})
				equal(t, name+": the page", []any{shown.Outcome, shown.Link.Language}, []any{gateway.OutcomePage, tag})
				equal(t, name+": a form", spend(t, s, link.ID, tag).Outcome, gateway.OutcomeRedirected)
				if link.Clicks++; link.Clicks == link.MaxClicks {
					link.State = gateway.StateUsedUp
				}
				continue
			}
			equal(t, name+": a click", admit(t, s, link.ID, "GET"), gateway.OutcomeRedirected)
			link.Clicks++
		}
		if changed, err := revokes(t, s, link.ID); !changed || err != nil {
			t.Errorf("%s: revoke: changed %v, %v", name, changed, err)
		}
		want := map[bool]gateway.Outcome{false: gateway.OutcomeRevoked, true: gateway.OutcomeUsedUp}[link.MaxClicks > 0]
		refused := attempt(t, s, gateway.Attempt{ID: link.ID, Method: "GET", Page: true})
		equal(t, name+": after its end", []any{refused.Outcome, refused.Facts.Language}, []any{want, "en"})
	}
}

// TestLanguageRaisesTheVersion looks at the records of a link whose language changes: only
// the history gets version 3, which gateways of the previous version refuse, and it keeps
// it. A change of another field keeps the version.
func TestLanguageRaisesTheVersion(t *testing.T) {
	node := redistest.StartSingle(t)
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix("keyhole"))
	versions := func(id gateway.ID) [2]byte {
		return [2]byte{node.MustDo(t, "LINDEX", keyOf("h", id), "0")[0], node.MustDo(t, "GET", keyOf("l", id))[0]}
	}
	for version, link := range map[byte]gateway.Link{1: create(t, s, newLink(t)), 2: restrict(t, s, limited(t, 3))} {
		equal(t, "issued", versions(link.ID), [2]byte{version, version})
		if _, err := s.Change(t.Context(), link.ID, gateway.Change{Note: new("n")}, operator()); err != nil {
			t.Fatal(err)
		}
		equal(t, "with another note", versions(link.ID), [2]byte{version, version})
		inLanguage(t, s, link.ID, "")
		equal(t, "without a language as before", versions(link.ID), [2]byte{version, version})
		inLanguage(t, s, link.ID, "de")
		equal(t, "in German", versions(link.ID), [2]byte{3, version})
		inLanguage(t, s, link.ID, "")
		equal(t, "without a language again", versions(link.ID), [2]byte{3, version})
		equal(t, "read again", get(t, s, link.ID).Language, "")
	}
}
