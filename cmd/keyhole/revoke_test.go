package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

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
		if !strings.Contains(shown, tt.shows) || (code == exitOK) != (tt.left == 0) {
			t.Errorf("%s: it ends with %d, and should show %q:\n%s", tt.name, code, tt.shows, shown)
		}
		found, err := g.client.RevokeAll(t.Context(), api.RevocationRequest{All: true, DryRun: true})
		if err != nil || found.Matched != tt.left {
			t.Errorf("%s: %d links are left, want %d (%v)", tt.name, found.Matched, tt.left, err)
		}
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
			fmt.Fprintf(w, `{"links":[{"id":"a","object":{}}]%s}`, next)
		case "/api/v1/audit":
			fmt.Fprintf(w, `{"events":[{"kind":"issued","link":"a"}]%s}`, next)
		case "/api/v1/objects":
			fmt.Fprintf(w, `{"bucket":"reports","folders":[],"objects":[{"key":"a"}]%s}`, next)
		}
	}))
	t.Cleanup(service.Close)
	in, g := &installation{t: t, key: newOperatorKey()}, &instance{operator: service.URL}
	for _, tt := range []struct {
		args   []string
		says   []string
		result string
	}{
		{[]string{"revoke", "--all", "--yes"}, []string{"1000 links revoked, going on", "2000 links revoked, going on"}, "3000 links revoked\r\n"},
		{[]string{"list"}, []string{"1 found, looking further", "2 found, looking further"}, "ID"},
		{[]string{"audit"}, []string{"1 found, looking further", "2 found, looking further"}, "TIME"},
		{[]string{"objects", "s3://reports", "--search", "a"}, []string{"1 found, looking further", "2 found, looking further"}, "SIZE"},
	} {
		code, shown := g.openTerminal(t, in, tt.args...).end()
		if want := eraseLine + strings.Join(tt.says, eraseLine) + eraseLine + tt.result; code != 0 || !strings.HasPrefix(shown, want) {
			t.Errorf("%q: exit %d, shows %q, want %q first", tt.args, code, shown, want)
		}
		var stdout, stderr strings.Builder
		world := surroundings{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: []string{"KEYHOLE_KEY=" + in.key, "KEYHOLE_OPERATOR_URL=" + service.URL}}
		if code := run(t.Context(), tt.args, world); code != 0 || stderr.String() != "" || !strings.HasPrefix(stdout.String(), strings.TrimSuffix(tt.result, "\r\n")) {
			t.Errorf("%q in a pipe: exit %d, stdout %q, stderr %q", tt.args, code, stdout.String(), stderr.String())
		}
	}
}

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
			exitOK, "2 links would be revoked\n", "",
		},
		{
			"revokes",
			[]string{"--yes"},
			[]string{`{"matched":0,"revoked":0,"done":false,"next":"1"}`, `{"matched":2,"revoked":2,"done":true}`},
			exitOK, "2 links revoked\n", "",
		},
		{
			"leaves some out",
			[]string{"--yes"},
			[]string{`{"matched":1,"revoked":1,"unreadable":2,"done":false,"next":"1"}`, `{"matched":1,"revoked":1,"done":false}`},
			exitFailed, "2 links revoked\n", "2 links could not be read and may be live",
		},
		{
			"finds only what it cannot read",
			[]string{"--dry-run"},
			[]string{`{"matched":0,"revoked":0,"unreadable":1,"done":false}`},
			exitFailed, "", "1 link could not be read and may be live",
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
			world := surroundings{
				stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
				environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + service.URL},
			}
			code := run(t.Context(), append([]string{"revoke", "--all"}, tt.args...), world)
			if code != tt.code || stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.stderr) || asked != len(tt.answers) {
				t.Errorf("exit %d after %d requests, stdout %q, stderr %q", code, asked, stdout.String(), stderr.String())
			}
		})
	}
}
