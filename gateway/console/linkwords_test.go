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

// A button for selected rows that is pressed without any says what to do, and leads back to
// the same list.
func TestNothingSelected(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	c := b.signedIn(t, opsKey)
	links := url.Values{"bucket": {"reports"}, "created_by": {"ops"}, "what": {"selected"}}
	const list = "/console/links?bucket=reports&created_by=ops"
	for path, test := range map[string]struct {
		form url.Values
		back string
	}{
		"/console/revocations":  {links, list},
		"/console/links/pause":  {links, list},
		"/console/links/resume": {links, list},
		"/console/share/selection": {
			url.Values{"bucket": {"reports"}, "storage": {"main"}, "prefix": {"a/"}},
			"/console/objects?bucket=reports&prefix=a%2F&storage=main",
		},
	} {
		a := c.post(path, test.form)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.shown(), "go back and select some") ||
			a.link("Back to the list") != test.back {
			t.Errorf("%s: %d, back to %q: %s", path, a.status, a.link("Back to the list"), a.shown())
		}
	}
	if got := b.live(t); len(got) != 2 {
		t.Errorf("%q are left", got)
	}
}

// The form preselects Yes for an object that the policy marks as sensitive, also without
// JavaScript, and disables the answer that the policy refuses.
func TestSensitiveObjectIsPreselected(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.service.SetPolicy(strictPolicy())
	c := b.signedIn(t, opsKey)
	a := c.get("/console/share?bucket=reports&key=hr/pay.csv")
	if got := a.fields(t, "/console/share"); got.Get("sensitive") != "true" {
		t.Errorf("the form: %v", got)
	}
	for _, n := range a.all("input") {
		if attribute(n, "name") == "sensitive" && has(n, "disabled") != (attribute(n, "value") == "false") {
			t.Errorf("the answer %q: disabled %t", attribute(n, "value"), has(n, "disabled"))
		}
	}
	if a = c.post("/console/share", a.fields(t, "/console/share")); a.byID("link-url") == nil {
		t.Errorf("the form as it was: %d %s", a.status, a.shown())
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
