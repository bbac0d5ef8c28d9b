//go:build system

package system

import (
	"fmt"
	"strings"

	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/gateway/api"
)

// keyboardInConsole signs in, shares, copies and revokes without a mouse.
func keyboardInConsole(j *operatorJourney) {
	j.must(j.forget())
	j.open(j.consoleAddress("/links"), "<h1>Sign in</h1>")
	j.shows(`document.activeElement.id`, "key")
	j.must(j.press(j.key, keyEnter))
	j.reads("<h1>Links</h1>")
	j.must(j.press("/"))
	j.shows(`document.activeElement.id`, "q")
	j.must(j.press("g", "o")) // typed, not a shortcut
	j.shows(`document.querySelector("#q").value + location.pathname`, "go/console/links")
	j.tabTo(`focused.id !== "q"`)
	j.must(j.press("g", "o"))
	j.reads("<h1>Objects</h1>")
	j.tabTo(`focused.className === "skip"`)
	j.must(j.press(keyEnter))
	j.shows(`document.activeElement.id`, "main")
	j.tabTo(`focused.textContent.startsWith("reports")`)
	j.must(j.press(keyEnter))
	j.reads("Search in this folder")
	j.tabTo(`focused.getAttribute("aria-label") === "Share file.txt"`)
	j.must(j.press(keyEnter))
	j.reads("This is what you share")
	j.tabTo(`focused.name === "sensitive"`)
	j.must(j.press(" "))
	j.tabTo(`focused.textContent.trim() === "Create the link"`)
	j.must(j.press(keyEnter))
	j.reads("The link is ready")
	j.tabTo(`focused.dataset.copy === "link-url"`)
	j.must(j.press(keyEnter))
	j.shows(`document.querySelector("#status").textContent`, "Copied")
	j.shows(`document.activeElement.dataset.copy`, "link-url")
	j.tabTo(`focused.textContent.trim() === "Watch this link"`)
	j.must(j.press(keyEnter))
	j.reads("What happened")
	j.tabTo(`focused.textContent.trim() === "Revoke"`)
	j.must(j.press(keyEnter))
	j.reads("Revoke this link?")
	j.tabTo(`focused.id === "reason"`)
	j.must(j.press("by keyboard"))
	j.tabTo(`focused.textContent.trim() === "Revoke the link"`)
	j.must(j.press(keyEnter))
	j.reads("The link was revoked")
	j.must(j.press("?"))
	j.reads("<h1>Help</h1>")
	j.script(`document.querySelector("#shortcuts-on").click()`)
	j.must(j.press("g", "l"))
	j.script(`document.querySelector("#shortcuts-on").click()`)
	j.shows(`location.pathname`, "/console/help")
}

// filterWhileTyping expects that the list follows a filter, and that the field that is
// typed into keeps the focus, its text and the place of the cursor.
func filterWhileTyping(j *operatorJourney) {
	for _, key := range []string{"file.txt", "2026/q3 figures.txt"} {
		if _, err := j.gateway.client.Issue(j.t.Context(), api.IssueRequest{
			Bucket: "reports", Key: key, Labels: map[string]string{"run": "typing"},
		}); err != nil {
			j.t.Fatal(err)
		}
	}
	j.begin("/links?label=run%3Dtyping", "<h1>Links</h1>")
	const rows = `document.querySelectorAll("#results tbody tr").length`
	j.shows(rows, "2")
	j.script(`document.body.dataset.stays = "yes"; document.querySelector("#prefix").focus()`)
	j.must(j.press("2026/"))
	j.shows(rows, "1")
	j.shows(`document.activeElement.id + document.activeElement.value + document.activeElement.selectionStart`,
		"prefix2026/5")
	j.shows(`new URLSearchParams(location.search).get("prefix") + document.body.dataset.stays`, "2026/yes")
	j.script(`document.querySelector("#label").value = ""; document.querySelector("#label").focus()`)
	j.must(j.press("no equals sign"))
	j.shows(`document.querySelector("#status").textContent`, "The list was not changed. Press Filter to see why.")
	j.follow("Filter", "aria-label=\"Filters\"")
	j.shows(`document.querySelectorAll("main [role=alert]").length > 0`, "true")
}

