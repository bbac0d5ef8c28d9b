//go:build system

package system

import (
	"errors"
	"fmt"
	"regexp"
	"syscall"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// TestConsoleScript checks what console.js adds to the pages, in a browser.
func TestConsoleScript(t *testing.T) {
	t.Parallel()
	in := install(t)
	for _, key := range []string{"file.txt", "copied.txt"} {
		in.s3.Put(t, "reports", key, "text/plain", []byte("a"))
	}
	g := in.start()
	c := openForConsole(t)
	for _, one := range []consoleWalk{
		{"select all", in.key, selectAllRows},
		{"lives by sensitivity", in.key, livesBySensitivity},
		{"refused copying", in.key, func(j *operatorJourney) { refusedCopying(j, c) }},
		{"the session ends while typing", in.key, sessionEndsWhileTyping},
		{"the service stops", in.key, func(j *operatorJourney) { serviceStops(j, in) }},
	} {
		t.Run(one.name, func(t *testing.T) {
			one.walk(&operatorJourney{journey{c, t, g, nil}, one.key, false})
		})
	}
}

// The message to screen readers and the state of the boxes in the list of links.
const (
	status     = `document.querySelector("#status").textContent`
	allRows    = `document.querySelector("#results form > label > input[type=checkbox]")`
	checkedIDs = `document.querySelectorAll("td.select input:checked").length`
)

// selectAllRows selects all links that can be selected. A link that has ended has no box, so
// it counts neither for the box of all nor in the question.
func selectAllRows(j *operatorJourney) {
	for i := range 3 {
		link := issue(j.t, j.gateway, api.IssueRequest{Labels: map[string]string{"run": "all"}})
		if i == 0 {
			_, err := j.gateway.client.Revoke(j.t.Context(), link.ID, "")
			j.must(err)
		}
	}
	j.begin("/links?label=run%3Dall&state=active,revoked", "<h1>Links</h1>")
	j.shows(`document.querySelectorAll("#results tbody tr").length + " " +
		document.querySelectorAll("td.select input").length`, "3 2")
	j.script(`document.querySelector("#results form > label > input").click()`)
	j.shows(checkedIDs, "2")
	j.script(`document.querySelector("td.select input").click()`)
	j.shows(checkedIDs+` + " " + `+allRows+".checked", "1 false")
	j.script(`document.querySelector("td.select input").click()`)
	j.shows(checkedIDs+` + " " + `+allRows+".checked", "2 true")
	// The filter replaces the list: it has one such box again, and not two.
	j.script(`document.querySelector("#prefix").focus()`)
	j.must(j.press("file"))
	j.shows(`new URLSearchParams(location.search).get("prefix")`, "file")
	j.shows(checkedIDs+` + " " + document.querySelectorAll("#results form > label > input").length`, "0 1")
	j.script(`document.querySelector("#results form > label > input").click()`)
	j.follow("Revoke the selected links", "<h1>Revoke 2 links?</h1>")
	// One link needs no box for all.
	j.follow("Revoke 2 links", "<h1>2 links revoked</h1>")
	issue(j.t, j.gateway, api.IssueRequest{Labels: map[string]string{"run": "all"}})
	j.open(j.consoleAddress("/links?label=run%3Dall"), "<h1>Links</h1>")
	j.shows(`document.querySelectorAll("td.select input").length + " " + `+allRows, "1 null")
}

// livesBySensitivity answers whether the content is sensitive. The lives that the policy
// does not allow cannot be chosen then, and a chosen one is replaced by the usual one.
func livesBySensitivity(j *operatorJourney) {
	j.begin("/share?bucket=reports&key=file.txt", "This is what you share")
	const extended = `document.querySelector("#preset input[value=extended]")`
	const chosen = `document.querySelector("#preset input:checked").value`
	answer := func(value string) {
		j.script(`[...document.querySelectorAll("[name=sensitive]")].find(e => e.value === %s).click()`, value)
	}
	answer("false")
	j.shows(extended+".disabled", "false")
	j.script(`document.querySelector("#preset input[value=extended]").click()`)
	j.shows(chosen, "extended")
	for _, value := range []string{"true", ""} {
		answer("false")
		j.script(`document.querySelector("#preset input[value=extended]").click()`)
		answer(value)
		j.shows(extended+`.disabled + " " + `+extended+".checked", "true false")
		j.shows(status+`.startsWith("The life of the link has changed: ")`, "true")
		j.shows(chosen+` === document.querySelector("#preset").dataset.defaults.split(" ")[`+
			fmt.Sprint(map[string]int{"true": 0, "": 1}[value])+"]", "true")
	}
	// The form that comes back after a refusal has the same choice.
	answer("true")
	j.fill(map[string]string{"max_clicks": "0"})
	j.follow("Create the link", "Please correct")
	j.shows(extended+".disabled", "true")
}

// refusedCopying uses a browser that refuses the clipboard. The page says so and selects
// the address, so that the operator can copy it.
func refusedCopying(j *operatorJourney, c *chromium) {
	j.begin("/objects", "<h1>Objects</h1>")
	address, passphrase := j.share("copied.txt", map[string]string{"make_passphrase": "1"})
	for field, want := range map[string]string{"link-url": address, "passphrase": passphrase} {
		j.script(`document.querySelector("#status").textContent = ""`)
		j.script(`document.querySelector("button[data-copy=" + %s + "]").click()`, field)
		j.shows(status, "Copied")
		if copied, err := c.evaluate(`navigator.clipboard.readText()`); err != nil || copied != want {
			j.t.Errorf("%s: the clipboard has %d characters, want %d, %v", field, len(copied), len(want), err)
		}
	}
	j.script(`navigator.clipboard.writeText = () => Promise.reject(new Error("refused"))`)
	j.script(`document.querySelector("button[data-copy=link-url]").click()`)
	j.shows(status, "The browser refused to copy. Select the text and copy it yourself.")
	j.shows(`getSelection().toString()`, address)
}

// sessionEndsWhileTyping types into a filter after the session has ended. The browser goes
// to the sign-in, which returns to the list with the filter.
func sessionEndsWhileTyping(j *operatorJourney) {
	j.begin("/links", "<h1>Links</h1>")
	j.must(j.forget())
	j.script(`document.querySelector("#prefix").focus()`)
	j.must(j.press("2026/"))
	j.reads("<h1>Sign in</h1>")
	j.signIn("<h1>Links</h1>")
	j.shows(`document.querySelector("#prefix").value`, "2026/")
}

// serviceStops types into a filter while nobody answers. The list stays, and the page says
// what has happened.
func serviceStops(j *operatorJourney, in *installation) {
	j.gateway = in.start()
	issue(j.t, j.gateway, api.IssueRequest{Labels: map[string]string{"run": "stops"}})
	j.begin("/links?label=run%3Dstops", "<h1>Links</h1>")
	j.must(j.gateway.process.terminate(j.t, syscall.SIGTERM))
	// The refresh of the figures fails too, and speaks in the same place.
	j.script(`window.said = []; const place = document.querySelector("#status");
		new MutationObserver(() => said.push(place.textContent)).observe(place, {childList: true})`)
	j.script(`document.querySelector("#prefix").focus()`)
	j.must(j.press("2026/"))
	j.shows(`said.includes("The service did not answer, so the list was not changed. Try again.")`, "true")
	j.shows(`said.includes("The figures could not be refreshed.")`, "true")
	j.shows(`document.querySelectorAll("#results tbody tr").length`, "1")
}

// TestConsoleSpecialPages runs axe-core, light and dark, on the pages of the console that the
// list of TestConsolePages does not reach, and expects that none scrolls sideways in a window
// of 320 pixels: the page with one button of the demo, and the previews of the recipient's
// page.
func TestConsoleSpecialPages(t *testing.T) {
	t.Parallel()
	in := installOver(t, s3test.StartMemory(t, "reports"))
	in.s3.Put(t, "reports", "file.txt", "text/plain", []byte("a"))
	g := in.start()
	c := openWithAxe(t)
	unclear := map[string]int{}
	j := &operatorJourney{journey{c, t, g, nil}, in.key, false}
	check := func(name string) {
		t.Helper()
		j.must(c.viewport(1024, 768, 1))
		for _, scheme := range []string{"light", "dark"} {
			checkAccessible(t, c, name+", "+scheme, scheme, unclear)
		}
		j.must(c.viewport(320, 640, 1))
		fitsConsole(j, name)
	}
	signIn := demoSignIn(t)
	j.open(signIn, "Open the console")
	check("demo")
	j.follow("Open the console", "<h1>Objects</h1>")
	j.open(signIn, "This address no longer works")
	check("demo, used")

	asked := issue(t, g, api.IssueRequest{Confirm: true, Note: "for the auditors"})
	silent := issue(t, g, api.IssueRequest{})
	j.begin("/links/"+asked.ID, "What happened")
	j.open(j.consoleAddress("/links/"+asked.ID+"/preview"), "Download file")
	check("preview of a link")
	j.open(j.consoleAddress("/links/"+silent.ID+"/preview"), "No page to show")
	check("preview of a link without a page")
	for name, one := range map[string]struct {
		fields map[string]string
		says   string
	}{
		"preview of a form":                {map[string]string{"passphrase": "Passphrase 1"}, "Passphrase for this file"},
		"preview of a form without a page": {map[string]string{}, "No page to show"},
		"preview of a refused form":        {map[string]string{"max_clicks": "0"}, "Please correct"},
	} {
		j.open(j.consoleAddress("/share?bucket=reports&key=file.txt"), "This is what you share")
		j.fill(one.fields)
		j.script(`document.querySelector("[formtarget]").removeAttribute("formtarget")`)
		j.follow("Preview", one.says)
		check(name)
	}
	t.Logf("axe-core leaves to people: %v", unclear)
}

// demoSignIn starts a demo and returns the address of its page with one button.
func demoSignIn(t *testing.T) string {
	t.Helper()
	p := startProcess(t, binary, nil, "demo", "--public", "127.0.0.1:0", "--operator", "127.0.0.1:0",
		"--s3", "127.0.0.1:0")
	var address string
	eventually(t, "the demo to print its console", func() error {
		address = regexp.MustCompile(`http://127\.0\.0\.1:\d+/console/demo/\S+`).FindString(p.output.String())
		if address == "" {
			return errors.Join(errors.New(p.output.String()), p.exited())
		}
		return nil
	})
	return address
}
