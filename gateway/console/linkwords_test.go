package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// The page of a used-up link says what is left to do, and what a revocation has done to it.
func TestUsedUpLink(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := severalLinks(t, b)["b/used"].Link.ID
	c := b.signedIn(t, opsKey)
	path := linkPath(id)
	a := c.get(path)
	for _, want := range []string{
		"This link has ended and cannot be changed. Issue it again", "End the retries", "not persons",
	} {
		if !strings.Contains(a.shown(), want) {
			t.Errorf("the page lacks %q: %s", want, a.shown())
		}
	}
	if a.button("Revoke") != nil {
		t.Error("the page offers to revoke a used-up link")
	}
	if a = c.post(path+"/revoke", nil); !strings.Contains(a.shown(), "End the retries of this used-up link?") {
		t.Errorf("the question: %s", a.shown())
	}
	a = c.post(path+"/revoke", a.fields(t, path+"/revoke"))
	if a.status != http.StatusSeeOther {
		t.Fatalf("the end: %d %s", a.status, a.shown())
	}
	a = c.get(a.header.Get("Location"))
	if strings.Count(a.shown(), retriesEnded) != 2 || strings.Contains(a.shown(), "was revoked") ||
		a.button("End the retries") != nil {
		t.Errorf("after the end: %s", a.shown())
	}
}

// A change says what holds now. The form offers to remove a passphrase only if there is one.
func TestChangeSaysWhatHolds(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	link := b.issue(t, func(r *gateway.IssueRequest) { r.MaxClicks, r.Confirm = new(int64(3)), true }).Link
	c := b.signedIn(t, opsKey)
	path := linkPath(link.ID)
	a := c.get(path)
	if !strings.Contains(a.shown(), "In total, with the 0 so far. To give one more, add 1.") ||
		strings.Contains(a.shown(), "Remove the passphrase") {
		t.Errorf("the form: %s", a.shown())
	}
	a = c.post(path+"/change", with(a.fields(t, path+"/change"), "max_clicks", "4", "passphrase", "correct horse battery"))
	if a.status != http.StatusSeeOther {
		t.Fatalf("the change: %d %s", a.status, a.shown())
	}
	a = c.get(a.header.Get("Location"))
	for _, want := range []string{"0 of 4 downloads are used", "keeps the same link", "Remove the passphrase"} {
		if !strings.Contains(a.shown(), want) {
			t.Errorf("the page lacks %q: %s", want, a.shown())
		}
	}
	if a = c.get(path + "?" + url.Values{"done": {"paused"}}.Encode()); strings.Contains(a.shown(), "keeps the same") {
		t.Errorf("a pause is told like a change: %s", a.shown())
	}
}

// A precise distance has the minutes, below 48 hours.
func TestPreciseDistance(t *testing.T) {
	t.Parallel()
	for distance, want := range map[time.Duration]string{
		119*time.Minute + 59*time.Second: "in 1 hour 59 minutes", 2 * time.Hour: "in 2 hours",
		-61 * time.Minute: "1 hour 1 minute ago", 49*time.Hour + 5*time.Minute: "in 2 days", 90 * time.Second: "in 1 minute",
	} {
		now := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
		if got := newMoment(now.Add(distance), now).Precise(); got != want {
			t.Errorf("%s is %q, want %q", distance, got, want)
		}
	}
}
