package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// A bulk revocation follows the cursors of answers that found nothing yet, also where it
// only counts, and does not call done what could not be read.
func TestRevokeFollowsCursors(t *testing.T) {
	for _, tt := range []struct {
		name    string
		args    []string
		answers []string // by cursor, from the first on
		code    int
		stdout  string
		stderr  string
	}{
		{
			"counts",
			[]string{"--dry-run"},
			[]string{`{"matched":0,"revoked":0,"done":false,"next":"1"}`, `{"matched":2,"revoked":0,"done":true}`},
			command.ExitOK, "2 links would be revoked\n", "",
		},
		{
			"revokes",
			[]string{"--yes"},
			[]string{`{"matched":0,"revoked":0,"done":false,"next":"1"}`, `{"matched":2,"revoked":2,"done":true}`},
			command.ExitOK, "2 links revoked\n", "",
		},
		{
			"leaves some out",
			[]string{"--yes"},
			[]string{
				`{"matched":1,"revoked":1,"unreadable":2,"done":false,"next":"1"}`,
				`{"matched":1,"revoked":1,"done":false}`,
			},
			command.ExitFailed, "2 links revoked\n", "2 links could not be read and may be live",
		},
		{
			"finds only what it cannot read",
			[]string{"--dry-run"},
			[]string{`{"matched":0,"revoked":0,"unreadable":1,"done":false}`},
			command.ExitFailed, "", "1 link could not be read and may be live",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var body api.RevocationRequest
				if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
					t.Error(err)
				}
				want := ""
				if asked > 0 {
					want = strconv.Itoa(asked)
				}
				if body.Cursor != want || asked >= len(tt.answers) {
					t.Errorf("request %d has the cursor %q", asked+1, body.Cursor)
					http.Error(w, "", http.StatusTeapot)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, tt.answers[asked])
				asked++
			}))
			t.Cleanup(service.Close)
			var stdout, stderr strings.Builder
			env := command.Env{
				Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
				Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + service.URL},
			}
			code := runCLI(t.Context(), append([]string{"revoke", "--all"}, tt.args...), env)
			if code != tt.code || stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.stderr) ||
				asked != len(tt.answers) {
				t.Errorf("exit %d after %d requests, stdout %q, stderr %q", code, asked, stdout.String(), stderr.String())
			}
		})
	}
}
