//go:build system

package system

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The keys of pageReader.press, in WebDriver's encoding. Every other string is typed.
const (
	keyTab   = "\ue004"
	keyEnter = "\ue007"
)

// pageReader is a person with a browser.
type pageReader interface {
	// visit opens an address, and does not wait for the page.
	visit(address string) error
	// reload presses the button for it, and does not wait for the page.
	reload() error
	// press presses keys, one after the other.
	press(keys ...string) error
	// value returns the text of an expression in JavaScript on the page.
	value(expression string) (string, error)
	// source returns the page, also if scripts are switched off. It is an error while the
	// page is not complete: what a test looks for next may be missing.
	source() (string, error)
	// saved waits until a file with this content is downloaded, and removes it.
	saved(t *testing.T, content []byte) error
	// forget deletes all cookies, so that the browser is like another one.
	forget() error
	// scripts switches the scripts of pages on or off.
	scripts(on bool) error
}

var (
	_ pageReader = (*chromium)(nil)
	_ pageReader = (*firefox)(nil)
)

// errIncomplete is the error of a page that is still being read.
var errIncomplete = errors.New("the page is not complete")

// pageReaders starts every browser.
func pageReaders(t *testing.T) map[string]pageReader {
	t.Helper()
	c, f := openChromium(t), &firefox{}
	t.Log(f.version(t, t.TempDir()), versionOf("chromium")(t))
	if err := f.content(); err != nil {
		t.Fatal(err)
	}
	return map[string]pageReader{"Chromium": c, "Firefox": f}
}

func (c *chromium) visit(address string) error {
	_, err := c.send("Page.navigate", map[string]any{"url": address})
	return err
}

func (c *chromium) reload() error {
	_, err := c.send("Page.reload", nil)
	return err
}

// press does not wait for the answers, because the event of a download that a key starts
// would be lost among them.
func (c *chromium) press(keys ...string) error {
	for _, key := range keys {
		down := map[string]any{"type": "keyDown", "key": key, "text": key}
		switch key {
		case keyTab:
			down = map[string]any{"type": "keyDown", "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
		case keyEnter:
			down = map[string]any{
				"type": "keyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r",
			}
		case " ":
			down["code"], down["windowsVirtualKeyCode"] = "Space", 32
		}
		if len([]rune(key)) > 1 {
			if _, err := c.send("Input.insertText", map[string]any{"text": key}); err != nil {
				return err
			}
			continue
		}
		up := map[string]any{"type": "keyUp"}
		for _, name := range []string{"key", "code", "windowsVirtualKeyCode"} {
			if value, ok := down[name]; ok {
				up[name] = value
			}
		}
		for _, event := range []map[string]any{down, up} {
			if _, err := c.send("Input.dispatchKeyEvent", event); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *chromium) value(expression string) (string, error) {
	return c.evaluate("String(" + expression + ")")
}

func (c *chromium) source() (string, error) {
	page, err := c.evaluate(`document.readyState === "complete" ? document.documentElement.outerHTML : ""`)
	if err == nil && page == "" {
		err = errIncomplete
	}
	return page, err
}

func (c *chromium) saved(_ *testing.T, content []byte) error { return c.downloaded(content) }

func (c *chromium) forget() error { return c.call("Network.clearBrowserCookies", nil, nil) }

func (c *chromium) scripts(on bool) error {
	return c.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": !on}, nil)
}

// content lets the next commands work on the page. The constructor leaves them in the scope
// of the browser.
func (f *firefox) content() error {
	_, err := f.call("Marionette:SetContext", map[string]any{"value": "content"})
	return err
}

// inBrowser runs a script in the scope of the browser.
func (f *firefox) inBrowser(script string) error {
	if _, err := f.call("Marionette:SetContext", map[string]any{"value": "chrome"}); err != nil {
		return err
	}
	_, err := f.call("WebDriver:ExecuteScript", map[string]any{"script": script, "args": []any{}})
	return errors.Join(err, f.content())
}

func (f *firefox) visit(address string) error {
	_, err := f.call("WebDriver:Navigate", map[string]any{"url": address})
	return err
}

func (f *firefox) reload() error {
	_, err := f.call("WebDriver:Refresh", nil)
	return err
}

func (f *firefox) press(keys ...string) error {
	var events []map[string]string
	for _, key := range keys {
		for _, r := range key {
			events = append(events, map[string]string{"type": "keyDown", "value": string(r)},
				map[string]string{"type": "keyUp", "value": string(r)})
		}
	}
	_, err := f.call("WebDriver:PerformActions", map[string]any{
		"actions": []map[string]any{{"type": "key", "id": "keyboard", "actions": events}},
	})
	return err
}

func (f *firefox) value(expression string) (string, error) {
	script := "return String(" + expression + ")"
	return f.textOf("WebDriver:ExecuteScript", map[string]any{"script": script, "args": []any{}})
}

func (f *firefox) source() (string, error) {
	if state, err := f.value("document.readyState"); err != nil || state != "complete" {
		return "", errors.Join(errIncomplete, err)
	}
	return f.textOf("WebDriver:GetPageSource", nil)
}

// textOf returns the text that a command returns.
func (f *firefox) textOf(command string, params any) (string, error) {
	value, err := f.call(command, params)
	if err != nil {
		return "", err
	}
	var text string
	err = json.Unmarshal(value, &text)
	return text, err
}

func (f *firefox) saved(t *testing.T, content []byte) error {
	t.Helper()
	eventually(t, "Firefox to save the file", func() error {
		files, err := filepath.Glob(filepath.Join(f.downloads, "*"))
		if err != nil {
			return err
		}
		for _, file := range files {
			// Firefox empties a file of the final name first.
			if got, err := os.ReadFile(file); err == nil && bytes.Equal(got, content) && filepath.Ext(file) != ".part" {
				return os.Remove(file)
			}
		}
		return fmt.Errorf("the downloads are %q", files)
	})
	return nil
}

func (f *firefox) forget() error { return f.inBrowser("Services.cookies.removeAll()") }

func (f *firefox) scripts(on bool) error {
	return f.inBrowser(fmt.Sprintf(`Services.prefs.setBoolPref("javascript.enabled", %v)`, on))
}
