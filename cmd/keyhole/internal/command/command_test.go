package command

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestGetenv(t *testing.T) {
	t.Parallel()
	env := &Env{Environ: []string{"A=1", "AB=2", "A=3", "EMPTY="}}
	for name, want := range map[string]string{"A": "3", "AB": "2", "EMPTY": "", "B": "", "": ""} {
		if got := env.Getenv(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	cause := io.ErrUnexpectedEOF
	var known *Error
	if err := error(&Error{Err: cause, Hint: "h", Code: ExitFailed}); !errors.Is(err, cause) ||
		err.Error() != cause.Error() {
		t.Errorf("got %v", err)
	}
	if err := Usage("p", "h"); !errors.As(err, &known) || known.Code != ExitUsage || known.Hint != "h" ||
		err.Error() != "p" {
		t.Errorf("got %+v", known)
	}
	if err := error(&Unprinted{Err: cause}); !errors.Is(err, cause) || err.Error() != cause.Error() {
		t.Errorf("got %v", err)
	}
}

func TestExactArgs(t *testing.T) {
	t.Parallel()
	cmd := &cobra.Command{Use: "show ID"}
	check := ExactArgs(1, "one link")
	for args, want := range map[string]string{
		"a": "", "": "show needs one link", "a b": "show takes one link, not 2 arguments",
	} {
		err := check(cmd, strings.Fields(args))
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
	var known *Error
	if err := check(cmd, nil); !errors.As(err, &known) || known.Hint != "usage: show ID" || known.Code != ExitUsage {
		t.Errorf("without arguments: %+v", known)
	}
	if err := ExactArgs(0, "no arguments")(cmd, []string{"a"}); err == nil ||
		err.Error() != "show takes no arguments, not 1 argument" {
		t.Errorf("got %v", err)
	}
}

// The linker's words win over those of the toolchain, which are never empty.
func TestCurrentBuild(t *testing.T) {
	t.Parallel()
	if b := CurrentBuild("v1", "abc"); b.Version != "v1" || b.Revision != "abc" || !strings.HasPrefix(b.GoVersion, "go") {
		t.Errorf("got %+v", b)
	}
	if b := CurrentBuild("", ""); b.Version == "" || b.Revision == "" {
		t.Errorf("got %+v", b)
	}
}

// Strings of one type become those of another, in their order. The result is a copy.
func TestConvert(t *testing.T) {
	t.Parallel()
	type action string
	in := []string{"issue", "read"}
	out := Convert[action](in)
	if len(out) != 2 || out[0] != "issue" || out[1] != "read" {
		t.Errorf("got %q", out)
	}
	in[0] = "changed"
	if out[0] != "issue" {
		t.Error("the result shares its memory with the argument")
	}
	if back := Convert[string](out); strings.Join(back, " ") != "issue read" {
		t.Errorf("got %q", back)
	}
	if none := Convert[action]([]string(nil)); none == nil || len(none) != 0 {
		t.Errorf("of nothing: got %#v", none)
	}
}

// A hint belongs to its error however often the error is wrapped, also among others.
func TestWrappedErrors(t *testing.T) {
	t.Parallel()
	usage := Usage("--limit is -1; it must be 0 or more", "omit it for 50")
	for name, err := range map[string]error{
		"itself": usage, "wrapped": fmt.Errorf("argument 2: %w", usage),
		"joined":    errors.Join(errors.New("other"), usage),
		"unprinted": &Unprinted{Err: usage},
	} {
		var known *Error
		if !errors.As(err, &known) || known.Hint != "omit it for 50" || known.Code != ExitUsage {
			t.Errorf("%s: got %+v", name, known)
		}
	}
	if ExitOK != 0 || ExitFailed != 1 || ExitUsage != 2 {
		t.Error("the exit codes have changed; scripts depend on them")
	}
}

// The usage line of the hint has the command's arguments and flags.
func TestExactArgsHint(t *testing.T) {
	t.Parallel()
	root := &cobra.Command{Use: "keyhole"}
	cmd := &cobra.Command{Use: "show ID|URL", Run: func(*cobra.Command, []string) {}}
	cmd.Flags().Bool("json", false, "")
	root.AddCommand(cmd)
	var known *Error
	if err := ExactArgs(1, "one link")(cmd, nil); !errors.As(err, &known) ||
		known.Hint != "usage: keyhole show ID|URL [flags]" {
		t.Errorf("got %+v", known)
	}
}

// An environment without variables, as tests hand it in, has only empty ones.
func TestGetenvOfNothing(t *testing.T) {
	t.Parallel()
	if got := (&Env{}).Getenv("KEYHOLE_KEY"); got != "" {
		t.Errorf("got %q", got)
	}
}
