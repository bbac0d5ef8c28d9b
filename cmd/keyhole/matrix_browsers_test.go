package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fetchPart is JavaScript that opens a link without leaving the page and tells
// what came, as fetchedPart has it.
const fetchPart = `async (method, url, range) => {
	const answer = await fetch(url, {method, cache: "no-store", headers: range ? {Range: range} : {}});
	const body = await answer.arrayBuffer();
	const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
	return JSON.stringify({
		status: answer.status, length: answer.headers.get("Content-Length") ?? "", size: body.byteLength,
		sha256: Array.from(sum, b => b.toString(16).padStart(2, "0")).join(""),
	});
}`

// callFetchPart writes a call of fetchPart.
func callFetchPart(op operation, link string, content []byte) (call, byteRange string, want []byte, err error) {
	method, byteRange, want := partOf(op, content)
	args, err := json.Marshal([]string{method, link, byteRange})
	return "(" + fetchPart + ")(..." + string(args) + ")", byteRange, want, err
}

// judgeFetchPart reads what it told.
func judgeFetchPart(told string, op operation, byteRange string, want []byte) error {
	var got fetchedPart
	if err := json.Unmarshal([]byte(told), &got); err != nil {
		return fmt.Errorf("%w in %.200s", err, told)
	}
	return got.check(op, byteRange, want)
}

// startBrowser starts a browser that ends with the test.
func startBrowser(t *testing.T, command *exec.Cmd) {
	t.Helper()
	log := &buffer{}
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatalf("%s does not start (%v): run deploy/matrix, which installs it", command.Path, err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()         // it was killed
		if t.Failed() {
			t.Logf("%s printed:\n%s", command.Path, log.tail(4<<10))
		}
	})
}

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
	toBrowser, commands, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, fromBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-web-security", "--user-data-dir="+filepath.Join(dir, "profile"), "--remote-debugging-pipe", "about:blank")
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
		c.call("Browser.setDownloadBehavior", map[string]any{"behavior": "allowAndName", "downloadPath": c.downloads, "eventsEnabled": true}, nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.session = attached.SessionID
	return "Chromium " + strings.TrimPrefix(name, "chromium ")
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
	var evaluated struct {
		Result           struct{ Value string }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	if err := c.call("Runtime.evaluate", map[string]any{"expression": call, "awaitPromise": true}, &evaluated); err != nil {
		return err
	}
	if evaluated.ExceptionDetails != nil {
		return errors.New(evaluated.ExceptionDetails.Exception.Description)
	}
	return judgeFetchPart(evaluated.Result.Value, op, byteRange, want)
}

// click opens the link as a page, and reads the download that it becomes.
func (c *chromium) click(link string, want []byte) error {
	if _, err := c.send("Page.navigate", map[string]any{"url": link}); err != nil {
		return err
	}
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

// firefox is Firefox, driven by Marionette. GET is a download by a click; the
// others are fetch in the browser's own scope, where no CORS applies.
type firefox struct {
	downloads string
	conn      net.Conn
	reader    *bufio.Reader
	next      int
}

func (f *firefox) version(t *testing.T, dir string) string {
	t.Helper()
	name := versionOf("firefox-esr")(t)
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	f.downloads = filepath.Join(dir, "downloads")
	profile := filepath.Join(dir, "profile")
	for _, path := range []string{f.downloads, profile} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	prefs := fmt.Sprintf(`user_pref("marionette.port", %s);
user_pref("browser.download.folderList", 2);
user_pref("browser.download.dir", %q);
user_pref("browser.download.useDownloadDir", true);
user_pref("browser.download.always_ask_before_handling_new_types", false);
user_pref("browser.helperApps.neverAsk.saveToDisk", "application/octet-stream,binary/octet-stream");
user_pref("browser.safebrowsing.downloads.enabled", false);
`, port, f.downloads)
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(prefs), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("firefox-esr", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", profile)
	command.Env = append(os.Environ(), "HOME="+dir, "MOZ_HEADLESS=1")
	startBrowser(t, command)
	eventually(t, "Firefox to listen", func() error {
		f.conn, err = net.Dial("tcp", address)
		return err
	})
	t.Cleanup(func() { _ = f.conn.Close() })
	f.reader = bufio.NewReader(f.conn)
	if _, err := f.read(); err != nil { // its greeting
		t.Fatal(err)
	}
	for _, step := range []struct {
		command string
		params  map[string]any
	}{
		{"WebDriver:NewSession", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{"pageLoadStrategy": "none"}}}},
		{"WebDriver:SetTimeouts", map[string]any{"script": clientTimeout.Milliseconds()}},
		{"Marionette:SetContext", map[string]any{"value": "chrome"}},
	} {
		if _, err := f.call(step.command, step.params); err != nil {
			t.Fatal(err)
		}
	}
	return "Firefox ESR " + strings.TrimPrefix(name, "firefox-esr ")
}

func (f *firefox) can(operation) bool { return true }

// read reads one message: its length in decimal, a colon, and JSON.
func (f *firefox) read() ([]byte, error) {
	if err := f.conn.SetReadDeadline(time.Now().Add(clientTimeout)); err != nil {
		return nil, err
	}
	prefix, err := f.reader.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(prefix, ":"))
	if err != nil {
		return nil, err
	}
	text := make([]byte, n)
	_, err = io.ReadFull(f.reader, text)
	return text, err
}

