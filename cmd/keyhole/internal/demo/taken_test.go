package demo

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/cli"
	"keyhole/cmd/keyhole/internal/command"
)

// An address that is taken is named with its flag.
func TestDemoOnATakenAddress(t *testing.T) {
	t.Parallel()
	taken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(taken.Close)
	address := strings.TrimPrefix(taken.URL, "http://")
	flags := []string{"--public", "--operator", "--s3"}
	for _, flag := range flags {
		args := []string{"demo"}
		for _, f := range flags {
			if f == flag {
				args = append(args, f, address)
			} else {
				args = append(args, f, "127.0.0.1:0")
			}
		}
		var out bytes.Buffer
		env := &command.Env{Stdout: &out, Stderr: &out}
		root := cli.NewRoot(env)
		root.AddCommand(NewCommand(env, nil))
		code := cli.Run(t.Context(), root, args, env)
		if code != command.ExitFailed || !strings.HasPrefix(out.String(), "keyhole: "+flag+": listen on "+address) ||
			!strings.Contains(out.String(), "\n  is another process using the address? choose another one with "+flag+"\n") {
			t.Errorf("%s: exit %d, %s", flag, code, out.String())
		}
	}
}
