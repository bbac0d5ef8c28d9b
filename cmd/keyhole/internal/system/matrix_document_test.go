//go:build system

package system

import (
	_ "embed"
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
// The beginning of the document and its list of keys, as formats.
var (
	//go:embed testdata/compatibility/head.txt
	compatibilityHead string
	//go:embed testdata/compatibility/keys.txt
	compatibilityKeys string
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
	made := regexp.MustCompile("Made by `deploy/matrix` on 20\\d\\d-\\d\\d-\\d\\d at commit [0-9a-f]{7,40};")
	if !made.MatchString(text) {
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
