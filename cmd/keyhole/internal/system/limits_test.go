//go:build system

package system

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/gateway/api"
)

// rounds is how often TestMaxClicksExactly posts many forms at once:
//
//	go test -tags system ./cmd/keyhole/internal/system -run TestMaxClicksExactly -v -args -rounds 1000
var rounds = flag.Int("rounds", 100, "rounds of TestMaxClicksExactly") //nolint:gochecknoglobals // a flag

// issue issues a link to reports/file.txt.
func issue(t *testing.T, g *instance, r api.IssueRequest) api.Link {
	t.Helper()
	r.Bucket, r.Key = "reports", "file.txt"
	link, err := g.client.Issue(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// clicks returns how many clicks of a link were counted.
func clicks(t *testing.T, g *instance, id string) int64 {
	t.Helper()
	link, err := g.client.Show(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return link.Clicks
}

// post sends a form.
func post(ctx context.Context, c *http.Client, address string, form url.Values, headers ...string) (answer, error) {
	return ask(ctx, c, http.MethodPost, address, strings.NewReader(form.Encode()),
		append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
}

// confirmation is the form of a page, with its nonce where it has one.
func confirmation(nonce string) url.Values {
	form := url.Values{"confirm": {"1"}}
	if nonce != "" {
		form.Set("nonce", nonce)
	}
	return form
}

// nonceIn finds the nonce of a page.
var nonceIn = regexp.MustCompile(`name="nonce" value="([^"]+)"`)

// nonceOf opens the page and returns its nonce.
func nonceOf(t *testing.T, address string) string {
	t.Helper()
	found := nonceIn.FindStringSubmatch(get(t, http.MethodGet, address, "Accept", "text/html").body)
	if found == nil {
		t.Fatal("the page has no nonce")
	}
	return found[1]
}

// TestMaxClicksExactly posts 120 forms at once, over two gateways, for a link of
// seven clicks: exactly seven are answered by a redirect, in every round.
func TestMaxClicksExactly(t *testing.T) {
	const most, posts = 7, 120
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	gateways := []*instance{in.start(), in.start()}
	c := unfollowed()
	c.Transport = &http.Transport{MaxIdleConnsPerHost: posts}
	defer c.CloseIdleConnections()
	begun := time.Now()
	for round := range *rounds {
		link := issue(t, gateways[round%2], api.IssueRequest{MaxClicks: new(int64(most)), Pin: "none"})
		var mu sync.Mutex
		statuses := map[int]int{}
		var posting sync.WaitGroup
		for i := range posts {
			address := strings.Replace(link.URL, gateways[round%2].public, gateways[i%2].public, 1)
			posting.Go(func() {
				a, err := post(t.Context(), c, address, confirmation(""))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("round %d: %v", round, err)
				}
				statuses[a.status]++
			})
		}
		posting.Wait()
		if statuses[http.StatusSeeOther] != most || statuses[http.StatusGone] != posts-most {
			t.Fatalf("round %d: %v, want %d times 303 and %d times 410", round, statuses, most, posts-most)
		}
		if round == 0 || round == *rounds-1 {
			if n := clicks(t, gateways[0], link.ID); n != most {
				t.Errorf("round %d: %d clicks are counted", round, n)
			}
		}
	}
	t.Logf("%d rounds of %d POSTs for %d clicks: %d times 303 in each, %s", *rounds, posts, most, most,
		time.Since(begun).Round(time.Second))
}

// TestOnePageOneClick sends pages twice, without nonce, and with nonces that
// nobody made.
func TestOnePageOneClick(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	one, other := in.start(), in.start()
	link := issue(t, one, api.IssueRequest{Confirm: true})
	elsewhere := strings.Replace(link.URL, one.public, other.public, 1)
	c := unfollowed()
	defer c.CloseIdleConnections()
	want := int64(0)
	send := func(what, address, nonce string, spends int64) {
		t.Helper()
		a, err := post(t.Context(), c, address, confirmation(nonce))
		if err != nil || a.status != http.StatusSeeOther || a.location == "" || a.header.Get("Set-Cookie") == "" {
			t.Errorf("%s: %d, %v", what, a.status, err)
		}
		want += spends
		if n := clicks(t, one, link.ID); n != want {
			t.Errorf("%s: %d clicks, want %d", what, n, want)
		}
	}
	page := nonceOf(t, link.URL)
	send("a page", link.URL, page, 1)
	send("the same page", link.URL, page, 0)
	send("the same page at another gateway", elsewhere, page, 0)
	send("another page", elsewhere, nonceOf(t, link.URL), 1)
	send("no nonce", link.URL, "", 1)
	send("no nonce again", link.URL, "", 1)
	send("a made-up nonce", link.URL, strings.Repeat("A", len(page)), 1)
	send("a made-up nonce again", link.URL, strings.Repeat("A", len(page)), 1)
	third := issue(t, one, api.IssueRequest{Confirm: true})
	send("the nonce of another link", link.URL, nonceOf(t, third.URL), 1)
}

// TestChromiumSpendsNothing lets Chromium, which runs scripts, stay on a
// confirmation page for 30 seconds and follow every link on it: no click is
// spent. Its button then spends one and the download comes, though the form leads
// to another origin.
func TestChromiumSpendsNothing(t *testing.T) {
	t.Parallel()
	in := install(t)
	content := randomBytes(100_000)
	in.put(t, "file.txt", content)
	g := in.start()
	link := issue(t, g, api.IssueRequest{
		MaxClicks: new(int64(1)), Passphrase: new("pass & phrase"),
		Note: "for the auditors",
	})
	c := openChromium(t)
	if err := c.navigate(link.URL); err != nil {
		t.Fatal(err)
	}
	// The page's own time runs ahead: whatever it would do within 30 s, it does.
	if err := c.call("Emulation.setVirtualTimePolicy", map[string]any{"policy": "advance", "budget": 30_000},
		nil); err != nil {
		t.Fatal(err)
	}
	if err := c.event("Emulation.virtualTimeBudgetExpired"); err != nil {
		t.Fatal(err)
	}
	targets, err := c.evaluate(`[...document.querySelectorAll("*")].
		flatMap(e => ["href", "src", "action", "data"].map(a => e[a])).
		filter(u => typeof u === "string" && u.startsWith("http")).join("\n")`)
	if err != nil {
		t.Fatal(err)
	}
	person := openChromium(t) // whose time is not ahead
	for _, target := range append(strings.Fields(targets), link.URL+"?confirm=1&passphrase=pass+%26+phrase", link.URL) {
		get(t, http.MethodGet, target, "Accept", "text/html")
		if err := person.navigate(target); err != nil {
			t.Fatal(err)
		}
	}
	if n := clicks(t, g, link.ID); n != 0 {
		t.Errorf("%d clicks are spent by looking", n)
	}
	picture(t, person, "confirmation.png")

	// A person types the passphrase wrong, then right, and presses the button.
	press := func(passphrase string) {
		t.Helper()
		if _, err := person.evaluate(fmt.Sprintf(`document.querySelector("[name=passphrase]").value = %q;
			document.querySelector("button").click()`, passphrase)); err != nil {
			t.Fatal(err)
		}
	}
	press("wrong")
	if err := person.event("Page.loadEventFired"); err != nil {
		t.Fatal(err)
	}
	if told, err := person.evaluate(`document.querySelector("[role=alert]").textContent`); err != nil ||
		!strings.Contains(told, "not correct") || !strings.Contains(told, "You have 4 attempts left.") {
		t.Errorf("after a wrong passphrase it says %q, %v", told, err)
	}
	picture(t, person, "wrong-passphrase.png")
	press("pass & phrase")
	if err := person.downloaded(content); err != nil {
		t.Errorf("the download: %v", err)
	}
	if n := clicks(t, g, link.ID); n != 1 {
		t.Errorf("%d clicks are spent by the button", n)
	}
	if err := person.click(link.URL, content); err != nil {
		t.Errorf("opened again, by its cookie: %v", err)
	}
	if n := clicks(t, g, link.ID); n != 1 {
		t.Errorf("%d clicks are spent by opening it again", n)
	}
	if a := get(t, http.MethodGet, link.URL, "Accept", "text/html"); a.status != http.StatusGone {
		t.Errorf("without the cookie: %d", a.status)
	}
}

// openChromium starts a browser that keeps every rule of the web.
func openChromium(t *testing.T) *chromium {
	t.Helper()
	c := &chromium{}
	c.start(t, t.TempDir())
	if err := c.call("Page.enable", nil, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// navigate opens a page and waits until it has loaded. The load event of the page before
// may still be on its way, so only one that follows the navigation counts.
func (c *chromium) navigate(address string) error {
	id, err := c.send("Page.navigate", map[string]any{"url": address})
	if err != nil {
		return err
	}
	var started struct{ LoaderID, ErrorText string }
	var shown string // the loader of the newest page
	loaded := false
	return c.await(func(m *devtoolsMessage) (bool, error) {
		switch {
		case m.ID == id && m.Error != nil:
			return true, fmt.Errorf("Page.navigate: %s", m.Error.Message)
		case m.ID == id:
			if err := json.Unmarshal(m.Result, &started); err != nil {
				return true, err
			}
			if started.ErrorText != "" {
				return true, fmt.Errorf("Page.navigate: %s", started.ErrorText)
			}
		case m.Method == "Page.frameNavigated":
			var navigated struct {
				Frame struct{ LoaderID, ParentID string }
			}
			if err := json.Unmarshal(m.Params, &navigated); err != nil {
				return true, err
			}
			if navigated.Frame.ParentID == "" {
				shown, loaded = navigated.Frame.LoaderID, false
			}
		case m.Method == "Page.loadEventFired":
			loaded = true
		}
		return loaded && started.LoaderID != "" && shown == started.LoaderID, nil
	})
}

// event waits for an event.
func (c *chromium) event(name string) error {
	return c.await(func(m *devtoolsMessage) (bool, error) { return m.Method == name, nil })
}

// picture keeps what the browser shows in the directory $PICTURES,
// for people to look at.
func picture(t *testing.T, c *chromium, name string) {
	t.Helper()
	dir := os.Getenv("PICTURES")
	if dir == "" {
		return
	}
	var shot struct{ Data []byte }
	if err := c.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), shot.Data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sameContent fails the test unless a file holds what is wanted.
func sameContent(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v; want the %d of the object", len(got), err, len(want))
	}
}
