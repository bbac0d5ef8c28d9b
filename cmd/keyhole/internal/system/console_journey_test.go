//go:build system

package system

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"keyhole/gateway/api"
)

// TestConsole lets operators use the console over the real program, Redis and S3, with
// JavaScript.
func TestConsole(t *testing.T) {
	t.Parallel()
	walkConsole(t, true, func(in *installation, c *chromium) []consoleWalk {
		return append(consoleWalks(in, c),
			consoleWalk{"keyboard only", in.key, keyboardInConsole},
			consoleWalk{"filter while typing", in.key, filterWhileTyping},
			consoleWalk{"another host", in.key, anotherHost},
		)
	})
}

// TestConsoleWithoutScripts walks the same ways in a browser that runs no script for the
// operator.
func TestConsoleWithoutScripts(t *testing.T) {
	t.Parallel()
	walkConsole(t, false, func(in *installation, c *chromium) []consoleWalk {
		return append(consoleWalks(in, c), consoleWalk{"an address of a link", in.key, findByAddress})
	})
}

// consoleWalk is one way through the console, with the key of an operator.
type consoleWalk struct {
	name, key string
	walk      func(*operatorJourney)
}

// consoleWalks returns the ways that need no script.
func consoleWalks(in *installation, c *chromium) []consoleWalk {
	return []consoleWalk{
		{"share, watch and revoke", in.key, func(j *operatorJourney) { shareAndWatch(j, c) }},
		{"every restriction", in.key, func(j *operatorJourney) { everyRestriction(j, c) }},
		{"share a selection", in.key, func(j *operatorJourney) { shareSelection(j, in, c) }},
		{"revoke a selection", in.key, revokeSelection},
		{"a scope", in.key + "exporter", scopeInConsole},
		{"sessions end", in.key + "reader", func(j *operatorJourney) { sessionsEnd(j, in) }},
	}
}

// walkConsole walks ways through the console in one browser, which runs scripts for the
// operator or does not.
func walkConsole(t *testing.T, scripts bool, walks func(*installation, *chromium) []consoleWalk) {
	t.Helper()
	in := install(t)
	file := randomBytes(50_000)
	for _, key := range []string{"file.txt", "2026/q3 figures.txt"} {
		in.s3.Put(t, "reports", key, "application/octet-stream", file)
	}
	in.s3.Put(t, "exports", "file.txt", "application/octet-stream", file)
	g := in.start("KEYHOLE_OPERATOR_HOSTS=keyhole.test")
	c := openForConsole(t)
	if err := c.scripts(scripts); err != nil {
		t.Fatal(err)
	}
	for _, one := range walks(in, c) {
		t.Run(one.name, func(t *testing.T) {
			one.walk(&operatorJourney{journey{c, t, g, file}, one.key, !scripts})
		})
	}
}

// TestConsoleInFirefox walks the main path in Firefox.
func TestConsoleInFirefox(t *testing.T) {
	t.Parallel()
	in := install(t)
	file := randomBytes(50_000)
	in.s3.Put(t, "reports", "file.txt", "application/octet-stream", file)
	g := in.start()
	f := &firefox{}
	f.version(t, t.TempDir())
	j := &operatorJourney{journey{f, t, g, file}, in.key, false}
	j.must(f.content())
	j.begin("/objects", "<h1>Objects</h1>")
	j.follow("reports", "Search in this folder")
	j.follow("Share", "This is what you share")
	j.fill(map[string]string{"sensitive": "false", "preset": "troubleshooting", "passphrase": "Right-Passphrase 1"})
	j.follow("Create the link", "The link is ready")
	address := j.script(`return document.querySelector("#link-url").value`)
	j.follow("Watch this link", "What happened")
	page := j.script(`return location.href`)
	j.open(address, "Passphrase for this file")
	j.script(`document.querySelector("[name=passphrase]").value = "Right-Passphrase 1";
		document.querySelector("main button").click()`)
	j.gets()
	j.open(page, "What happened")
	j.shows(liveClicks, "1")
	j.follow("Revoke", "Revoke this link?")
	j.follow("Revoke the link", "The link was revoked")
	j.open(address, "Link withdrawn")
}

