package record

import (
	"errors"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// element packs a click of a link's list as the scripts do.
func element(letters string, at, clicks int64, address string) string {
	return string([]byte{Plain}) + letters + bigEndian(at, 6) + bigEndian(clicks, 5) + PackAddress(address)
}

// TestStates reads links at every stage of their life. The count comes from the history of
// an ended link, from the permission of a live one, and from the newest click otherwise.
func TestStates(t *testing.T) {
	link := golden()
	const created, expires, forgotten = now - 10_000, now + 10_000, now + 20_000
	live := historyOf(&link, endNone, created, expires, 0, forgotten, 9)
	over := historyOf(&link, endNone, created, now, 0, forgotten, 9)
	used := historyOf(&link, endUsedUp, created, expires, now-1, forgotten, 5)
	revoked := historyOf(&link, endRevoked, created, expires, now-1, forgotten, 6) +
		string(RevocationFields("bob", "leak"))
	permission := func(flags int, expires, clicks int64) string { return headOf(Plain, flags, expires, 0, clicks) }
	start := func(at int64) string { return headOf(Restricted, 0, expires, at, 1) }
	for _, tt := range []struct {
		name   string
		view   View
		state  gateway.State
		clicks int64
		open   bool
	}{
		{"live", View{History: live, Permission: permission(0, expires, 3)}, gateway.StateActive, 3, true},
		{"paused", View{History: live, Permission: permission(1, expires, 3)}, gateway.StatePaused, 3, true},
		{"not yet", View{History: live, Permission: start(now + 1)}, gateway.StateNotYet, 1, true},
		{"begun", View{History: live, Permission: start(now)}, gateway.StateActive, 1, true},
		{"at its end", View{History: live, Permission: permission(0, now, 3)}, gateway.StateExpired, 3, false},
		{"expired unclicked", View{History: over}, gateway.StateExpired, 9, false},
		{"expired", View{History: over, NewestClick: element("dgd", now-1, 4, "")}, gateway.StateExpired, 4, false},
		{"used up", View{History: used}, gateway.StateUsedUp, 5, false},
		{"used up, with grants", View{History: used, Permission: permission(0, expires, 2)}, gateway.StateUsedUp, 5, true},
		{"revoked", View{History: revoked}, gateway.StateRevoked, 6, false},
	} {
		tt.view.Now = now
		got, err := tt.view.Link(link.ID)
		if err != nil || got.State != tt.state || got.Clicks != tt.clicks {
			t.Errorf("%s: %s, %d clicks, %v; want %s, %d", tt.name, got.State, got.Clicks, err, tt.state, tt.clicks)
		}
		if open := tt.view.Open(); open != tt.open {
			t.Errorf("%s: open %v", tt.name, open)
		}
	}
	got, err := View{Now: now, History: revoked}.Link(link.ID)
	if err != nil || got.RevokedBy != "bob" || got.RevokeReason != "leak" ||
		!got.RevokedAt.Equal(time.UnixMilli(now-1)) {
		t.Errorf("revoked by %q for %q at %v, %v", got.RevokedBy, got.RevokeReason, got.RevokedAt, err)
	}
}

// TestForgotten reads links that Redis does not know, or will remove at any moment.
func TestForgotten(t *testing.T) {
	link := golden()
	for name, view := range map[string]View{
		"nothing":             {Now: now},
		"only a permission":   {Now: now, Permission: headOf(Plain, 0, now+1, 0, 0)},
		"past its retention":  {Now: now, History: historyOf(&link, endNone, 1, 2, 0, now-1, 0)},
		"at its last instant": {Now: now, History: historyOf(&link, endNone, 1, 2, 0, now, 0)},
	} {
		if _, err := view.Link(link.ID); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
}

// TestUnknownHistories refuses histories that this version does not understand.
func TestUnknownHistories(t *testing.T) {
	link := golden()
	good := historyOf(&link, endNone, now-1, now+1, 0, now+2, 0)
	permission := headOf(Plain, 0, now+1, 0, 0)
	restricted := golden()
	restricted.MaxClicks = 1
	opens := string(appendRestrictions(nil, &restricted))
	history := historyOf(&restricted, endNone, now-1, now+1, 0, now+2, 0)
	for name, view := range map[string]View{
		"version 0":           {History: "\x00" + good[1:], Permission: permission},
		"version 4":           {History: "\x04" + good[1:], Permission: permission},
		"a later version":     {History: "\x02" + good[1:], Permission: permission},
		"an earlier version":  {History: "\x01" + history[1:], Permission: permission},
		"an unknown end":      {History: good[:1] + "\x03" + good[2:], Permission: permission},
		"a field too many":    {History: good + "x", Permission: permission},
		"a placeholder":       {History: "?", Permission: permission},
		"unknown permission":  {History: good, Permission: "?"},
		"permission flags":    {History: good, Permission: headOf(Plain, 2, now+1, 0, 0)},
		"permission's start":  {History: good, Permission: headOf(Plain, 0, now+1, 1, 0)},
		"permission's length": {History: good, Permission: permission[:18]},
		"an unknown click":    {History: good, NewestClick: "\x02" + element("dgd", 1, 1, "")[1:]},
		"an unknown kind":     {History: good, NewestClick: element("?gd", 1, 1, "")},
		"an unknown opening":  {History: strings.Replace(history, opens, "\x04"+opens[1:], 1), Permission: permission},
	} {
		view.Now = now
		if _, err := view.Link(link.ID); !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("%s: %v, want ErrRecord", name, err)
		}
	}
	if (View{Now: now, Permission: "?"}).Open() {
		t.Error("a permission that nobody understands is open")
	}
}

// TestAdmissions reads every kind of answer of the script of clicks.
func TestAdmissions(t *testing.T) {
	link := fullLink()
	secrets := gateway.Secrets{Passphrase: "hash"}
	version := VersionOf(&link)
	permission := headOf(version, PermissionFlags(&link), now+1000, 0, 2) +
		string(PermissionBody(&link, &secrets))
	shown := func(letter, used string) string {
		return letter + bigEndian(now, 6) + used + bigEndian(int64(len(permission)), 3) + permission +
			historyOf(&link, endNone, now-1, now+1000, 0, now+9000, 0)
	}
	for _, tt := range []struct {
		name, answer string
		want         gateway.Outcome
		used, link   bool
	}{
		{"refused", "r", gateway.OutcomeRevoked, false, false},
		{"not found", "n", gateway.OutcomeNotFound, false, false},
		{"admitted", "d" + bigEndian(now, 6) + permission, gateway.OutcomeRedirected, false, false},
		{"a page", shown("g", "-"), gateway.OutcomePage, false, true},
		{"confirmation required", shown("c", "-"), gateway.OutcomeConfirmationRequired, false, true},
		{"undecided", shown("k", "-"), "", false, true},
		{"undecided, used up", shown("k", "u"), "", true, true},
	} {
		got, err := ParseAdmission(tt.answer, link.ID)
		if err != nil || got.Outcome != tt.want || got.UsedUp != tt.used || (got.Link != nil) != tt.link {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
		if tt.link && (!got.Now.Equal(time.UnixMilli(now)) || got.Link.Note != link.Note ||
			got.Permission.Secrets != secrets) {
			t.Errorf("%s: at %v, link %+v", tt.name, got.Now, got.Link)
		}
		if len(tt.answer) > 1 && got.Permission.Remaining != time.Second {
			t.Errorf("%s: %v remain", tt.name, got.Permission.Remaining)
		}
	}
}

// TestRefusalsWithFacts reads refusals with the history behind them. The refusal does not
// depend on the history.
func TestRefusalsWithFacts(t *testing.T) {
	link := fullLink()
	history := historyOf(&link, endRevoked, now-1000, now+1000, now-1, now+9000, 0) +
		string(RevocationFields("bob", "leak"))
	want := gateway.Facts{
		Reference: link.ID.String()[:8], Language: link.Language, NotBefore: link.NotBefore,
		ExpiresAt: time.UnixMilli(now + 1000).UTC(), RevokedAt: time.UnixMilli(now - 1).UTC(),
	}
	for letter, outcome := range map[string]gateway.Outcome{
		"r": gateway.OutcomeRevoked, "e": gateway.OutcomeExpired, "u": gateway.OutcomeUsedUp, "s": gateway.OutcomePaused,
		"y": gateway.OutcomeNotYet, "a": gateway.OutcomeAddressNotAllowed,
	} {
		answer := letter + bigEndian(now, 6) + history
		got, err := ParseAdmission(answer, link.ID)
		if err != nil || got.Outcome != outcome || got.Facts == nil || *got.Facts != want || got.Link != nil {
			t.Errorf("%s: %+v, facts %+v, %v", outcome, got, got.Facts, err)
		}
		for n := 1; n < len(answer); n++ {
			got, err := ParseAdmission(answer[:n], link.ID)
			if err != nil || got.Outcome != outcome || got.Facts != nil {
				t.Errorf("%s after %d of %d bytes: %+v, %v", outcome, n, len(answer), got, err)
			}
		}
		if got, err := ParseAdmission(answer+"x", link.ID); err != nil || got.Facts != nil {
			t.Errorf("%s with another field: %+v, %v", outcome, got, err)
		}
	}
}

// TestCutAdmissions cuts answers everywhere: an error in place of a link or a permission
// that is not whole.
func TestCutAdmissions(t *testing.T) {
	link := golden()
	permission := headOf(Plain, 0, now+1000, 0, 2) + string(PermissionBody(&link, &gateway.Secrets{}))
	admitted := "d" + bigEndian(now, 6) + permission
	shown := "g" + bigEndian(now, 6) + "-" + bigEndian(int64(len(permission)), 3) + permission +
		historyOf(&link, endNone, now-1, now+1000, 0, now+9000, 0)
	for name, answer := range map[string]string{"admitted": admitted, "shown": shown} {
		if _, err := ParseAdmission(answer, link.ID); err != nil {
			t.Errorf("%s whole: %v", name, err)
		}
		for n := range answer {
			if n == 1 {
				continue // A single letter is a complete answer.
			}
			_, err := ParseAdmission(answer[:n], link.ID)
			// Without its history a link that is shown is one that is not known.
			if !errors.Is(err, gateway.ErrRecord) && !errors.Is(err, gateway.ErrNotFound) {
				t.Errorf("%s after %d of %d bytes: %v", name, n, len(answer), err)
			}
		}
	}
	for _, unknown := range []string{"?", "z", "\x00", "K" + admitted[1:]} {
		if _, err := ParseAdmission(unknown, link.ID); !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("%q: %v, want ErrRecord", unknown[:1], err)
		}
	}
}

// TestLastUse reads the time of the last download, which a damaged reply must not turn
// into another time.
func TestLastUse(t *testing.T) {
	t.Parallel()
	link := golden()
	const now = 1_800_000_000_000
	view := View{Now: now, History: historyOf(&link, endNone, now-1000, now+1000, 0, now+5000, 0)}
	packed := Place(now-7, 0)[:6]
	for text, want := range map[string]time.Time{"": {}, packed: time.UnixMilli(now - 7).UTC()} {
		view.LastUse = text
		got, err := view.Link(link.ID)
		if err != nil || !got.LastUsedAt.Equal(want) {
			t.Errorf("%q: got %v, %v, want %v", text, got.LastUsedAt, err, want)
		}
	}
	for _, text := range []string{packed[:5], packed + "x"} {
		view.LastUse = text
		if _, err := view.Link(link.ID); !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
