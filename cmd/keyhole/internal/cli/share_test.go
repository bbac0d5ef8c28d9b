package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
)

// So it is where something on the way answers in the service's place, and where the
// service fails; what it refuses was not issued.
func TestShareMayBeIssuedBehindAProxy(t *testing.T) {
	t.Parallel()
	for answer, may := range map[string]bool{
		"504 <html>":                                       true,
		`500 {"code":"internal","status":500}`:             true,
		`409 {"code":"idempotency_conflict","status":409}`: false,
		"404 <html>":                                       false,
	} {
		status, body, _ := strings.Cut(answer, " ")
		code, err := strconv.Atoi(status)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		var stderr bytes.Buffer
		got := runCLI(t.Context(), []string{"share", "s3://reports/file.txt", "--idempotency-key", "a b"}, command.Env{
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=k", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		if says := strings.Contains(stderr.String(),
			"--idempotency-key 'a b': this issues no second link"); got != command.ExitFailed || says != may {
			t.Errorf("%s: it ends with %d:\n%s", answer, got, stderr.String())
		}
	}
}
