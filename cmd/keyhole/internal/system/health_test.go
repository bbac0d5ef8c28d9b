//go:build system

package system

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
)

// With metrics.listen set the operator listener has no /livez; the check that
// names no address finds the other.
func TestHealthOfMetricsApart(t *testing.T) {
	t.Parallel()
	in := install(t)
	metrics := freeAddress(t)
	g := in.launch("KEYHOLE_METRICS_LISTEN=" + metrics)
	environ := []string{"KEYHOLE_CONFIG=" + g.config, "KEYHOLE_METRICS_LISTEN=" + metrics, "KEYHOLE_OPERATOR_URL=" +
		g.operator}
	health := func(environ []string) (int, string) {
		var out bytes.Buffer
		code := runBinary(t.Context(), []string{"health", "--live"},
			command.Env{Stdout: &out, Stderr: &out, Environ: environ})
		return code, out.String()
	}
	eventually(t, "the service to be alive", func() error {
		if code, out := health(environ); code != command.ExitOK || out != "alive\n" {
			return &command.Error{Err: io.ErrUnexpectedEOF, Hint: out, Code: code}
		}
		return nil
	})
	if code, out := health(environ[2:]); code != command.ExitFailed || !strings.Contains(out, "404") ||
		!strings.Contains(out, "metrics.listen") {
		t.Errorf("without the configuration: exit %d, %s", code, out)
	}
}
