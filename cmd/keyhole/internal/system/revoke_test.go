//go:build system

package system

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/gateway/api"
)

// On a terminal a bulk revocation says how much it would end, and asks.
func TestRevokeAsks(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	for range 2 {
		if _, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, answer, shows string
		left                int
	}{
		{"no", "n\n", "keyhole: nothing was revoked\r\n", 2},
		{"nothing said", "\n", "keyhole: nothing was revoked\r\n", 2},
		{"end of input", "\x04", "\r\nkeyhole: nothing was revoked\r\n", 2},
		{"interrupted", "\x03", "\r\nkeyhole: nothing was revoked\r\n", 2},
		{"yes", "y\n", "2 links revoked\r\n", 0},
	} {
		term := g.openTerminal(t, in, "revoke", "--bucket", "reports")
		term.waitFor("Revoke 2 links to objects of s3://reports? [y/N] ")
		term.enter(tt.answer)
		code, shown := term.end()
		if !strings.Contains(shown, tt.shows) || (code == command.ExitOK) != (tt.left == 0) {
			t.Errorf("%s: it ends with %d, and should show %q:\n%s", tt.name, code, tt.shows, shown)
		}
		if left := wouldRevoke(t, g); left != tt.left {
			t.Errorf("%s: %d links are left, want %d", tt.name, left, tt.left)
		}
	}
}

// wouldRevoke returns how many links a revocation of all links would revoke. The service may
// answer in parts, each within its time.
func wouldRevoke(t *testing.T, g *instance) (matched int) {
	t.Helper()
	r := api.RevocationRequest{All: true, DryRun: true}
	for {
		found, err := g.client.RevokeAll(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		matched += found.Matched
		if found.Next == "" {
			return matched
		}
		r.Cursor = found.Next
	}
}

// What takes several requests says how far it is, on a terminal alone, and takes
// that away at the end.
func TestProgress(t *testing.T) {
	var asked atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		next := `,"next":"c"`
		last := asked.Add(1)%3 == 0
		if last {
			next = ""
		}
		switch r.URL.Path {
		case "/api/v1/revocations":
			fmt.Fprintf(w, `{"matched":1000,"revoked":1000,"done":%t}`, last)
		case "/api/v1/links":
			if r.URL.Query().Has("state") && !last {
				next += `,"searched":5000`
			}
			fmt.Fprintf(w, `{"links":[{"id":"a","object":{}}]%s}`, next)
		case "/api/v1/audit":
			fmt.Fprintf(w, `{"events":[{"kind":"issued","link":"a"}]%s}`, next)
		case "/api/v1/objects":
			fmt.Fprintf(w, `{"bucket":"reports","folders":[],"objects":[{"key":"a"}]%s}`, next)
		}
	}))
	t.Cleanup(service.Close)
	in, g := &installation{t: t, key: operatorkey.New()}, &instance{operator: service.URL}
	for _, tt := range []struct {
		args   []string
		says   []string
		result string
	}{
		{
			[]string{"revoke", "--all", "--yes"},
			[]string{"1000 links revoked, continuing", "2000 links revoked, continuing"},
			"3000 links revoked\r\n",
		},
		{[]string{"list"}, []string{"1 found, searching", "2 found, searching"}, "ID"},
		{
			[]string{"list", "--state", "active"},
			[]string{"1 found, searched 5000 links so far", "2 found, searched 10000 links so far"},
			"ID",
		},
		{[]string{"audit"}, []string{"1 found, searching", "2 found, searching"}, "TIME"},
		{
			[]string{"objects", "s3://reports", "--search", "a"},
			[]string{"1 found, searching", "2 found, searching"},
			"SIZE",
		},
	} {
		code, shown := g.openTerminal(t, in, tt.args...).end()
		const eraseLine = "\r\x1b[K" // ECMA-48, EL
		if want := eraseLine + strings.Join(tt.says, eraseLine) + eraseLine + tt.result; code != 0 ||
			!strings.HasPrefix(shown, want) {
			t.Errorf("%q: exit %d, shows %q, want %q first", tt.args, code, shown, want)
		}
		var stdout, stderr strings.Builder
		env := command.Env{
			Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=" + in.key, "KEYHOLE_OPERATOR_URL=" + service.URL},
		}
		if code := runBinary(t.Context(), tt.args, env); code != 0 || stderr.String() != "" ||
			!strings.HasPrefix(stdout.String(), strings.TrimSuffix(tt.result, "\r\n")) {
			t.Errorf("%q in a pipe: exit %d, stdout %q, stderr %q", tt.args, code, stdout.String(), stderr.String())
		}
	}
}
