package deploy_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// update writes what commands print into the documents.
//
//nolint:gochecknoglobals // A flag of the test binary.
var update = flag.Bool("update", false, "write what the printed commands print into the documents")

// variables match texts that differ in every run. Each matches every text of its kind.
var variables = []*regexp.Regexp{ //nolint:gochecknoglobals // Compiled once.
	regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`),                           // a time
	regexp.MustCompile(`\d{8}T\d{6}Z`),                                        // a time in a signature
	regexp.MustCompile(`%2F\d{8}%2F`),                                         // a day in a signature
	regexp.MustCompile(`\b[0-9a-f]{32}(?:[0-9a-f]{32})?\b`),                   // an ETag, a hash, a signature
	regexp.MustCompile(`\b[a-z2-7]{26}\b`),                                    // an id
	regexp.MustCompile(`\b[0-9a-f]{22}\b`),                                    // the id of an event
	regexp.MustCompile(`http://127\.0\.0\.1:8080/[1-9A-HJ-NP-Za-km-z]{22}\b`), // a link
	regexp.MustCompile(`\b\d+\.\d+\.\d+\b`),                                   // a version, part of an address
	regexp.MustCompile(`\b\d+\.\d MiB\b`),                                     // memory in use
}

// link matches ids and tokens.
var link = regexp.MustCompile(`\b[a-z2-7]{26}\b|127\.0\.0\.1:8080/[1-9A-HJ-NP-Za-km-z]{22}\b`)

// compare compares the output of a command with the document. It also learns which IDs and
// tokens of this run correspond to those of the document.
func (in *installation) compare(t *testing.T, p printed, output string) {
	t.Helper()
	if p.prints == "" {
		return
	}
	output = in.back.Replace(output)
	shown, got := link.FindAllString(p.prints, -1), link.FindAllString(output, -1)
	for i := range min(len(shown), len(got)) {
		printed, own := filepath.Base(shown[i]), filepath.Base(got[i])
		if _, known := in.names[printed]; !known {
			in.names[printed] = own
		}
	}
	// The default listens on every interface; tests listen on loopback.
	prints := strings.ReplaceAll(p.prints, "[::]:8080", "127.0.0.1:8080")
	matches := likeness(prints, in.names).MatchString(squeeze(output))
	if isService(p) { // It goes on printing: what is shown must be among it.
		matches = true
		for line := range strings.Lines(prints) {
			matches = matches && regexp.MustCompile(`(?m)`+likeness(line, in.names).String()).MatchString(squeeze(output))
		}
	}
	switch {
	case matches:
	case *update && !isService(p) && !strings.Contains(p.prints, "…"):
		in.write(t, p, output)
	default:
		t.Errorf("%s: %s\nprints\n%s\nand the document shows\n%s", p.source, p.command, output, p.prints)
	}
}

// write replaces the output of a command in a document.
func (in *installation) write(t *testing.T, p printed, output string) {
	t.Helper()
	for printed, own := range in.names {
		output = strings.ReplaceAll(output, own, printed)
	}
	// Texts that differ in every run stay as they are in the document, if their number is
	// the same.
	for _, v := range variables {
		shown := v.FindAllString(p.prints, -1)
		if len(shown) != len(v.FindAllString(output, -1)) {
			continue
		}
		output = v.ReplaceAllStringFunc(output, func(string) string {
			first := shown[0]
			shown = shown[1:]
			return first
		})
	}
	path := filepath.Join("..", p.source)
	text := string(read(t, path))
	old := "$ " + p.command + "\n" + p.prints
	if strings.Count(text, old) != 1 {
		t.Errorf("%s shows this output of %s not once: correct it by hand", p.source, p.command)
		return
	}
	text = strings.Replace(text, old, "$ "+p.command+"\n"+strings.TrimRight(output, "\n")+"\n", 1)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// squeeze replaces several spaces by one, because the columns of a table are as wide as
// their contents.
func squeeze(text string) string {
	return strings.TrimSpace(regexp.MustCompile(` +`).ReplaceAllString(text, " "))
}

// likeness returns an expression that matches the output that a document shows. … matches
// anything, a variable matches every text of its kind, and the IDs and tokens in names
// match those of this run.
func likeness(prints string, names map[string]string) *regexp.Regexp {
	text := squeeze(prints)
	var b strings.Builder
	for text != "" {
		at, kind := []int{len(text), len(text)}, ""
		for _, v := range append(variables[:len(variables):len(variables)], regexp.MustCompile(`…`)) {
			if found := v.FindStringIndex(text); found != nil && found[0] < at[0] {
				at, kind = found, v.String()
			}
		}
		if kind == `…` {
			kind = `.*`
		}
		if own, known := names[filepath.Base(text[at[0]:at[1]])]; known {
			kind = regexp.QuoteMeta(strings.Replace(text[at[0]:at[1]], filepath.Base(text[at[0]:at[1]]), own, 1))
		}
		b.WriteString(regexp.QuoteMeta(text[:at[0]]) + kind)
		text = text[at[1]:]
	}
	return regexp.MustCompile(`^` + b.String() + `$`)
}
