//go:build system

package system

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyhole/gateway/api"
)

// journey is a person with a browser, and a service with a file.
type journey struct {
	pageReader

	t       *testing.T
	gateway *instance
	file    []byte
}

// must fails the test if an action failed.
func (j *journey) must(err error) {
	j.t.Helper()
	if err != nil {
		j.t.Fatal(err)
	}
}

// open opens an address and waits until the page says something.
func (j *journey) open(address, says string) {
	j.t.Helper()
	j.must(j.visit(address))
	j.reads(says)
}

// reads waits until the page says something.
func (j *journey) reads(text string) {
	j.t.Helper()
	eventually(j.t, fmt.Sprintf("the page with %q", text), func() error {
		page, err := j.source()
		if err == nil && !strings.Contains(page, text) {
			err = fmt.Errorf("the page is %s", page)
		}
		return err
	})
}

// shows waits until an expression on the page has a value.
func (j *journey) shows(expression, want string) {
	j.t.Helper()
	eventually(j.t, expression, func() error {
		got, err := j.value(expression)
		if err == nil && got != want {
			err = fmt.Errorf("it is %q, not %q", got, want)
		}
		return err
	})
}

// gets waits until the file arrives.
func (j *journey) gets() {
	j.t.Helper()
	j.must(j.saved(j.t, j.file))
}

// The focus of a page that is loaded, by the element's name, and the state of the field.
const (
	focus = `performance.getEntriesByType("navigation")[0].loadEventEnd > 0 &&
		(document.activeElement.id || document.activeElement.tagName)`
	fieldType = `document.querySelector("#passphrase").type`
	boxType   = `document.activeElement.type`
)

// TestJourneys lets a person use the pages in Chromium and in Firefox, over the real
// service.
func TestJourneys(t *testing.T) {
	t.Setenv("TZ", "Asia/Kolkata") // of the browsers
	in := install(t)
	file := randomBytes(50_000)
	in.s3.Put(t, "reports", "file.txt", "application/octet-stream", file)
	g := in.start("KEYHOLE_REDIRECT_RESUME_WINDOW=1s")
	for name, reader := range pageReaders(t) {
		for _, one := range []struct {
			name string
			walk func(*journey)
		}{
			{"keyboard only", keyboardOnly},
			{"time zone", timeZone},
			{"another language", anotherLanguage},
			{"used up", usedUp},
			{"without scripts", withoutScripts},
		} {
			t.Run(name+"/"+one.name, func(t *testing.T) {
				one.walk(&journey{reader, t, g, file})
			})
		}
	}
}

// keyboardOnly types a wrong passphrase, looks at it, and then types the right one.
func keyboardOnly(j *journey) {
	link := issue(j.t, j.gateway, api.IssueRequest{Passphrase: new("Right-Passphrase 1")})
	j.open(link.URL, "Passphrase for this file")
	j.shows(focus, "BODY")
	j.must(j.press(keyTab))
	j.shows(focus, "passphrase")
	j.must(j.press("right-passphrase 1", keyTab))
	j.shows(boxType, "checkbox")
	j.shows(fieldType, "password")
	j.must(j.press(" "))
	j.shows(fieldType, "text")
	j.must(j.press(" "))
	j.shows(fieldType, "password")
	j.must(j.press(" ", keyTab))
	j.shows(focus, "BUTTON")
	j.must(j.press(keyEnter))
	j.reads("This passphrase is not correct.")
	j.shows(fieldType, "password")
	j.shows(`document.querySelector("#passphrase").value`, "")
	j.shows(focus, "BODY")
	j.must(j.press(keyTab))
	j.shows(focus, "passphrase")
	j.shows(`String(document.querySelectorAll("#wrong, [aria-invalid]").length)`, "2")
	j.must(j.press("Right-Passphrase 1", keyTab, keyTab, keyEnter))
	j.gets()
	j.shows(`String(document.querySelectorAll("#wrong, [aria-invalid]").length)`, "0")
	if n := clicks(j.t, j.gateway, link.ID); n != 1 {
		j.t.Errorf("%d clicks are counted", n)
	}
}

// timeZone expects times in the zone of the person.
func timeZone(j *journey) {
	link := issue(j.t, j.gateway, api.IssueRequest{Confirm: true})
	zone, err := time.LoadLocation("Asia/Kolkata")
	j.must(err)
	j.open(link.URL, "your local time")
	shown, err := j.value(`document.querySelector("time").textContent`)
	j.must(err)
	if want := link.ExpiresAt.Round(time.Second).In(zone).Format("03:04 PM"); !strings.Contains(shown, want) ||
		!strings.Contains(shown, "GMT+5:30") {
		j.t.Errorf("the page shows %q, want %s GMT+5:30", shown, want)
	}
}

