package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/findings"
)

// stubClientCheck has one flag and finds what it is told.
type stubClientCheck struct {
	found []findings.Finding
	err   error
}

// AddFlags implements ClientCheck.
func (s *stubClientCheck) AddFlags(cmd *cobra.Command) []string {
	cmd.Flags().String("context", "", "")
	return []string{"context"}
}

// Check implements ClientCheck.
func (s *stubClientCheck) Check(_ context.Context, print func(*findings.Finding)) ([]findings.Finding, error) {
	for i := range s.found {
		print(&s.found[i])
	}
	return s.found, s.err
}

// doctor --client prints the findings of the client, and ends with their verdict.
func TestClient(t *testing.T) {
	t.Parallel()
	ok := findings.Finding{Subject: "service", Check: "key", Level: levelOK, Message: "fine"}
	failed := findings.Finding{Subject: "service", Check: "clock", Level: levelFailure, Message: "off"}
	for args, tt := range map[string]struct {
		check  stubClientCheck
		stdout string
		err    string
	}{
		"--client": {
			stubClientCheck{found: []findings.Finding{ok, failed}},
			"ok       service                key          fine\nfailure  service                clock        off\n",
			"1 of 2 checks failed",
		},
		"--client --context prod": {stubClientCheck{found: []findings.Finding{ok}}, "ok ", ""},
		"--client --json":         {stubClientCheck{found: []findings.Finding{ok}}, `"check": "key"`, ""},
		"--client --config x":     {stubClientCheck{}, "", "--client and --config cannot be combined"},
		"--context prod":          {stubClientCheck{}, "", "--context needs --client"},
		"--client ":               {stubClientCheck{err: errors.New("no operator key")}, "", "no operator key"},
	} {
		var stdout, stderr strings.Builder
		cmd := NewCommand(&command.Env{Stdout: &stdout, Stderr: &stderr}, &tt.check)
		cmd.SetArgs(strings.Fields(args))
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		err := cmd.ExecuteContext(t.Context())
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) ||
			!strings.HasPrefix(stdout.String(), tt.stdout) && !strings.Contains(stdout.String(), tt.stdout) {
			t.Errorf("%s: %v\n%s", args, err, stdout.String())
		}
	}
}
