//go:build system

package system

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

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
	command := exec.Command("firefox-esr", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote",
		"--profile", profile)
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
		{
			"WebDriver:NewSession",
			map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{"pageLoadStrategy": "none"}}},
		},
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
		"script": "const done = arguments[arguments.length - 1];\n(async () => {" + body +
			"})().then(done, e => done(JSON.stringify({error: String(e)})));",
		"args": []any{},
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
	return checkFetchPart(told, op, byteRange, want)
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
		gBrowser.loadURI(Services.io.newURI(` + string(quoted) + `), {
			triggeringPrincipal: Services.scriptSecurityManager.createNullPrincipal({}),
		});
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
