//go:build system

package system

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// commit is what the document says that it was made at.
var commit = flag.String("commit", "", //nolint:gochecknoglobals // a flag of the test binary
	"with -wide: the commit that is tried")

const compatibilityFile = "../../../../deploy/docs/use/compatibility.md"

// What stands in the document around the tables. Each of the two takes what is
// measured.
const (
	compatibilityHead = `# Compatibility

This page shows which object keys arrive with which client and store. Made by ` + "`deploy/matrix`" + ` on %s at commit %s; no part is written by hand.

Each object was stored under a key that often causes problems, shared by a link, opened with each program and compared byte for byte. A cell says how many keys arrived, of the keys that the store can hold. If one had not arrived, ` + "`deploy/matrix`" + ` would not have written this page.

- **GET**: the whole object. With browsers, a click that becomes a download.
- **HEAD**: the size is right.
- **Range**: a thousand bytes in the middle. With wget, everything from there to the end. With aria2, the whole object in four parts at once.
- **resume**: half of the object exists, and the client requests the rest. Empty objects have neither Range nor resume.

A dash means that the program does not support the operation. In browsers, HEAD, Range and resume use ` + "`fetch`" + ` without CORS, because CORS concerns pages of other sites and not recipients.

GNU wget runs in a UTF-8 locale. In other locales it needs ` + "`--no-iri`" + ` for such keys ([receive.md](receive.md#gnu-wget-and-file-names)).
`
	compatibilityKeys = `
## Keys

%d keys. Keyhole refuses the segments ` + "`.` and `..`" + `, which clients resolve, and control characters when a link is issued.

` + "```text\n%s```\n"
)

// write writes the document.
func (m *matrix) write(t *testing.T) {
	t.Helper()
	if *commit == "" {
		t.Fatal("-wide needs -commit; deploy/matrix gives both")
	}
	var b strings.Builder
	fmt.Fprintf(&b, compatibilityHead, time.Now().UTC().Format(time.DateOnly), *commit)
	for i, store := range matrixStores() {
		fmt.Fprintf(&b, "\n## %s: %s\n\n| client | GET | HEAD | Range | resume |\n| --- | --- | --- | --- | --- |\n",
			store.name, m.stores[i])
		for _, client := range m.clients {
			fmt.Fprintf(&b, "| %s |", client)
			for _, op := range operations() {
				if n, tried := m.arrived[store.name][client][op]; tried {
					fmt.Fprintf(&b, " %d of %d |", n, expected(store, op))
				} else {
					b.WriteString(" — |")
				}
			}
			b.WriteString("\n")
		}
		if len(store.cannot) > 0 {
			b.WriteString("\nKeys that the store cannot hold, and why:\n\n")
		}
		for _, key := range matrixKeys() {
			if why := store.cannot[key]; why != "" {
				fmt.Fprintf(&b, "- `%s`: %s\n", quoteKey(key), why)
			}
		}
	}
	fmt.Fprintf(&b, compatibilityKeys, len(matrixKeys()), quotedKeys())
	if err := os.WriteFile(compatibilityFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// quoteKey writes a key in ASCII, a long one by its beginning.
func quoteKey(key string) string {
	if len(key) > 100 {
		return fmt.Sprintf("%s… (%d bytes)", strings.TrimSuffix(strconv.QuoteToASCII(key[:30]), `"`), len(key))
	}
	return strconv.QuoteToASCII(key)
}

// quotedKeys are all keys, a line each.
func quotedKeys() string {
	var b strings.Builder
	for _, key := range matrixKeys() {
		b.WriteString(quoteKey(key) + "\n")
	}
	return b.String()
}

// TestCompatibilityDocument holds the document to the keys, stores and clients
// that are tried now: after a change deploy/matrix makes it anew.
func TestCompatibilityDocument(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(compatibilityFile)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	if !regexp.MustCompile("Made by `deploy/matrix` on 20\\d\\d-\\d\\d-\\d\\d at commit [0-9a-f]{7,40};").MatchString(text) {
		t.Error("it does not say when it was made, and at which commit")
	}
	if !strings.Contains(text, fmt.Sprintf(compatibilityKeys, len(matrixKeys()), quotedKeys())) {
		t.Error("its keys are not those that are tried: run deploy/matrix")
	}
	sections := strings.Split(text, "\n## ")
	for _, store := range matrixStores() {
		i := slices.IndexFunc(sections, func(s string) bool { return strings.HasPrefix(s, store.name+": ") })
		if i < 0 {
			t.Errorf("it has no %s", store.name)
			continue
		}
		for _, client := range []string{
			"curl", "wget", "Go net/http", "aria2c", "python3-requests", "rclone copyurl",
			"Chromium", "Firefox ESR",
		} {
			want := `(?m)^\| ` + client + ` \S*\d\S* \|`
			for _, op := range operations() {
				if client == "rclone copyurl" && op != opGet {
					want += " — \\|"
					continue
				}
				n := expected(store, op)
				want += fmt.Sprintf(` %d of %d \|`, n, n)
			}
			if !regexp.MustCompile(want + "$").MatchString(sections[i]) {
				t.Errorf("%s: %s is not there with all its keys: run deploy/matrix", store.name, client)
			}
		}
		for key, why := range store.cannot {
			if !strings.Contains(sections[i], fmt.Sprintf("- `%s`: %s\n", quoteKey(key), why)) {
				t.Errorf("%s: it does not say of %.60q why not", store.name, key)
			}
		}
	}
}
