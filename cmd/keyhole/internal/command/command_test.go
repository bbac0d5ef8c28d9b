package command

import (
	"errors"
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
		"a": "", "": "show takes one link, not 0 arguments", "a b": "show takes one link, not 2 arguments",
	} {
		err := check(cmd, strings.Fields(args))
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
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
