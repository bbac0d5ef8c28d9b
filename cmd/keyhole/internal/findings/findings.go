package findings

import (
	"fmt"
	"time"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
)

// The levels of a finding. They are part of the output of --json.
const (
	OK = "ok"
	// Warning means that the service works, but a setting is weaker than recommended.
	Warning = "warning"
	// Failure makes the command exit with 1: requests fail, or objects are not protected.
	Failure = "failure"
)

// CertificateWarning is the remaining life of a certificate below which it is a warning.
const CertificateWarning = 14 * 24 * time.Hour

// Finding is the result of one check. Its texts contain no secret, signature or signed URL.
type Finding struct {
	Subject string `json:"subject"` // redis, oidc, public, service, a storage, or storage:bucket
	Check   string `json:"check"`   // the name of the check, such as reachable
	Level   string `json:"level"`   // OK, Warning or Failure
	Message string `json:"message"`
	Do      string `json:"do,omitempty"` // what to do; empty for a finding that is ok
}

// Print prints a finding on one line, and what to do on another. Subjects and messages
// contain names and errors of other programs, so they are escaped.
func Print(env *command.Env, f *Finding) {
	fmt.Fprintf(env.Stdout, "%-8s %-22s %-12s %s\n", f.Level, term.Plain(f.Subject), f.Check, term.Plain(f.Message))
	if f.Do != "" {
		fmt.Fprintf(env.Stdout, "%-8s %s\n", "", term.Plain(f.Do))
	}
}

// PrintJSON prints all findings as one JSON value.
func PrintJSON(env *command.Env, all []Finding) error {
	return term.PrintJSON(env.Stdout, map[string]any{"findings": all})
}

// Verdict returns an error if a finding is a failure. It counts warnings, but does not fail
// because of them, so that a script can run the doctor after each change. again is the
// command to repeat the checks.
func Verdict(env *command.Env, all []Finding, again string) error {
	count := map[string]int{}
	for i := range all {
		count[all[i].Level]++
	}
	warned := fmt.Sprintf("%d warnings", count[Warning])
	if count[Warning] == 1 {
		warned = "1 warning"
	}
	if failed := count[Failure]; failed > 0 {
		return &command.Error{
			Err:  fmt.Errorf("%d of %d checks failed, with %s", failed, len(all), warned),
			Hint: "follow the advice of each failure, then run " + again + " again", Code: command.ExitFailed,
		}
	}
	fmt.Fprintf(env.Stderr, "%d checks, %s\n", len(all), warned)
	return nil
}
