package findings

import (
	"errors"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
)

// A finding is a line of columns, with the advice below. Text of others is escaped.
func TestPrint(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	env := &command.Env{Stdout: &out}
	Print(env, &Finding{Subject: "service", Check: "clock", Level: OK, Message: "fine"})
	Print(env, &Finding{Subject: "a\x1b", Check: "key", Level: Failure, Message: "bad\n", Do: "do\x1b this"})
	want := "ok       service                clock        fine\n" +
		"failure  a\\x1b                  key          bad\\n\n" +
		"         do\\x1b this\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// Only failures are an error; the summary counts what was checked.
func TestVerdict(t *testing.T) {
	t.Parallel()
	ok, warning, failure := Finding{Level: OK}, Finding{Level: Warning}, Finding{Level: Failure}
	for want, all := range map[string][]Finding{
		"0 checks, 0 warnings":                  nil,
		"2 checks, 1 warning":                   {ok, warning},
		"1 of 1 checks failed, with 0 warnings": {failure},
		"2 of 5 checks failed, with 2 warnings": {ok, failure, warning, failure, warning},
	} {
		var out strings.Builder
		err := Verdict(&command.Env{Stderr: &out}, all, "keyhole doctor")
		known, is := errors.AsType[*command.Error](err)
		got := strings.TrimSpace(out.String())
		if is {
			got = err.Error()
		}
		if got != want || is && (known.Code != command.ExitFailed ||
			!strings.HasSuffix(known.Hint, "run keyhole doctor again")) {
			t.Errorf("got %q, %+v, want %q", got, known, want)
		}
	}
}

func TestPrintJSON(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := PrintJSON(&command.Env{Stdout: &out}, []Finding{{Subject: "s", Check: "c", Level: OK, Message: "m"}})
	text := strings.Join(strings.Fields(out.String()), "")
	if err != nil || text != `{"findings":[{"subject":"s","check":"c","level":"ok","message":"m"}]}` {
		t.Errorf("got %s, %v", text, err)
	}
}

// JSON leaves out the advice of findings that have none, and escapes text of others.
func TestPrintJSONEscapes(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{"plain": `"message": "plain"`, "a\u202eb": `"message": "a\u202eb"`} {
		var out strings.Builder
		all := []Finding{{Subject: "s", Check: "c", Level: Warning, Message: message, Do: "x"}, {Level: OK}}
		if err := PrintJSON(&command.Env{Stdout: &out}, all); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) || strings.Count(out.String(), `"do"`) != 1 {
			t.Errorf("got %s, want %s", out.String(), want)
		}
	}
}
