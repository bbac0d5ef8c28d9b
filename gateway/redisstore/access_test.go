package redisstore_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// changeAccess makes a change with a key of its own.
func changeAccess(t *testing.T, s *redisstore.Store, id gateway.ID, c gateway.Change) gateway.Link {
	t.Helper()
	c.Window, c.Longest, c.Key = window, 24*time.Hour, anotherKey()
	changed, err := s.Change(t.Context(), id, c, operator())
	if err != nil {
		t.Fatalf("change to %+v: %v", c, err)
	}
	return changed
}

func anotherKey() [16]byte { return [16]byte([]byte("fedcba9876543210")) }

func prefixes(texts ...string) *[]netip.Prefix {
	all := []netip.Prefix{}
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return &all
}

// testAccess changes the restrictions of links of every version. Clicks, times and what is
// signed stay, and the new restrictions decide the next click.
func testAccess(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	from := func(id gateway.ID, address string) gateway.Outcome {
		return attempt(t, s, gateway.Attempt{
			ID: id, Method: "GET", Client: netip.MustParseAddr(address),
		}).Outcome
	}
	locked := newLink(t)
	locked.Passphrase, locked.MaxClicks, locked.Language, locked.Reveal = true, 5, "de", gateway.RevealBefore
	for name, link := range map[string]gateway.Link{
		"version 1": create(t, s, newLink(t)), "version 2": restrict(t, s, limited(t, 5)),
		"version 3": restrict(t, s, locked),
	} {
		confirms := link.NeedsConfirmation()
		admitted := gateway.OutcomeRedirected
		if confirms {
			admitted = gateway.OutcomeConfirmationRequired
			spend(t, s, link.ID, "")
		} else {
			admit(t, s, link.ID, "GET")
		}
		link.Clicks = 1
		equal(t, name+": a click", plain(get(t, s, link.ID)), plain(link))

		link.Allow = *prefixes("192.0.2.0/24", "2001:db8::/32")
		changed := changeAccess(t, s, link.ID, gateway.Change{Allow: &link.Allow})
		equal(t, name+": other addresses", plain(changed), plain(link))
		equal(t, name+": read again", plain(get(t, s, link.ID)), plain(link))
		equal(t, name+": from elsewhere", from(link.ID, "198.51.100.1"), gateway.OutcomeAddressNotAllowed)
		equal(t, name+": from there", from(link.ID, "2001:db8::1"), admitted)
		if !confirms {
			link.Clicks++
		}

		later := changed.CreatedAt.Add(30 * time.Minute)
		link.NotBefore, link.State = later, gateway.StateNotYet
		changed = changeAccess(t, s, link.ID, gateway.Change{NotBefore: &later})
		equal(t, name+": a later start", plain(changed), plain(link))
		equal(t, name+": before it", from(link.ID, "192.0.2.1"), gateway.OutcomeNotYet)

		link.NotBefore, link.State, link.Allow = time.Time{}, gateway.StateActive, nil
		changed = changeAccess(t, s, link.ID, gateway.Change{NotBefore: &time.Time{}, Allow: prefixes()})
		equal(t, name+": no restriction", plain(changed), plain(link))
		equal(t, name+": from everywhere", from(link.ID, "198.51.100.1"), admitted)
		equal(t, name+": expires", get(t, s, link.ID).ExpiresAt, link.ExpiresAt)
		// The limit of clicks still decides.
		for n := link.Clicks; n < link.MaxClicks; n++ {
			equal(t, name+": a use", spend(t, s, link.ID, "").Outcome, gateway.OutcomeRedirected)
		}
		if link.MaxClicks > 0 {
			equal(t, name+": one more", spend(t, s, link.ID, "").Outcome, gateway.OutcomeUsedUp)
		}
	}
}

// testPassphraseChange gives a passphrase to links of every version, replaces and removes
// it. The key of nonces and grants changes with the passphrase, so that nobody continues
// with the previous one.
func testPassphraseChange(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	locked := newLink(t)
	locked.Passphrase, locked.Reveal = true, gateway.RevealBefore
	for name, link := range map[string]gateway.Link{
		"version 1": create(t, s, newLink(t)), "version 2": restrict(t, s, limited(t, 5)),
		"version 3": restrict(t, s, locked),
	} {
		before := get(t, s, link.ID)
		confirms := link.NeedsConfirmation() && !link.Passphrase
		changed := changeAccess(t, s, link.ID, gateway.Change{Passphrase: new("\x01new")})
		link.Passphrase = true
		if link.Reveal == "" {
			link.Reveal = gateway.RevealAfter
		}
		equal(t, name+": changed", plain(changed), plain(link))
		if changed.Revision == before.Revision {
			t.Errorf("%s: the passphrase is no new revision", name)
		}
		shown := attempt(t, s, gateway.Attempt{ID: link.ID, Method: "GET", Page: true})
		equal(t, name+": the page", shown.Outcome, gateway.OutcomePage)
		equal(t, name+": secrets", shown.Permission.Secrets, gateway.Secrets{Key: anotherKey(), Passphrase: "\x01new"})
		signed := shown.Permission
		equal(t, name+": what is signed", []any{signed.Ref, signed.Filename, signed.ContentType, signed.Disposition},
			[]any{link.Ref, link.Filename, link.Object.ContentType, link.Disposition})
		if tried, err := s.ReserveAttempt(t.Context(), link.ID, "client"); err != nil || tried.Reserved == "" {
			t.Errorf("%s: an attempt: %+v, %v", name, tried, err)
		}
		equal(t, name+": spend", spend(t, s, link.ID, "nonce").Outcome, gateway.OutcomeRedirected)
		equal(t, name+": resume", spend(t, s, link.ID, "nonce").Outcome, gateway.OutcomeResumed)
		link.Clicks++

		again := changeAccess(t, s, link.ID, gateway.Change{Passphrase: new("\x01other")})
		equal(t, name+": replaced", plain(again), plain(link))
		if again.Revision == changed.Revision {
			t.Errorf("%s: the other passphrase is no new revision", name)
		}
		link.Passphrase, link.Reveal = false, ""
		removed := changeAccess(t, s, link.ID, gateway.Change{Passphrase: new("")})
		equal(t, name+": removed", plain(removed), plain(link))
		want := gateway.OutcomeRedirected
		if confirms {
			want = gateway.OutcomeConfirmationRequired
		}
		equal(t, name+": without", admit(t, s, link.ID, "GET"), want)
		if changed, err := revokes(t, s, link.ID); !changed || err != nil {
			t.Errorf("%s: revoke: changed %v, %v", name, changed, err)
		}
	}
}

