package gateway

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestChangeOfAccess changes restrictions. A missing value removes none: a removal is asked
// for by its name.
func TestChangeOfAccess(t *testing.T) {
	t.Parallel()
	ref := ObjectRef{Storage: "main", Bucket: "reports", Key: "q3.pdf"}
	networks := func(texts ...string) *[]string { return &texts }
	for name, tt := range map[string]struct {
		req  ChangeRequest
		want string // field and code of each error
	}{
		"addresses":                {ChangeRequest{Allow: networks("192.0.2.7/24", "192.0.2.0/24")}, ""},
		"no address":               {ChangeRequest{Allow: networks()}, "allow empty"},
		"a wrong address":          {ChangeRequest{Allow: networks("192.0.2.7/33")}, "allow invalid"},
		"a passphrase":             {ChangeRequest{Passphrase: new("long enough")}, ""},
		"a short one":              {ChangeRequest{Passphrase: new("short")}, "passphrase too_short"},
		"an empty one":             {ChangeRequest{Passphrase: new("")}, "passphrase invalid"},
		"a start":                  {ChangeRequest{NotBefore: new("2026-12-01T08:00:00+01:00")}, ""},
		"a start without its zone": {ChangeRequest{NotBefore: new("2026-12-01T08:00:00")}, "not_before invalid"},
		"removals":                 {ChangeRequest{Remove: Removable()}, ""},
		"no removal":               {ChangeRequest{Remove: []string{}}, "expires_in required"},
		"an unknown removal":       {ChangeRequest{Remove: []string{"note"}}, "remove invalid"},
		"a passphrase and none": {
			ChangeRequest{Passphrase: new("long enough"), Remove: []string{"passphrase"}}, "remove conflict",
		},
		"addresses and none": {
			ChangeRequest{Allow: networks("192.0.2.7"), Remove: []string{"allow"}}, "remove conflict",
		},
		"a start and none": {
			ChangeRequest{NotBefore: new("2026-12-01T08:00:00Z"), Remove: []string{"not_before"}}, "remove conflict",
		},
		"a limit and a passphrase": {ChangeRequest{Passphrase: new("long enough"), MaxClicks: new(int64(3))}, ""},
	} {
		f := newFixture(t, func(o *Options) { o.Policy.PassphraseMin = 8 })
		id := ID{7}
		f.store.links = map[ID]Link{id: {ID: id, Ref: ref, State: StateActive}}
		_, err := f.service.Change(t.Context(), everything(), id, &tt.req)
		var refused *Error
		got := ""
		if errors.As(err, &refused) && len(refused.Fields) == 1 {
			got = refused.Fields[0].Field + " " + refused.Fields[0].Code
		}
		if got != tt.want || (err == nil) != (tt.want == "") {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

// TestChangeStoresAHash hands the store the hash of a passphrase and a new key, never the
// passphrase.
func TestChangeStoresAHash(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	id := ID{7}
	f.store.links = map[ID]Link{id: {ID: id, State: StateActive, Note: "for the auditors"}}
	changed, err := f.service.Change(t.Context(), everything(), id, &ChangeRequest{Passphrase: new("open sesame")})
	change := f.store.change
	if err != nil || change.Passphrase == nil || change.Key == [16]byte{} {
		t.Fatalf("got %+v, %v", change, err)
	}
	if right, err := f.service.hasher.matches(t.Context(), "open sesame", *change.Passphrase); !right || err != nil {
		t.Errorf("the hash does not match: %v", err)
	}
	if len(changed.Notes) != 1 || changed.Notes[0].Code != NoteNoteHidden || len(changed.Warnings) != 0 {
		t.Errorf("got the notes %v and the warnings %v", changed.Notes, changed.Warnings)
	}
}

// TestChangeThatWidens warns if more people can use a link after a change.
func TestChangeThatWidens(t *testing.T) {
	t.Parallel()
	within := func(texts ...string) (all []netip.Prefix) {
		for _, text := range texts {
			all = append(all, netip.MustParsePrefix(text))
		}
		return all
	}
	for name, tt := range map[string]struct {
		link Link
		req  ChangeRequest
		want string // a part of the warning; empty: none
	}{
		"no passphrase any more": {Link{Passphrase: true}, ChangeRequest{Remove: []string{"passphrase"}}, "no longer need"},
		"never a passphrase":     {Link{}, ChangeRequest{Remove: []string{"passphrase"}}, ""},
		"another passphrase":     {Link{Passphrase: true}, ChangeRequest{Passphrase: new("open sesame")}, ""},
		"every address": {
			Link{Allow: within("192.0.2.0/24")}, ChangeRequest{Remove: []string{"allow"}}, "every address",
		},
		"a larger network": {
			Link{Allow: within("192.0.2.0/24", "198.51.100.0/24")},
			ChangeRequest{Allow: &[]string{"192.0.2.0/23", "198.51.100.7"}},
			"more addresses now: 192.0.2.0/23",
		},
		"another network": {
			Link{Allow: within("192.0.2.0/24")}, ChangeRequest{Allow: &[]string{"2001:db8::/32"}}, "2001:db8::/32",
		},
		"a smaller network": {
			Link{Allow: within("192.0.2.0/24")}, ChangeRequest{Allow: &[]string{"192.0.2.128/25"}}, "",
		},
		"a first network": {Link{}, ChangeRequest{Allow: &[]string{"192.0.2.128/25"}}, ""},
	} {
		f := newFixture(t, nil)
		id := ID{7}
		tt.link.ID, tt.link.State = id, StateActive
		f.store.links = map[ID]Link{id: tt.link}
		changed, err := f.service.Change(t.Context(), everything(), id, &tt.req)
		got := ""
		if len(changed.Warnings) == 1 && changed.Warnings[0].Code == WarnAccessWidened {
			got = changed.Warnings[0].Message
		}
		if err != nil || (tt.want == "") != (len(changed.Warnings) == 0) || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %v, %v, want %q", name, changed.Warnings, err, tt.want)
		}
	}
}

// TestRepeatedChangeOfAccess makes a change again under an old revision, if it is made
// already. Nobody can tell that of a passphrase.
func TestRepeatedChangeOfAccess(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	link := Link{
		State: StateActive, Revision: "new", Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, NotBefore: start,
	}
	for name, tt := range map[string]struct {
		req  ChangeRequest
		made bool
	}{
		"the addresses":      {ChangeRequest{Allow: &[]string{"192.0.2.1/24"}}, true},
		"other addresses":    {ChangeRequest{Allow: &[]string{"192.0.2.1/25"}}, false},
		"the start":          {ChangeRequest{NotBefore: new("2026-12-01T09:00:00+01:00")}, true},
		"another start":      {ChangeRequest{NotBefore: new("2026-12-01T09:00:00Z")}, false},
		"no start":           {ChangeRequest{Remove: []string{"not_before"}}, false},
		"no passphrase":      {ChangeRequest{Remove: []string{"passphrase"}}, true},
		"any passphrase":     {ChangeRequest{Passphrase: new("open sesame")}, false},
		"one of two changes": {ChangeRequest{Remove: []string{"passphrase", "allow"}}, false},
	} {
		f := newFixture(t, nil)
		id := ID{7}
		f.store.links = map[ID]Link{id: link}
		tt.req.IfMatch = []string{"old"}
		_, err := f.service.Change(t.Context(), everything(), id, &tt.req)
		if made := err == nil; made != tt.made {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPreviousPassphraseAfterASlowStorage refuses a form whose passphrase was replaced while
// the storage was slow, and spends nothing.
func TestPreviousPassphraseAfterASlowStorage(t *testing.T) {
	t.Parallel()
	f, a := confirmed(t)
	kept, err := f.service.hasher.make(t.Context(), "previous one")
	if err != nil {
		t.Fatal(err)
	}
	f.clicks.admission.Permission.Pin, f.clicks.admission.Permission.ETag = PinETag, `"e"`
	f.clicks.admission.Permission.Secrets.Passphrase, a.Form.Passphrase = kept, "previous one"
	again := f.clicks.admission
	again.Permission.Secrets.Passphrase = "another"
	slowStorage(f, 2*time.Second)
	admitsAgain(f, again, nil)
	answer, err := f.service.Click(t.Context(), a)
	f.service.Wait()
	if answer.Outcome != OutcomeConfirmationRequired || answer.Location != "" || len(f.clicks.nonces) != 0 {
		t.Errorf("got %+v, %v after %d nonces", answer, err, len(f.clicks.nonces))
	}
}
