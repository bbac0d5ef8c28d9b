package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keyhole/gateway"
)

// After a revocation, the page of the link says until when URLs may work that recipients
// got before.
func TestLinkStillWorks(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	link := b.issuedLink(t, "a.pdf", nil)
	a := c.get(linkPath(link.ID))
	if strings.Contains(words(a.page), "URLs handed out earlier") {
		t.Error("a live link has an end of earlier URLs")
	}
	if a = c.post(linkPath(link.ID)+"/revoke", url.Values{"confirm": {"1"}}); a.status != http.StatusSeeOther {
		t.Fatalf("revoke: %d", a.status)
	}
	revoked, err := b.store.Get(t.Context(), link.ID)
	if err != nil {
		t.Fatalf("read the link: %v", err)
	}
	want := newMoment(revoked.RevokedAt.Add(30*time.Second), time.Now())
	a = c.get(linkPath(link.ID))
	if text := words(a.page); !strings.Contains(text, "URLs handed out earlier may work until "+want.Text()) {
		t.Errorf("want %s: %s", want.Text(), text)
	}
	if !newMoment(time.Now().Add(-time.Second), time.Now()).Past() || want.Past() {
		t.Error("Past confuses the past and the future")
	}
}

// The last refusal stands at the top for a day.
func TestLastRefusal(t *testing.T) {
	t.Parallel()
	var clock atomic.Pointer[time.Time] // The page states the age of the refusal.
	b := newBench(t, func(o *Options) {
		o.Now = func() time.Time {
			if at := clock.Load(); at != nil {
				return *at
			}
			return time.Now()
		}
	})
	c := b.signedIn(t, opsKey)
	link := b.issuedLink(t, "a.pdf", nil)
	const notice = "This is the last refusal"
	if a := c.get(linkPath(link.ID)); strings.Contains(words(a.page), notice) {
		t.Error("a link without a refusal explains one")
	}
	attempt := gateway.Attempt{ID: link.ID, Method: http.MethodGet, Address: "192.0.2.7"}
	for _, outcome := range []gateway.Outcome{gateway.OutcomeObjectGone, gateway.OutcomeWrongPassphrase} {
		if err := b.store.RecordEvent(context.Background(), attempt, gateway.EventRefused, outcome); err != nil {
			t.Fatalf("record a refusal: %v", err)
		}
	}
	recorded, err := b.store.Events(t.Context(), link.ID, "", 1)
	if err != nil || len(recorded.Events) != 1 {
		t.Fatalf("read the refusal: %+v, %v", recorded, err)
	}
	for age, want := range map[time.Duration]string{0: "now", time.Second: "1 second ago"} {
		at := recorded.Events[0].Time.Add(age)
		clock.Store(&at)
		a := c.get(linkPath(link.ID))
		if text := words(a.page); !strings.Contains(text, "Refused: the passphrase was wrong, "+want) ||
			!strings.Contains(text, notice) {
			t.Errorf("the page after %v: %s", age, text)
		}
	}
	now := time.Now()
	events := []gateway.Event{
		{Kind: gateway.EventRedirected, Time: now},
		{Kind: gateway.EventFailed, Outcome: gateway.OutcomeUnavailable, Time: now.Add(-24 * time.Hour)},
	}
	if lastRefusal(events, now) == nil || lastRefusal(events, now.Add(time.Second)) != nil {
		t.Error("a refusal is not explained for exactly a day")
	}
}

// The page of a link shows the live links of the same object, and no others.
func TestOtherLinks(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	link, other := b.issuedLink(t, "a.pdf", nil), b.issuedLink(t, "a.pdf", nil)
	ended, foreign := b.issuedLink(t, "a.pdf", nil), b.issuedLink(t, "b.pdf", nil)
	if a := c.post(linkPath(ended.ID)+"/revoke", url.Values{"confirm": {"1"}}); a.status != http.StatusSeeOther {
		t.Fatalf("revoke: %d", a.status)
	}
	a := c.get(linkPath(link.ID))
	if got := a.link(other.ID.String()[:8]); got != linkPath(other.ID) {
		t.Errorf("the other link leads to %q", got)
	}
	if a.link(ended.ID.String()[:8])+a.link(foreign.ID.String()[:8])+a.link(link.ID.String()[:8]) != "" {
		t.Errorf("the page lists wrong links: %s", words(a.page))
	}
	if got := a.link("All live links of this object"); got != "/console/links?bucket=reports&key=a.pdf" {
		t.Errorf("all links are at %q", got)
	}
	for range othersLimit {
		b.issuedLink(t, "a.pdf", nil)
	}
	if a = c.get(linkPath(link.ID)); !strings.Contains(words(a.page), "There may be more.") {
		t.Error("the page hides that there are more links")
	}
	if a = c.get(linkPath(foreign.ID)); strings.Contains(words(a.page), "Other live links") {
		t.Error("an object with one link has others")
	}
}