// call sends a command and returns the value of its answer.
func (f *firefox) call(command string, params any) (json.RawMessage, error) {
	f.next++
	text, err := json.Marshal([]any{0, f.next, command, params})
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(f.conn, "%d:%s", len(text), text); err != nil {
		return nil, err
	}
	answer, err := f.read()
	if err != nil {
		return nil, err
	}
	var parts [4]json.RawMessage // 1, the command's number, an error, a result
	if err := json.Unmarshal(answer, &parts); err != nil {
		return nil, fmt.Errorf("%w in %.200s", err, answer)
	}
	if string(parts[2]) != "null" {
		return nil, fmt.Errorf("%s: %.300s", command, parts[2])
	}
	var result struct{ Value json.RawMessage }
	if err := json.Unmarshal(parts[3], &result); err != nil {
		return nil, err
	}
	return result.Value, nil
}

// script runs an asynchronous function's body and returns the text that it gives.
func (f *firefox) script(body string) (string, error) {
	value, err := f.call("WebDriver:ExecuteAsyncScript", map[string]any{
		"script": "const done = arguments[arguments.length - 1];\n(async () => {" + body + "})().then(done, e => done(JSON.stringify({error: String(e)})));",
		"args":   []any{},
	})
	if err != nil {
		return "", err
	}
	var text string
	err = json.Unmarshal(value, &text)
	return text, err
}

func (f *firefox) open(op operation, link string, content []byte) error {
	if op == opGet {
		return f.click(link, content)
	}
	call, byteRange, want, err := callFetchPart(op, link, content)
	if err != nil {
		return err
	}
	told, err := f.script("return await " + call)
	if err != nil {
		return err
	}
	return judgeFetchPart(told, op, byteRange, want)
}

// click opens the link as a page, and reads the download that it becomes.
func (f *firefox) click(link string, want []byte) error {
	quoted, err := json.Marshal(link)
	if err != nil {
		return err
	}
	told, err := f.script(`
		const {Downloads} = ChromeUtils.importESModule("resource://gre/modules/Downloads.sys.mjs");
		const list = await Downloads.getList(Downloads.ALL);
		for (const old of await list.getAll()) await list.remove(old);
		const ended = new Promise((resolve, reject) => list.addView({
			onDownloadAdded(d) { this.onDownloadChanged(d); },
			onDownloadChanged(d) {
				if (d.error) reject(d.error);
				if (d.succeeded) resolve(d.target.path);
			},
		}));
		gBrowser.loadURI(Services.io.newURI(` + string(quoted) + `), {triggeringPrincipal: Services.scriptSecurityManager.createNullPrincipal({})});
		return JSON.stringify({path: await ended});`)
	if err != nil {
		return err
	}
	var saved struct{ Path, Error string }
	if err := json.Unmarshal([]byte(told), &saved); err != nil || saved.Error != "" {
		return fmt.Errorf("%.300s, %w", told, err)
	}
	got, err := os.ReadFile(saved.Path)
	if err != nil {
		return err
	}
	return errors.Join(same(got, want), os.Remove(saved.Path))
}