// scopeInConsole uses a key that may share and see only exports.
func scopeInConsole(j *operatorJourney) {
	seen := issue(j.t, j.gateway, api.IssueRequest{})
	j.begin("/objects", "<h1>Objects</h1>")
	j.shows(`[...document.querySelectorAll(".tiles strong")].map(e => e.textContent).join()`, "exports")
	j.shows(`[...document.querySelectorAll("header nav a")].map(e => e.textContent).join()`, "Objects,Links,Audit")
	j.open(j.consoleAddress("/share?bucket=reports&key=file.txt"), "This object cannot be shared")
	j.open(j.consoleAddress("/links/"+seen.ID), "<h1>Not found</h1>")
	j.open(j.consoleAddress("/links?bucket=reports"), "<h1>Links</h1>")
	j.shows(`document.querySelectorAll("#results tbody tr").length`, "0")
	j.open(j.consoleAddress("/share?bucket=exports&key=file.txt"), "This is what you share")
	j.fill(map[string]string{"expires_in": "5m"})
	j.follow("Create the link", "The link is ready")
	j.open(j.consoleAddress("/links"), "<h1>Links</h1>")
	j.shows(`document.querySelectorAll("#results tbody tr").length`, "1")
}

// anotherHost reaches the console by plain http under a name, where browsers offer no
// clipboard. No button claims to copy, and the link can be selected.
func anotherHost(j *operatorJourney) {
	named := *j.gateway
	named.operator = strings.Replace(j.gateway.operator, "127.0.0.1", "keyhole.test", 1)
	j.gateway = &named
	j.begin("/objects", "<h1>Objects</h1>")
	if clipboard := j.script(`return typeof navigator.clipboard`); clipboard != "undefined" {
		j.t.Fatalf("the clipboard is %s", clipboard)
	}
	address, _ := j.share("file.txt", map[string]string{"make_passphrase": "1"})
	j.shows(`[...document.querySelectorAll("[data-copy]")].filter(e => e.checkVisibility()).length`, "0")
	j.shows(`(f => (f.focus(), f.select(), f.readOnly + " " + getSelection().toString()))
		(document.querySelector("#link-url"))`, "true "+address)
	foreign := strings.Replace(named.operator, "keyhole.test", "foreign.localhost", 1)
	j.open(foreign+"/console/objects", "operator.hosts")
}

// sessionsEnd ends a session by the sign-out, by the time without activity, and by the
// removal of its key from the configuration. Refreshes of a page are no activity.
func sessionsEnd(j *operatorJourney, in *installation) {
	j.begin("/links", "<h1>Links</h1>")
	j.follow("Sign out", "<h1>Sign in</h1>")
	j.script(`history.back()`)
	j.reads("<h1>Sign in</h1>")
	j.shows(`location.pathname`, "/console/sign-in")

	j.gateway = in.start("KEYHOLE_CONSOLE_IDLE=8s")
	link := issue(j.t, j.gateway, api.IssueRequest{})
	const sessions = "keyhole_console_sessions"
	others, err := j.gateway.gauge(j.t, sessions)
	j.must(err)
	j.begin("/links/"+link.ID, "What happened")
	if j.bare {
		// Without scripts the page does not learn it, and a look would be activity.
		eventually(j.t, "the end of the session", func() error {
			now, err := j.gateway.gauge(j.t, sessions)
			if err == nil && now > others {
				err = fmt.Errorf("%v sessions, not %v", now, others)
			}
			return err
		})
	} else {
		j.shows(`document.querySelector("#status").textContent`, "Your session has ended. Reload the page to sign in.")
	}
	j.must(j.reload())
	j.reads("Your session has ended. Sign in to go on.")
	j.signIn("What happened") // The sign-in returns to the page.

	j.gateway = in.start()
	j.begin("/links", "<h1>Links</h1>")
	j.gateway.edit(j.t, operatorkey.Hash(j.key), strings.Repeat("0a", 32))
	j.gateway.hangUp(j.t)
	j.must(j.visit(j.consoleAddress("/objects")))
	j.reads("Your session has ended. Sign in to go on.")
	j.fill(map[string]string{"key": j.key})
	j.follow("Sign in", "does not know that operator key")
}