// The figures on the page of a link.
const (
	liveClicks = `document.querySelector("[data-live=clicks]").textContent.trim()`
	liveState  = `document.querySelector("[data-live=state]").textContent.trim()`
)

// shareAndWatch finds an object, shares it, copies the link and watches a recipient in
// another window. With scripts, the page of the link shows the click without being loaded
// again.
func shareAndWatch(j *operatorJourney, c *chromium) {
	enter, leave := c.newPerson(j.t)
	j.begin("/", "<h1>Objects</h1>")
	j.follow("reports", "Search in this folder")
	j.fill(map[string]string{"search": "FIGURES"})
	j.follow("Search", "q3 figures.txt")
	j.follow("Share", "s3://reports/2026/q3 figures.txt")
	j.fill(map[string]string{"sensitive": "false", "preset": "troubleshooting", "max_clicks": "2", "confirm": "1"})
	j.follow("Create the link", "The link is ready")
	address := j.script(`return document.querySelector("#link-url").value`)
	copies(j, c, address)
	j.follow("Watch this link", "What happened")
	j.script(`document.body.dataset.stays = "yes"`)

	enter()
	j.open(address, "Download file")
	j.script(`document.querySelector("main button").click()`)
	j.gets()
	leave()
	if j.bare {
		j.must(j.reload())
	}
	j.shows(liveClicks, "1 of 2")
	if stays := j.script(`return document.body.dataset.stays ?? ""`); (stays == "yes") == j.bare {
		j.t.Errorf("the page stays: %q", stays)
	}

	// The browser that has the file may resume its download, so another one reads the page.
	enter, leave = c.newPerson(j.t)
	recipientReads := func(says string) {
		j.t.Helper()
		enter()
		defer leave()
		j.open(address, says)
	}
	j.follow("Pause", "The link was paused")
	recipientReads("<h1>Link paused</h1>")
	j.follow("Resume", "The link was resumed")
	recipientReads("Download file")
	j.script(`document.querySelector("details:has([name=expires_in])").open = true`)
	j.fill(map[string]string{"expires_in": "3h", "max_clicks": "5", "note": "for the auditors"})
	j.follow("Save the change", "The link was changed")
	j.shows(liveClicks, "1 of 5")
	recipientReads("for the auditors")
	j.follow("Revoke", "Revoke this link?")
	j.fill(map[string]string{"reason": "sent to the wrong person"})
	j.follow("Revoke the link", "sent to the wrong person")
	j.shows(liveState, "revoked")
	recipientReads("<h1>Link withdrawn</h1>")
}

// copies expects that the page copies the address of the link, or, without scripts, that it
// offers no button that cannot copy.
func copies(j *operatorJourney, c *chromium, address string) {
	j.t.Helper()
	if j.bare {
		j.shows(`document.querySelector("[data-copy]").checkVisibility()`, "false")
		return
	}
	j.script(`document.querySelector("button[data-copy=link-url]").click()`)
	j.shows(`document.querySelector("#status").textContent`, "Copied")
	if copied, err := c.evaluate(`navigator.clipboard.readText()`); err != nil || copied != address {
		j.t.Errorf("the clipboard has %q, %v", copied, err)
	}
}

// everyRestriction shares an object with each restriction, and opens the link in another
// window.
func everyRestriction(j *operatorJourney, c *chromium) {
	enter, leave := c.newPerson(j.t)
	j.begin("/objects", "<h1>Objects</h1>")
	tomorrow := time.Now().UTC().Add(24 * time.Hour)
	for _, r := range []struct {
		field, value, says string
	}{
		{"allow", "192.0.2.0/24", "Not from this network"},
		{"not_before", tomorrow.Format("2006-01-02T15:04"), "Link not available yet"},
		{"max_clicks", "1", "once"},
		{"passphrase", "Right-Passphrase 1", "Passphrase for this file"},
		{"make_passphrase", "1", "Passphrase for this file"},
		{"language", "de", `lang="de"`},
		{"filename", "another name.bin", "another name.bin"},
		{"note", "for the auditors", "for the auditors"},
		{"expires_in", "5m", "Download file"},
	} {
		fields := map[string]string{"sensitive": "false", "preset": "extended", r.field: r.value}
		if r.field != "allow" && r.field != "not_before" {
			fields["confirm"] = "1"
		}
		address, passphrase := j.share("file.txt", fields)
		enter()
		j.open(address, r.says)
		if passphrase != "" {
			j.script(`document.querySelector("[name=passphrase]").value = %s;
				document.querySelector("main button").click()`, passphrase)
			j.gets()
		}
		leave()
		if made := r.field == "make_passphrase"; made != (passphrase != "") {
			j.t.Errorf("%s: the passphrase is %q", r.field, passphrase)
		}
	}
}

