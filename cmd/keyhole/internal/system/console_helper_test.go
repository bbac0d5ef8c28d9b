//go:build system

package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// operatorJourney is an operator with a browser, and a service with a file.
type operatorJourney struct {
	journey

	key  string // of the operator
	bare bool   // the operator's browser runs no scripts
}

// consoleAddress returns the address of a page of the console.
func (j *operatorJourney) consoleAddress(path string) string {
	return j.gateway.operator + "/console" + path
}

// script runs a function's body in JavaScript on the page and returns its text.
func (j *operatorJourney) script(format string, args ...any) string {
	j.t.Helper()
	quoted := make([]any, len(args))
	for i, arg := range args {
		text, err := json.Marshal(arg)
		j.must(err)
		quoted[i] = string(text)
	}
	told, err := j.value("(() => {" + fmt.Sprintf(format, quoted...) + "})()")
	j.must(err)
	return told
}

// follow presses the first button or link of the page whose text begins so, and waits until
// the next page says something.
func (j *operatorJourney) follow(text, says string) {
	j.t.Helper()
	j.script(`document.documentElement.id = "page-before";
		[...document.querySelectorAll("main button, main a, header button, header a")].
			find(e => e.textContent.trim().startsWith(%s)).click()`, text)
	eventually(j.t, fmt.Sprintf("the page with %q after %q", says, text), func() error {
		page, err := j.source()
		if err == nil && (!strings.Contains(page, says) || strings.Contains(page, `id="page-before"`)) {
			err = fmt.Errorf("the page is %s", page)
		}
		return err
	})
}

// fill fills in fields of the form, by their names.
func (j *operatorJourney) fill(fields map[string]string) {
	j.t.Helper()
	j.script(`for (const [name, value] of Object.entries(%s)) {
		const all = [...document.querySelectorAll("main [name='" + name + "']")].filter(e => e.type !== "hidden");
		const choice = all.find(e => e.type === "radio" && e.value === value) ?? all[0];
		if (choice.type === "radio" || choice.type === "checkbox") choice.checked = true; else choice.value = value;
	}`, fields)
}

// signIn signs in, from a page that has sent the operator to the sign-in, or from there.
func (j *operatorJourney) signIn(says string) {
	j.t.Helper()
	j.fill(map[string]string{"key": j.key})
	j.follow("Sign in", says)
}

// begin opens a page without a session and signs in.
func (j *operatorJourney) begin(path, says string) {
	j.t.Helper()
	j.must(j.forget())
	j.open(j.consoleAddress(path), "<h1>Sign in</h1>")
	j.signIn(says)
}

// share shares an object by the form and returns the URL of the link and its passphrase, if
// the service has made one.
func (j *operatorJourney) share(key string, fields map[string]string) (address, passphrase string) {
	j.t.Helper()
	j.open(j.consoleAddress("/share?bucket=reports&key="+key), "This is what you share")
	j.fill(fields)
	j.follow("Create the link", "The link is ready")
	address = j.script(`return document.querySelector("#link-url").value`)
	return address, j.script(`return document.querySelector("#passphrase")?.value ?? ""`)
}

// tabTo presses Tab until an expression is true of the focused element, which is named
// focused in it.
func (j *operatorJourney) tabTo(expression string) {
	j.t.Helper()
	for range 60 {
		j.script(`window.before = document.activeElement`)
		j.must(j.press(keyTab))
		j.shows(`document.activeElement !== window.before`, "true")
		if j.script(`const focused = document.activeElement; return `+expression) == "true" {
			return
		}
	}
	j.t.Fatalf("no Tab leads to %s", expression)
}

// newPerson opens another window in the browser, without the cookies of the first, and
// returns a function that switches to it and one that switches back.
func (c *chromium) newPerson(t *testing.T) (enter, leave func()) {
	t.Helper()
	first := c.session
	var made struct{ BrowserContextID string }
	var target struct{ TargetID string }
	var attached struct{ SessionID string }
	c.session = "" // These commands are for the browser.
	err := c.call("Target.createBrowserContext", nil, &made)
	if err == nil {
		err = c.call("Target.createTarget", map[string]any{
			"url": "about:blank", "browserContextId": made.BrowserContextID,
		}, &target)
	}
	if err == nil {
		err = c.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	}
	if err == nil {
		err = c.call("Browser.setDownloadBehavior", map[string]any{
			"behavior": "allowAndName", "browserContextId": made.BrowserContextID, "downloadPath": c.downloads,
			"eventsEnabled": true,
		}, nil)
	}
	c.session = attached.SessionID
	err = errors.Join(err, c.call("Page.enable", nil, nil), c.attentive())
	c.session = first
	if err != nil {
		t.Fatal(err)
	}
	return func() { c.session = attached.SessionID }, func() { c.session = first }
}

// attentive lets the page of the session have the focus, also if another window is in front
// of it.
func (c *chromium) attentive() error {
	return c.call("Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}, nil)
}

// openForConsole starts a browser for journeys through the console. Pages refresh
// their figures five times a second. The name keyhole.test leads to this machine.
func openForConsole(t *testing.T) *chromium {
	t.Helper()
	c := &chromium{}
	c.start(t, t.TempDir(), "--host-resolver-rules=MAP keyhole.test 127.0.0.1")
	const faster = `document.addEventListener("DOMContentLoaded", () => {
		document.documentElement.dataset.refreshEvery = "200";
	})`
	if err := errors.Join(
		c.call("Page.enable", nil, nil), c.attentive(),
		c.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": faster}, nil),
		c.viewport(1024, 768, 1),
		c.call("Browser.grantPermissions", map[string]any{
			"permissions": []string{"clipboardReadWrite", "clipboardSanitizedWrite"},
		}, nil),
	); err != nil {
		t.Fatal(err)
	}
	return c
}
