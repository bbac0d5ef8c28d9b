package cli

import (
	"errors"
	"io"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
)

// The key comes from the file of --key-file or from the environment, without the spaces
// and line breaks around it. Other text is neither sent nor repeated.
func TestOperatorKey(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		environ string
		problem string // empty: the key is accepted
	}{
		"a key":          {"KEYHOLE_KEY=khk_A", ""},
		"a token":        {"KEYHOLE_KEY=" + strings.Repeat("e", 4000) + ".x.y", ""},
		"spaces":         {"KEYHOLE_KEY= khk_A\n", ""},
		"none":           {"KEYHOLE_KEY=", "no operator key"},
		"only spaces":    {"KEYHOLE_KEY= \n", "no operator key"},
		"two words":      {"KEYHOLE_KEY=khk_canary khk_B", "KEYHOLE_KEY does not contain exactly one operator key"},
		"a URL":          {"KEYHOLE_KEY=https://canary/", "does not contain exactly one operator key"},
		"not ASCII":      {"KEYHOLE_KEY=khk_canaryé", "does not contain exactly one operator key"},
		"a control code": {"KEYHOLE_KEY=canary\x1b", "does not contain exactly one operator key"},
		"far too long":   {"KEYHOLE_KEY=canary" + strings.Repeat("x", maxKey), "does not contain exactly one operator key"},
	} {
		f := &operatorFlags{}
		c, err := f.client(&command.Env{Stderr: io.Discard, Environ: []string{tt.environ}})
		var known *command.Error
		switch {
		case tt.problem == "":
			if err != nil || c == nil {
				t.Errorf("%s: got %v", name, err)
			}
		case !errors.As(err, &known) || known.Code != command.ExitUsage || known.Hint == "":
			t.Errorf("%s: got %v", name, err)
		case !strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error()+known.Hint, "canary"):
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The flag goes before the variable, and the variable before the default. An address
// that is not a URL is wrong usage.
func TestOperatorAddress(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		flag, variable string
		valid          bool
	}{
		"the default":      {"", "", true},
		"the variable":     {"", "http://127.0.0.1:1", true},
		"the flag":         {"http://127.0.0.1:1", "nowhere", true},
		"a wrong variable": {"", "127.0.0.1:1", false},
		"a wrong flag":     {"ftp://127.0.0.1", "http://127.0.0.1:1", false},
	} {
		f := &operatorFlags{url: tt.flag}
		_, err := f.connect(&command.Env{Environ: []string{"KEYHOLE_OPERATOR_URL=" + tt.variable}})
		var known *command.Error
		if (err == nil) != tt.valid || err != nil && (!errors.As(err, &known) || known.Code != command.ExitUsage ||
			!strings.Contains(known.Hint, "--operator-url or KEYHOLE_OPERATOR_URL")) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The message names the flag or variable and its value, but nothing that may be secret.
func TestWrongOperatorAddressIsNamed(t *testing.T) {
	t.Parallel()
	const token = "4uQeVj5tqViQh7yWWGStvk"
	for value, want := range map[string]string{
		"127.0.0.1:8081":                "127.0.0.1:8081",
		"keyhole.example.com":           "keyhole.example.com",
		"ftp://127.0.0.1":               "ftp://127.0.0.1",
		"http://":                       "http://",
		"http://host/canary/b":          "http://host/…",
		"http://host?key=canary":        "http://host?…",
		"http://host/#canary":           "http://host/…",
		"http://user:canary@host":       "http://…@host",
		"user:canary@host/canary":       "…@host/…",
		"https://dl.example.com/canary": "https://dl.example.com/…",
		token:                           "…",
		"https://" + token + "/canary":  "https://" + token + "/…",
	} {
		for _, from := range []string{"--operator-url", "KEYHOLE_OPERATOR_URL"} {
			f, env := &operatorFlags{url: value}, &command.Env{}
			if from == "KEYHOLE_OPERATOR_URL" {
				f, env = &operatorFlags{}, &command.Env{Environ: []string{from + "=" + value}}
			}
			_, err := f.connect(env)
			var known *command.Error
			if !errors.As(err, &known) || !strings.HasPrefix(err.Error(), from+` is "`+want+`": not the address`) ||
				!strings.Contains(known.Hint, "scheme, host and port") || strings.Contains(err.Error()+known.Hint, "canary") {
				t.Errorf("%s %s: got %v, %+v", from, value, err, known)
			}
			meant := want == value && !strings.Contains(value, "://")
			if strings.HasPrefix(known.Hint, "did you mean http://"+value+"? ") != meant {
				t.Errorf("%s: the hint is %s", value, known.Hint)
			}
		}
	}
}

// An object in place of a link is answered by the filters that select its links.
func TestParseLinkIDOfAnObject(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{
		"s3://reports":              "keyhole list --bucket reports lists its links",
		"s3://reports/2026/":        "keyhole list --bucket reports --prefix 2026/ lists its links",
		"s3://reports/2026/q3.pdf":  "keyhole list --bucket reports --key 2026/q3.pdf lists its links",
		"s3://reports/it's $(id)":   `--key 'it'\''s $(id)' lists its links`,
		"https://dl.example.com/x/": "an ID has 26 letters and digits",
		"canary":                    "a URL ends with a token of 22 characters",
	} {
		_, err := parseLinkID(arg)
		var known *command.Error
		if !errors.As(err, &known) || known.Code != command.ExitUsage || !strings.Contains(known.Hint, want) ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: got %v, %+v", arg, err, known)
		}
	}
}
