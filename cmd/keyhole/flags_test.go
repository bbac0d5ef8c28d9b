package main

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// Every flag that takes text is refused where it is given and empty.
func TestEveryEmptyFlagIsRefused(t *testing.T) {
	t.Parallel()
	var found []string
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.HasSubCommands() {
			return
		}
		for _, name := range names(regexp.MustCompile(`(?m)^ +--([a-z0-9-]+) string`), c.Flags().FlagUsages()) {
			found = append(found, name)
			var stderr bytes.Buffer
			if c.Name() == "change" && name == "note" {
				continue // it is emptied on purpose
			}
			args := append(strings.Fields(c.CommandPath())[1:], "--"+name, "")
			switch c.Name() {
			case "share":
				args = append(args, "s3://reports/a")
			case "show", "events", "revoke", "change":
				args = append(args, strings.Repeat("a", 26))
			}
			code := run(t.Context(), args, surroundings{stdout: io.Discard, stderr: &stderr, environ: []string{"KEYHOLE_KEY=khk_test"}})
			if code != exitUsage || !strings.HasPrefix(stderr.String(), "keyhole: --"+name+" is empty; leave it out") {
				t.Errorf("%q: exit %d, %s", args, code, stderr.String())
			}
		}
	}
	walk(newRoot(&surroundings{}))
	slices.Sort(found)
	want := []string{
		"allow", "bucket", "config", "created-by", "expires", "filename", "idempotency-key", "key", "key-file", "kind", "label", "name", "not-before",
		"note", "operator", "operator-url", "passphrase-file", "pin", "prefix", "preset", "public", "qr-file", "reason", "reveal", "s3", "search",
		"since", "state", "storage", "until", "url", "version-id",
	}
	if found = slices.Compact(found); !slices.Equal(found, want) {
		t.Errorf("the commands have %q", found)
	}
}

func TestInFlags(t *testing.T) {
	t.Parallel()
	refused := func() error {
		return &client.Error{Problem: api.Problem{Code: "invalid", Detail: "d", Errors: []api.FieldError{
			{Field: "max_clicks", Message: "m"},
			{Field: "labels.team", Message: "m"},
			{Field: "allow[1]", Message: "m"},
			{Field: "key", Message: "m"},
			{Field: "expires_in", Message: "give either a preset or expires_in, not both"},
			{Field: "sensitive", Message: `ask without "sensitive": false`},
		}}}
	}
	const rest = `--max-clicks: m; --label.team: m; --allow[1]: m; key: m; --expires: give either a preset or --expires, not both; `
	for sensitive, flag := range map[bool]string{true: "--sensitive", false: "--not-sensitive"} {
		if got := inFlags(refused(), sensitive, "").Error(); got != rest+flag+": ask without --not-sensitive" {
			t.Errorf("got %s", got)
		}
	}
	named := &client.Error{Problem: api.Problem{Errors: []api.FieldError{{Field: "key", Message: "m"}, {Field: "bucket", Message: "n"}}}}
	if got := inFlags(named, false, "s3://b/k").Error(); got != "s3://b/k: m; s3://b/k: n" {
		t.Errorf("got %s", got)
	}
	if other := errors.New("other"); !errors.Is(inFlags(other, false, ""), other) {
		t.Error("another error is changed")
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	refused := func(code string) error {
		return &client.Error{Problem: api.Problem{Code: code, Detail: "d"}}
	}
	for _, tt := range []struct {
		err  error
		code int
		want string
	}{
		{usage("unknown flag: --\x1b[31m\u009b\u202e\x9b", "h\x07"), 2, `keyhole: unknown flag: --\x1b[31m\u009b\u202e\x9b` + "\n" + `  h\a` + "\n"},
		{errors.Join(refused("not_found"), errors.New("b\r")), 1, "keyhole: d\nb\\r\n  check the id; keyhole list shows the links that this key may see\n"},
		{refused("unauthorized"), 1, "keyhole: d\n  give one that the service's operator.keys has by KEYHOLE_KEY or --key-file; keyhole key new makes one\n"},
		{refused("unheard_of"), 1, "keyhole: d\n  try again; if it stays so, the service's log says more\n"},
		{errors.New("e"), 1, "keyhole: e\n  correct what is named and try again\n"},
	} {
		var stderr bytes.Buffer
		if code := report(&stderr, tt.err); code != tt.code || stderr.String() != tt.want {
			t.Errorf("exit %d, printed %q, want %q", code, stderr.String(), tt.want)
		}
	}
}

func TestPrintJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := printJSON(&out, map[string]string{"a b": "é\u009b\u202e\u007f\U000e0001\n\x1b€"}); err != nil {
		t.Fatal(err)
	}
	const want = "{\n  \"a b\": \"é\\u009b\\u202e\\u007f\\udb40\\udc01\\n\\u001b€\"\n}\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestParseLinkID(t *testing.T) {
	t.Parallel()
	const token = "gL7GirLNfjRUvzM7663PyG"
	id := gateway.IDOf(token).String()
	for _, link := range []string{id, token, "https://dl.example.com/" + token, "https://dl.example.com/" + token + "?x=1"} {
		for _, around := range []string{"%", " %\r\n", "<%>", `"%".`, "'%',", "(%);", "%.", "%)", "“%”", "`%`", "%/", "%…", "「%」", "\u200b%\ufeff"} {
			arg := strings.Replace(around, "%", link, 1)
			if got, err := parseLinkID(arg); err != nil || got != id {
				t.Errorf("%q: got %s, %v", arg, got, err)
			}
		}
	}
	for _, arg := range []string{"", "<>", ".", id[1:], id + "a", token + "/" + token, "https://dl.example.com/a/" + token, id[:13] + "." + id[13:]} {
		if got, err := parseLinkID(arg); err == nil {
			t.Errorf("%q: got %s", arg, got)
		}
	}
}

func TestDemoAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ public, operator, want string }{
		{"localhost:28080", "[::1]:28080", ""},
		{"127.0.0.1:0", "localhost:0", ""},
		{"28080", "127.0.0.1:1", `--public "28080" is not an address of the form host:port`},
		{":99999", "127.0.0.1:1", "a port is 0 to 65535"},
		{"127.0.0.1:http", "127.0.0.1:1", "a port is 0 to 65535"},
		{":8080", "127.0.0.1:1", "--public :8080 is not an address of this machine alone"},
		{"127.0.0.1:1", "192.0.2.1:2", "--operator 192.0.2.1:2 is not an address of this machine alone"},
		{"127.0.0.1:1", "localhost:1", "--public and --operator are both 127.0.0.1:1"},
		{"127.0.0.1:1", "[::ffff:127.0.0.1]:1", "--public and --operator are both 127.0.0.1:1"},
		{"127.0.0.1:1", "127.0.0.1:9000", "--operator and --s3 are both 127.0.0.1:9000"},
	} {
		f := &demoFlags{public: tt.public, operator: tt.operator, s3: "127.0.0.1:9000"}
		err := f.checkAddresses()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %s: got %v", tt.public, tt.operator, err)
		}
		if tt.public == "localhost:28080" && f.public != "127.0.0.1:28080" {
			t.Errorf("localhost is %s", f.public)
		}
	}
}

// What demo prints is copied into a shell.
func TestShellWord(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/usr/bin/keyhole": "/usr/bin/keyhole", "/tmp/a b/keyhole": "'/tmp/a b/keyhole'", "/tmp/it's/$x": `'/tmp/it'\''s/$x'`, "": "''",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