// anotherLanguage chooses a language on the page and then downloads the file.
func anotherLanguage(j *journey) {
	link := issue(j.t, j.gateway, api.IssueRequest{Confirm: true})
	j.open(link.URL, `lang="en"`)
	_, err := j.value(`document.querySelector("a[hreflang=ar]").click()`)
	j.must(err)
	j.reads(`dir="rtl"`)
	j.shows(`location.search`, "?lang=ar")
	_, err = j.value(`document.querySelector("a[hreflang=de]").click()`)
	j.must(err)
	j.reads("Datei herunterladen")
	j.shows("document.readyState", "complete") // A person does not type before that.
	j.shows(focus, "BODY")
	j.must(j.press(keyTab))
	j.shows(focus, "BUTTON")
	j.must(j.press(keyEnter))
	j.gets()
}

// usedUp opens a link again that this browser has used up, and then in a browser without
// its cookies.
func usedUp(j *journey) {
	link := issue(j.t, j.gateway, api.IssueRequest{MaxClicks: new(int64(1))})
	j.open(link.URL, "You can download this file once.")
	j.shows(focus, "BODY")
	j.must(j.press(keyTab))
	j.shows(focus, "BUTTON")
	j.must(j.press(keyEnter))
	j.gets()
	// While the download can be resumed, opening the link downloads the file again.
	eventually(j.t, "the end of the window in which the download can be resumed", func() error {
		if err := j.visit(link.URL); err != nil {
			return err
		}
		for begun := time.Now(); time.Since(begun) < time.Second; {
			page, err := j.source()
			if err == nil && strings.Contains(page, "<h1>You have downloaded this file</h1>") {
				return nil
			}
		}
		return errors.New("another page")
	})
	j.must(j.forget())
	j.open(link.URL, "<h1>No downloads left</h1>")
	if n := clicks(j.t, j.gateway, link.ID); n != 1 {
		j.t.Errorf("%d clicks are counted", n)
	}
}

// withoutScripts uses a page whose script does not run.
func withoutScripts(j *journey) {
	j.must(j.scripts(false))
	link := issue(j.t, j.gateway, api.IssueRequest{Passphrase: new("Right-Passphrase 1")})
	j.open(link.URL, link.ExpiresAt.UTC().Round(time.Second).Format("15:04")+" UTC")
	page, err := j.source()
	j.must(err)
	if strings.Contains(page, `type="checkbox"`) || strings.Contains(page, "your local time)<") {
		j.t.Errorf("the script ran: %s", page)
	}
	j.must(j.press(keyTab, "wrong", keyEnter))
	j.reads("This passphrase is not correct.")
	j.must(j.press(keyTab, "Right-Passphrase 1", keyEnter))
	j.gets()
	j.must(j.scripts(true))
}

// TestReloadOfAnExpiredFile opens a file in the browser and reloads it when its presigned
// URL has expired. Browsers ask the storage again, because a redirect is over when the
// page is shown; opening the link again helps.
func TestReloadOfAnExpiredFile(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("the content"))
	g := in.start("KEYHOLE_REDIRECT_LIFETIME=5s", "KEYHOLE_REDIRECT_MEDIA_LIFETIME=5s")
	for name, reader := range pageReaders(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := &journey{reader, t, g, nil}
			link := issue(t, g, api.IssueRequest{Disposition: "inline"})
			j.open(link.URL, "the content")
			address, err := j.value("location.href")
			j.must(err)
			if !strings.HasPrefix(address, in.s3.Endpoint()) {
				t.Errorf("the page is at %s", strings.SplitN(address, "?", 2)[0])
			}
			eventually(t, "the URL to expire", func() error {
				if a := get(t, http.MethodGet, address); a.status != http.StatusForbidden {
					return fmt.Errorf("status %d", a.status)
				}
				return nil
			})
			j.must(j.reload())
			j.reads("expired")
			after, err := j.value("location.href")
			j.must(err)
			if n := clicks(t, g, link.ID); after != address || n != 1 {
				t.Errorf("%d clicks; the page is at %s", n, strings.SplitN(after, "?", 2)[0])
			}
			page, err := j.source()
			j.must(err)
			t.Logf("after the reload, %s shows the answer of the storage: %.300s", name, page)
			j.open(link.URL, "the content")
			if n := clicks(t, g, link.ID); n != 2 {
				t.Errorf("%d clicks are counted", n)
			}
		})
	}
}
