package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

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
	const rest = "--max-clicks: m; --label.team: m; --allow[1]: m; key: m; " +
		"--expires: give either a preset or --expires, not both; "
	for sensitive, flag := range map[bool]string{true: "--sensitive", false: "--not-sensitive"} {
		if got := inFlags(refused(), sensitive, "").Error(); got != rest+flag+": ask without --not-sensitive" {
			t.Errorf("got %s", got)
		}
	}
	named := &client.Error{Problem: api.Problem{Errors: []api.FieldError{
		{Field: "key", Message: "m"},
		{Field: "bucket", Message: "n"},
	}}}
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
		{
			command.Usage("unknown flag: --\x1b[31m\u009b\u202e\x9b", "h\x07"), 2,
			`keyhole: unknown flag: --\x1b[31m\u009b\u202e\x9b` + "\n" + `  h\a` + "\n",
		},
		{
			errors.Join(refused("not_found"), errors.New("b\r")), 1,
			"keyhole: d\nb\\r\n  check the ID of the link; keyhole list shows the links that this key may see\n",
		},
		{
			refused("unauthorized"), 1,
			"keyhole: d\n  use a key that is listed in the service's operator.keys; pass it in KEYHOLE_KEY or with " +
				"--key-file (keyhole key new creates one)\n",
		},
		{refused("unheard_of"), 1, "keyhole: d\n  try again; if it fails again, see the service's log\n"},
		{errors.New("e"), 1, "keyhole: e\n  correct it and try again\n"},
	} {
		var stderr bytes.Buffer
		if code := report(&stderr, tt.err); code != tt.code || stderr.String() != tt.want {
			t.Errorf("exit %d, printed %q, want %q", code, stderr.String(), tt.want)
		}
	}
}

func TestParseLinkID(t *testing.T) {
	t.Parallel()
	const token = "gL7GirLNfjRUvzM7663PyG"
	id := gateway.IDOf(token).String()
	for _, link := range []string{id, token, "https://dl.example.com/" + token, "https://dl.example.com/" + token +
		"?x=1"} {
		for _, around := range []string{
			"%", " %\r\n", "<%>", `"%".`, "'%',", "(%);", "%.", "%)", "“%”", "`%`", "%/", "%…",
			"「%」", "\u200b%\ufeff",
		} {
			arg := strings.Replace(around, "%", link, 1)
			if got, err := parseLinkID(arg); err != nil || got != id {
				t.Errorf("%q: got %s, %v", arg, got, err)
			}
		}
	}
	for _, arg := range []string{"", "<>", ".", id[1:], id + "a", token + "/" + token, "https://dl.example.com/a/" +
		token, id[:13] + "." + id[13:]} {
		if got, err := parseLinkID(arg); err == nil {
			t.Errorf("%q: got %s", arg, got)
		}
	}
}