// TestAccessRecords looks at the records of a link whose restrictions change. Only a change
// of restrictions raises the version of the permission, and every key of the link expires
// with it.
func TestAccessRecords(t *testing.T) {
	t.Parallel()
	node := redistest.StartSingle(t)
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix("keyhole"))
	link := create(t, s, newLink(t))
	version := func() byte { return node.MustDo(t, "GET", keyOf("l", link.ID))[0] }
	changeAccess(t, s, link.ID, gateway.Change{
		Allow: prefixes(), NotBefore: &time.Time{}, Passphrase: new(""), Note: new("n"),
	})
	equal(t, "without what it has not", version(), 1)
	equal(t, "keys", node.MustDo(t, "EXISTS", keyOf("s", link.ID), keyOf("t", link.ID)), "0")
	changeAccess(t, s, link.ID, gateway.Change{Allow: prefixes("192.0.2.0/24")})
	equal(t, "with addresses", version(), 2)
	changeAccess(t, s, link.ID, gateway.Change{Passphrase: new("\x01kept")})
	changeAccess(t, s, link.ID, gateway.Change{Life: 2 * time.Hour})
	ends := node.MustDo(t, "PEXPIRETIME", keyOf("l", link.ID))
	for _, letter := range []string{"s", "t"} {
		equal(t, "the end of "+letter, node.MustDo(t, "PEXPIRETIME", keyOf(letter, link.ID)), ends)
	}

	// A start behind the end is refused, and nothing is written.
	late := time.Now().Add(3 * time.Hour)
	_, err := s.Change(t.Context(), link.ID, gateway.Change{NotBefore: &late, Passphrase: new("")}, operator())
	if now := get(t, s, link.ID); !errors.Is(err, gateway.ErrNeverValid) || !now.Passphrase || !now.NotBefore.IsZero() {
		t.Errorf("a start behind the end: %v, %+v", err, now)
	}
	// A broken permission, or a flag that may be a restriction, is not rewritten.
	whole := node.MustDo(t, "GET", keyOf("l", link.ID))
	for name, broken := range map[string]string{
		"cut short":       whole[:50],
		"a long secret":   whole[:48] + "\xff" + whole[49:],
		"an unknown flag": whole[:1] + "\x06" + whole[2:],
	} {
		set := func(text string) { node.MustDo(t, "SET", keyOf("l", link.ID), text, "KEEPTTL") }
		// Another gateway can write it after this one has read the link.
		set(whole)
		change := gateway.Change{Allow: prefixes("198.51.100.0/24"), Window: window, Longest: 24 * time.Hour}
		meanwhile := s.ChangeAfter(t.Context(), link.ID, change, operator(), func() { set(broken) })
		kept := node.MustDo(t, "GET", keyOf("l", link.ID))
		_, err := s.Change(t.Context(), link.ID, change, operator())
		if !errors.Is(meanwhile, gateway.ErrUnavailable) || !errors.Is(err, gateway.ErrUnavailable) || kept != broken ||
			node.MustDo(t, "GET", keyOf("l", link.ID)) != broken {
			t.Errorf("%s: %v, %v, %q", name, meanwhile, err, kept)
		}
	}
}

// TestLimitWithAPassphrase limits the clicks of a plain link that gets a passphrase in the
// same change.
func TestLimitWithAPassphrase(t *testing.T) {
	t.Parallel()
	s := open(t, startSingle(t).client)
	link := create(t, s, newLink(t))
	changed := changeAccess(t, s, link.ID, gateway.Change{Passphrase: new("\x01kept"), MaxClicks: 1})
	equal(t, "limit", changed.MaxClicks, 1)
	equal(t, "the click", spend(t, s, link.ID, "").Outcome, gateway.OutcomeRedirected)
	equal(t, "another click", spend(t, s, link.ID, "").Outcome, gateway.OutcomeUsedUp)
}

// TestAccessKeepsGrants keeps the key of grants and the pause of a link, unless the change
// is about them.
func TestAccessKeepsGrants(t *testing.T) {
	t.Parallel()
	s := open(t, startSingle(t).client)
	link := newLink(t)
	link.Passphrase = true
	restrict(t, s, link)
	changeAccess(t, s, link.ID, gateway.Change{Paused: new(true)})
	for name, change := range map[string]gateway.Change{
		"addresses": {Allow: prefixes("192.0.2.0/24")}, "no passphrase": {Passphrase: new(""), MaxClicks: 7},
	} {
		changed := changeAccess(t, s, link.ID, change)
		equal(t, name+": the state", changed.State, gateway.StatePaused)
	}
	changeAccess(t, s, link.ID, gateway.Change{Paused: new(false), Allow: prefixes()})
	shown := attempt(t, s, gateway.Attempt{ID: link.ID, Method: "GET", Page: true})
	equal(t, "secrets", shown.Permission.Secrets, gateway.Secrets{Key: secrets().Key})
}
