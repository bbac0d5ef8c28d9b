package command

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes of every command.
const (
	ExitOK     = 0
	ExitFailed = 1 // the request failed
	ExitUsage  = 2 // wrong usage or configuration
)

// Env is the process environment of a command. Tests hand in their own.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string // NAME=value, as os.Environ returns it
	Build          Build
}

// Getenv returns a variable. It is empty if the variable is not set.
func (e *Env) Getenv(name string) string {
	for i := len(e.Environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(e.Environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// Error is an error of a command, with its exit code and a hint: what the user
// should do next.
type Error struct {
	Err  error
	Hint string // one line or several, without a full stop at the end
	Code int    // ExitFailed or ExitUsage
}

// Error returns what went wrong, without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error without hint and exit code.
func (e *Error) Unwrap() error { return e.Err }

// Usage returns an error about wrong usage of a command.
func Usage(problem, hint string) error {
	return &Error{Err: errors.New(problem), Hint: hint, Code: ExitUsage}
}

// Unprinted is the error of a command whose standard error nobody reads. Only its
// exit code is reported, because printing it would block for ever.
type Unprinted struct{ Err error }

// Error returns what went wrong.
func (u *Unprinted) Error() string { return u.Err.Error() }

// Unwrap returns the error itself.
func (u *Unprinted) Unwrap() error { return u.Err }

// ExactArgs returns a check that a command has n arguments. description names them
// in the error, such as "one link" or, for n = 0, "only flags".
func ExactArgs(n int, description string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		if len(args) == 0 {
			return Usage(fmt.Sprintf("%s needs %s", cmd.CommandPath(), description), "usage: "+cmd.UseLine())
		}
		noun := "arguments"
		if len(args) == 1 {
			noun = "argument"
		}
		return Usage(fmt.Sprintf("%s takes %s, not %d %s", cmd.CommandPath(), description, len(args), noun),
			"usage: "+cmd.UseLine())
	}
}

// Convert converts strings of one type into another: those of a configuration into a
// type of the domain, or a closed set of the domain into the values of a flag.
func Convert[T, S ~string](in []S) []T {
	out := make([]T, len(in))
	for i, s := range in {
		out[i] = T(s)
	}
	return out
}
