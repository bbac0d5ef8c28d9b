//go:build system

package system

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// TestStorageThatLeavesHeadersOut shares objects of a storage whose HEAD has
// neither Content-Length nor Last-Modified: the size is that of the GET, and what
// nobody says is not shown as 0 B or as the year 1.
func TestStorageThatLeavesHeadersOut(t *testing.T) {
	server := s3test.Start(t, "reports", "exports")
	front, behind := startFront(t, server)
	in := installOver(t, behind)
	in.put(t, "file.txt", bytes.Repeat([]byte("x"), 1500))
	g := in.start()
	for _, tt := range []struct {
		name     string
		rangeSay string // Content-Range of the GET
		modified bool   // whether the GET has Last-Modified
		size     string // on the page
		want     []string
	}{
		{
			"the GET says it", "bytes 0-0/1500", true, "<dt>Size</dt><dd>1.5 kB</dd>",
			[]string{"1.5 KiB (1500 bytes)", time.Now().UTC().Format("2006-")},
		},
		{"nobody says it", "bytes 0-0/*", false, "", []string{"size -", "modified -"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			front.changeAnswers(func(r *http.Request, status int, h http.Header) {
				if r.Method == http.MethodHead {
					h.Del("Content-Length")
				}
				if r.Method == http.MethodHead || !tt.modified {
					h.Del("Last-Modified")
				}
				if status == http.StatusPartialContent {
					h.Set("Content-Range", tt.rangeSay)
				}
			})
			link := issue(t, g, api.IssueRequest{Confirm: true})
			if known := tt.modified; (link.Object.Size != nil) != known || (link.Object.LastModified != nil) != known {
				t.Errorf("got %+v", link.Object)
			}
			page := get(t, http.MethodGet, link.URL, "Accept", "text/html").body
			if !strings.Contains(page, tt.size) || tt.size == "" && strings.Contains(page, "<dt>Size</dt>") ||
				strings.Contains(page, "0 bytes") {
				t.Errorf("the page says %s", page)
			}
			shown, err := g.client.Show(t.Context(), link.ID)
			if err != nil {
				t.Fatal(err)
			}
			var url, printed bytes.Buffer
			env := command.Env{
				Stdin: strings.NewReader(""), Stdout: &url, Stderr: &printed,
				Environ: []string{"KEYHOLE_KEY=" + in.key, "KEYHOLE_OPERATOR_URL=" + g.operator},
			}
			if code := runBinary(t.Context(), []string{"share", "s3://reports/file.txt"}, env); code != 0 {
				t.Fatalf("share ends with %d: %s", code, &printed)
			}
			env.Stdout = &printed
			if code := runBinary(t.Context(), []string{"show", shown.ID}, env); code != 0 {
				t.Fatalf("show ends with %d: %s", code, &printed)
			}
			text := strings.Join(strings.Fields(printed.String()), " ")
			for _, want := range tt.want {
				if strings.Count(text, want) < 2 {
					t.Errorf("%q is not twice in %s", want, printed.String())
				}
			}
			if strings.Contains(text, "0001-01-01") || strings.Contains(text, " 0 B") {
				t.Errorf("it prints %s", printed.String())
			}
		})
	}
}
