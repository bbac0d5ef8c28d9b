package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"keyhole/gateway/api"
)

// example is one command of a document, and what the document says that it prints;
// nothing where it says nothing.
type example struct {
	command, prints string
}

// examplesOf reads the commands of a document's fences: those behind a $ of console
// fences, each with what it prints, and each sh fence whole.
func examplesOf(t *testing.T, path string) []example {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []example
	for _, fence := range regexp.MustCompile("(?ms)^```(console|sh)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		if fence[1] == "sh" {
			all = append(all, example{command: fence[2]})
			continue
		}
		more := false
		for line := range strings.Lines(fence[2]) {
			command, begins := strings.CutPrefix(line, "$ ")
			switch {
			case begins:
				all = append(all, example{command: command})
			case more:
				all[len(all)-1].command += line
			default:
				all[len(all)-1].prints += line
			}
			more = (begins || more) && strings.HasSuffix(line, "\\\n")
		}
	}
	return all
}

// The examples of the API's manual do what it says, one after the other.
func TestAPIExamples(t *testing.T) {
	in := install(t)
	in.put(t, "q3.pdf", []byte("%PDF"))
	in.put(t, "2026/q3-figures.csv", bytes.Repeat([]byte("x"), 112))
	in.put(t, "2026/drafts/q4.csv", []byte("x"))
	for _, key := range []string{"exports/2026/a", "exports/2026/b", "exports/2026-b"} {
		in.put(t, key, []byte("x"))
	}
	g := in.start("KEYHOLE_STORAGE_MAIN_BUCKETS=reports")
	for _, key := range []string{"exports/2026/a", "exports/2026/b", "exports/2026-b"} {
		if _, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "request.json"), []byte(`{"bucket":"reports","key":"q3.pdf"}`), 0o600); err != nil {
		t.Fatal(err)
	}

	examples := examplesOf(t, "../../deploy/docs/api.md")
	if len(examples) < 12 || !strings.HasPrefix(examples[0].command, "H=") {
		t.Fatalf("%d examples: they are not read as they are written", len(examples))
	}
	setup := strings.ReplaceAll(examples[0].command, "http://127.0.0.1:8081", g.operator)
	var documented, issued, url string // of the one link of the examples
	for _, e := range examples[1:] {
		if issued != "" {
			e.command, e.prints = strings.ReplaceAll(e.command, documented, issued), strings.ReplaceAll(e.prints, documented, issued)
		}
		command := exec.CommandContext(t.Context(), "bash", "-euc", setup+e.command)
		command.Dir, command.Env = dir, append(os.Environ(), "KEYHOLE_KEY="+in.key)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s%v: %s", e.command, err, out)
		}
		if e.prints == "" {
			var answer api.Link
			if err := json.Unmarshal(out, &answer); err != nil || answer.ID == "" {
				t.Errorf("%sprints %s", e.command, out)
			}
			continue
		}
		if issued == "" {
			var link api.Link
			if err := json.Unmarshal(out, &link); err != nil || link.URL == "" {
				t.Fatalf("%sprints %s", e.command, out)
			}
			id := regexp.MustCompile(`"id":"([a-z2-7]{26})"`)
			documented, issued = id.FindStringSubmatch(e.prints)[1], link.ID
			e.prints = strings.ReplaceAll(e.prints, documented, issued)
			url = link.URL
		}
		if !likeness(e.prints, g.public).Match(out) {
			t.Errorf("%sprints\n%s\nand the manual says\n%s", e.command, out, e.prints)
		}
		// The audit's example has a click on the link that was revoked.
		if strings.Contains(e.command, "/events") {
			if a := get(t, http.MethodGet, url); a.status != http.StatusGone {
				t.Errorf("the link that was revoked answers %d", a.status)
			}
		}
	}
}

// likeness matches what a manual prints: … stands for anything, a time for any time,
// and addresses, tokens and the name of the key for those of the test.
func likeness(prints, public string) *regexp.Regexp {
	variable := regexp.MustCompile(`…|\d{4}-\d\d-\d\dT[0-9:.]+Z|http://127\.0\.0\.1:8080/\w{22}|"ci"`)
	var b strings.Builder
	rest := strings.TrimSpace(prints)
	last := 0
	for _, at := range variable.FindAllStringIndex(rest, -1) {
		b.WriteString(regexp.QuoteMeta(rest[last:at[0]]))
		switch found := rest[at[0]:at[1]]; {
		case found == "…":
			b.WriteString(`.*`)
		case found == `"ci"`:
			b.WriteString(`"ops"`)
		case strings.HasPrefix(found, "http"):
			b.WriteString(regexp.QuoteMeta(public) + `/\w{22}`)
		default:
			b.WriteString(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
		}
		last = at[1]
	}
	b.WriteString(regexp.QuoteMeta(rest[last:]))
	return regexp.MustCompile(`^` + b.String() + `\n?$`)
}