// "Issue again" opens the form with every setting of the link.
func TestIssueAgainKeepsEverySetting(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	start := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	link := b.issuedLink(t, "a b.pdf", func(r *gateway.IssueRequest) {
		r.ExpiresIn, r.Sensitive, r.MaxClicks, r.Passphrase = "3h", new(false), new(int64(7)), new("a long passphrase")
		r.Filename, r.Disposition, r.Reveal, r.Pin = "report.pdf", gateway.DispositionInline, "before", gateway.PinNone
		r.Allow, r.Labels = []string{"192.0.2.0/24", "2001:db8::/32"}, map[string]string{"team": "a", "ticket": "7"}
		r.Confirm, r.NotBefore, r.Note, r.Language = true, &start, "For you", "de"
	})
	if a := c.post(linkPath(link.ID)+"/revoke", url.Values{"confirm": {"1"}}); a.status != http.StatusSeeOther {
		t.Fatalf("revoke: %d", a.status)
	}
	a := c.get(linkPath(link.ID))
	a = c.get(a.link("Issue again with these settings"))
	form := filledForm(t, &a, "/console/share")
	form.Del("nonce")
	want := url.Values{
		"storage": {"main"}, "bucket": {"reports"}, "key": {"a b.pdf"}, "expires_in": {"3h"}, "sensitive": {"false"},
		"max_clicks": {"7"}, "make_passphrase": {"1"}, "passphrase": {""}, "filename": {"report.pdf"},
		"disposition": {"inline"}, "reveal": {"before"}, "pin": {"none"}, "allow": {"192.0.2.0/24\n2001:db8::/32"},
		"labels": {"team=a\nticket=7"}, "confirm": {"1"}, "not_before": {start}, "note": {"For you"}, "language": {"de"},
		"preset": {""},
	}
	for name := range want {
		if !slices.Equal(form[name], want[name]) {
			t.Errorf("%s is %q, want %q", name, form[name], want[name])
		}
	}
	if len(form) != len(want) {
		t.Errorf("the form has %v", form)
	}
	form.Set("nonce", "again")
	if a = c.post("/console/share", form); a.status != http.StatusOK || b.storedLinks(t) != 2 {
		t.Errorf("the form as it is: %d: %s", a.status, words(a.page))
	}
	preset := b.issuedLink(t, "c", func(r *gateway.IssueRequest) { r.Preset = gateway.PresetHandoff })
	if got := settingsOf(&preset, time.Now()); got.Get("preset") != gateway.PresetHandoff || got.Has("expires_in") {
		t.Errorf("the settings of a link with a preset are %v", got)
	}
	old := link
	old.NotBefore = time.Now().Add(-time.Hour)
	if got := settingsOf(&old, time.Now()); got.Has("not_before") {
		t.Errorf("a start that is over stays: %v", got)
	}
}

// The page of a link has one word for downloads, and says if its chart lacks some of them.
func TestLinkDownloads(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	limited := b.issuedLink(t, "a.pdf", func(r *gateway.IssueRequest) { r.MaxClicks = new(int64(3)) })
	a := c.get(linkPath(limited.ID))
	for _, want := range []string{"downloads allowedat most 3", "Downloads0 of 3", "Last downloadnever"} {
		if !strings.Contains(a.shown(), want) {
			t.Errorf("the page lacks %q: %s", want, a.shown())
		}
	}
	if strings.Contains(a.shown(), "usesat most") || strings.Contains(a.shown(), "Last use") {
		t.Errorf("the page has another word for downloads: %s", a.shown())
	}
	issued := b.issue(t, nil)
	for range eventsLimit - 1 {
		b.click(t, issued.Token)
	}
	path := linkPath(issued.Link.ID)
	if a = c.get(path); !strings.Contains(a.shown(), "99 downloads by day (UTC)") || len(a.all("rect")) != 1 {
		t.Errorf("all downloads: %s", a.shown())
	}
	b.click(t, issued.Token)
	b.click(t, issued.Token)
	if a = c.get(path); !strings.Contains(a.shown(), "100 of 101 downloads by day (UTC)") {
		t.Errorf("the newest downloads: %s", a.shown())
	}
}