// findByAddress finds a link by its address, which no log and no address of a page contains.
func findByAddress(j *operatorJourney) {
	j.begin("/objects", "<h1>Objects</h1>")
	address, _ := j.share("file.txt", map[string]string{"sensitive": "false", "max_clicks": "1"})
	j.follow("Watch this link", "What happened")
	page := j.script(`return location.pathname`)
	j.open(j.consoleAddress("/links"), "<h1>Links</h1>")
	j.fill(map[string]string{"q": address})
	j.follow("Find", "What happened")
	j.shows(`location.pathname + location.search`, page)
}

// shareSelection shares two objects at once. Each has a link of its own, with the same
// settings, and both links deliver.
func shareSelection(j *operatorJourney, in *installation, c *chromium) {
	enter, leave := c.newPerson(j.t)
	for _, key := range []string{"several/a.txt", "several/b.txt", "several/c.txt"} {
		in.s3.Put(j.t, "reports", key, "application/octet-stream", j.file)
	}
	j.begin("/objects?bucket=reports&prefix=several/", "Search in this folder")
	for _, key := range []string{"several/a.txt", "several/c.txt"} {
		j.script(`document.querySelector("[name=key][value='" + %s + "']").checked = true`, key)
	}
	j.follow("Share the selected objects", "<h1>Share 2 objects</h1>")
	j.fill(map[string]string{"sensitive": "false", "expires_in": "5m", "confirm": "1", "note": "for the auditors"})
	j.follow("Create 2 links", "<h1>2 links ready</h1>")
	urls := strings.Fields(j.script(`return document.querySelector("#link-urls").value`))
	if len(urls) != 2 || urls[0] == urls[1] {
		j.t.Fatalf("the links are %q", urls)
	}
	j.open(j.consoleAddress("/links?prefix=several/"), "<h1>Links</h1>")
	j.shows(`document.querySelectorAll("#results tbody tr").length`, "2")
	enter()
	defer leave()
	for _, address := range urls {
		j.open(address, "for the auditors")
		j.script(`document.querySelector("main button").click()`)
		j.gets()
	}
}

// revokeSelection revokes two of three links, and then all that a filter finds.
func revokeSelection(j *operatorJourney) {
	var made []api.Link
	for range 3 {
		made = append(made, issue(j.t, j.gateway, api.IssueRequest{Labels: map[string]string{"run": "bulk"}}))
	}
	j.begin("/links?label=run%3Dbulk", "<h1>Links</h1>")
	for _, link := range made[:2] {
		j.script(`document.querySelector("[name=id][value='" + %s + "']").checked = true`, link.ID)
	}
	j.follow("Revoke the selected links", "<h1>Revoke 2 links?</h1>")
	j.follow("Revoke 2 links", "<h1>2 links revoked</h1>")
	j.open(j.consoleAddress("/links?label=run%3Dbulk"), "<h1>Links</h1>")
	j.follow("Revoke all that match", "<h1>Revoke 1 link?</h1>")
	j.follow("Revoke 1 link", "<h1>1 link revoked</h1>")
	for _, link := range made {
		if a := get(j.t, "GET", link.URL, "Accept", "text/html"); a.status != 410 {
			j.t.Errorf("link %s answers %d", fmt.Sprintf("%.8s", link.ID), a.status)
		}
	}
}
