//go:build system

package system

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chromium is Chromium, driven by the DevTools protocol over a pipe. GET is a
// download by a click; the others are fetch in a page, without CORS, which is for
// pages of other sites and not for recipients.
type chromium struct {
	downloads string
	commands  io.Writer
	session   string
	next      int
	messages  chan devtoolsMessage
}

// devtoolsMessage is an answer to a command, or an event.
type devtoolsMessage struct {
	ID     int
	Method string
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct{ Message string }
}

func (c *chromium) version(t *testing.T, dir string) string {
	t.Helper()
	name := versionOf("chromium")(t)
	c.start(t, dir, "--disable-web-security")
	return "Chromium " + strings.TrimPrefix(name, "chromium ")
}

// start starts the browser with a page, and flags beside those that it needs to
// run without a screen, as root.
func (c *chromium) start(t *testing.T, dir string, flags ...string) {
	t.Helper()
	toBrowser, commands, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, fromBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("chromium",
		append(flags, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
			"--disable-quic", "--disable-background-networking", "--disable-component-update",
			"--user-data-dir="+filepath.Join(dir, "profile"), "--remote-debugging-pipe", "about:blank")...)
	command.Env = append(os.Environ(), "HOME="+dir)
	command.ExtraFiles = []*os.File{toBrowser, fromBrowser} // 3 and 4
	startBrowser(t, command)
	t.Cleanup(func() { _, _, _ = commands.Close(), toBrowser.Close(), fromBrowser.Close() })
	c.commands, c.downloads, c.messages = commands, filepath.Join(dir, "downloads"), make(chan devtoolsMessage, 1000)
	go func() {
		defer close(c.messages)
		r := bufio.NewReader(answers)
		for {
			text, err := r.ReadBytes(0)
			if err != nil {
				return
			}
			var m devtoolsMessage
			if json.Unmarshal(text[:len(text)-1], &m) == nil {
				c.messages <- m
			}
		}
	}()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
	}))
	t.Cleanup(page.Close)
	var target struct{ TargetID string }
	var attached struct{ SessionID string }
	for _, err := range []error{
		c.call("Target.createTarget", map[string]any{"url": page.URL}, &target),
		c.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached),
		c.call("Browser.setDownloadBehavior",
			map[string]any{"behavior": "allowAndName", "downloadPath": c.downloads, "eventsEnabled": true}, nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.session = attached.SessionID
}

func (c *chromium) can(operation) bool { return true }

// send sends a command, to the page where there is one.
func (c *chromium) send(method string, params any) (id int, err error) {
	c.next++
	text, err := json.Marshal(struct {
		ID        int    `json:"id"`
		Method    string `json:"method"`
		Params    any    `json:"params"`
		SessionID string `json:"sessionId,omitempty"`
	}{c.next, method, params, c.session})
	if err == nil {
		_, err = c.commands.Write(append(text, 0))
	}
	return c.next, err
}

// await takes messages until one is wanted.
func (c *chromium) await(wanted func(*devtoolsMessage) (bool, error)) error {
	timeout := time.NewTimer(clientTimeout)
	defer timeout.Stop()
	for {
		select {
		case m, ok := <-c.messages:
			if !ok {
				return errors.New("the browser has ended")
			}
			if done, err := wanted(&m); done || err != nil {
				return err
			}
		case <-timeout.C:
			return errors.New("the browser does not answer")
		}
	}
}

// call sends a command and reads its result into result, unless that is nil.
func (c *chromium) call(method string, params, result any) error {
	id, err := c.send(method, params)
	if err != nil {
		return err
	}
	return c.await(func(m *devtoolsMessage) (bool, error) {
		switch {
		case m.ID != id:
			return false, nil
		case m.Error != nil:
			return true, fmt.Errorf("%s: %s", method, m.Error.Message)
		case result == nil:
			return true, nil
		}
		return true, json.Unmarshal(m.Result, result)
	})
}

func (c *chromium) open(op operation, link string, content []byte) error {
	if op == opGet {
		return c.click(link, content)
	}
	call, byteRange, want, err := callFetchPart(op, link, content)
	if err != nil {
		return err
	}
	told, err := c.evaluate(call)
	if err != nil {
		return err
	}
	return checkFetchPart(told, op, byteRange, want)
}

// evaluate runs JavaScript in the page, as its reader would have done, and returns
// the text that it comes to.
func (c *chromium) evaluate(script string) (string, error) {
	var evaluated struct {
		Result           struct{ Value string }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	err := c.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "userGesture": true},
		&evaluated)
	if err == nil && evaluated.ExceptionDetails != nil {
		err = errors.New(evaluated.ExceptionDetails.Exception.Description)
	}
	return evaluated.Result.Value, err
}

// click opens the link as a page, and reads the download that it becomes.
func (c *chromium) click(link string, want []byte) error {
	if _, err := c.send("Page.navigate", map[string]any{"url": link}); err != nil {
		return err
	}
	return c.downloaded(want)
}

// downloaded waits for a download to end and reads it.
func (c *chromium) downloaded(want []byte) error {
	var download struct{ GUID, State string }
	if err := c.await(func(m *devtoolsMessage) (bool, error) {
		if m.Method != "Browser.downloadProgress" {
			return false, nil
		}
		if err := json.Unmarshal(m.Params, &download); err != nil {
			return false, err
		}
		return download.State != "inProgress", nil
	}); err != nil {
		return err
	}
	if download.State != "completed" {
		return fmt.Errorf("the download is %s", download.State)
	}
	path := filepath.Join(c.downloads, download.GUID)
	got, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return errors.Join(same(got, want), os.Remove(path))
}
