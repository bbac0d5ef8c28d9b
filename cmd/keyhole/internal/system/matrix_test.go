//go:build system

package system

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// wide makes the matrix with every store and client and writes the document.
var wide = flag.Bool("wide", false, //nolint:gochecknoglobals // a flag of the test binary
	"try every store and client, and write deploy/docs/use/compatibility.md: deploy/matrix does")

// operation is what a client does with a link.
type operation string

const (
	opGet    operation = "GET"
	opHead   operation = "HEAD"
	opRange  operation = "Range"
	opResume operation = "resume"
)

// operations lists them in the order of the document.
func operations() []operation { return []operation{opGet, opHead, opRange, opResume} }

// What a Range asks for: the bytes from rangeFrom up to, not including, rangeTo.
const rangeFrom, rangeTo = 1000, 2000

// opener is a program that recipients open links with.
type opener interface {
	// version starts what it needs, in dir, and returns its name and version.
	version(t *testing.T, dir string) string
	// can tells whether the program has such an operation at all.
	can(operation) bool
	// open does it, and says how what arrived differs from content.
	open(op operation, link string, content []byte) error
}

// matrixStore is an S3 server of the matrix.
type matrixStore struct {
	name    string
	version func(t *testing.T) string
	start   s3test.Starter
	// cannot says of keys why the server cannot hold them.
	cannot map[string]string
}

// The documented limits of the stores: versitygw keeps objects as files ("common
// access to files via posix or S3", its README), so POSIX has the word.
const (
	posixPath = "it keeps objects as files, and slashes that follow each other are one (POSIX.1, Pathname Resolution)"
	posixName = "it keeps objects as files, whose names have 255 bytes at most (POSIX.1, NAME_MAX)"
	posixBoth = "it keeps objects as files, and one name cannot be a file and a directory (it answers ObjectParentIsFile)"
)

// matrixStores are the servers, narrow ones first.
func matrixStores() []matrixStore {
	return []matrixStore{
		{
			"versitygw", versitygwVersion, s3test.Start,
			map[string]string{
				"a//b": posixPath, "a///b": posixPath, "/lead": posixPath, "//lead": posixPath, "trail//": posixPath,
				"http://evil.example/x": posixPath, longSegment(): posixName, "pair/below": posixBoth,
			},
		},
		{"Ceph RGW", versionOf("radosgw"), s3test.StartRGW, nil},
		{"in-process (gofakes3)", gofakes3Version, s3test.StartMemory, nil},
	}
}

// longSegment is a key of one segment, as long as S3 allows.
func longSegment() string { return strings.Repeat("s", 1024) }

// matrixKeys are keys that clients, servers and percent-encoding trip over. Those
// that end in a slash are of empty objects.
func matrixKeys() []string {
	return []string{
		"plain.txt", "dir/file.txt", "a/b/c/d/e/f/g", "empty/", ".hidden", "trailing.", "dots...", "...", "..x/y", "x../y",
		".a/.b",
		"UPPER/lower", "upper/lower", "-rf", "--help", "CON", "robots.txt", "favicon.ico", "~user/file",
		"sp ace", " leading space", "trailing space ", "two  spaces", "a+b c", "plus+plus",
		"percent%", "%20", "%2F", "a%2Fb", "%2e%2e/x", "%2e/x", "%25", "100%25%zz", "%u0041", "%00", "%E2%82%AC",
		"%0d%0aSet-Cookie:x",
		"question?mark", "q?a=b&c=d", "hash#tag", "amp&ersand", "semi;colon", "semi;v=1/x", "equals=", "at@host", "colon:1",
		"comma,",
		"dollar$", "excl!", "star*", "paren(s)", "bracket[s]", "brace{s}", "pipe|", "caret^", "tilde~", "back`tick",
		"quote'", `double"quote`,
		`back\slash`, "less<greater>", "<script>alert(1)</script>", "?X-Amz-Signature=0", "x&X-Amz-Expires=1",
		"http://evil.example/x", "a//b", "a///b", "/lead", "//lead", "trail//", "pair", "pair/below",
		"nfc/\u00e9", "nfd/e\u0301", "emoji/📄.txt", "emoji/👩‍👩‍👧.txt",
		"日本語/テスト.csv", "кириллица", "עברית",
		"\u202ertl\u202c", "zero\u200bwidth",
		"line\u2028separator", "\ufeffbom", "ﬁ ligature", "İstanbul", "del\x7f", "c1\u0085",
		strings.Repeat("n", 255), strings.Repeat("a segment/", 102) + "file", longSegment(),
	}
}

// contentOf returns an object of size bytes that is no other's, and nothing for a
// key that ends in a slash.
func contentOf(key string, size int) []byte {
	if strings.HasSuffix(key, "/") {
		return nil
	}
	content := make([]byte, size)
	if _, err := rand.NewChaCha8(sha256.Sum256([]byte(key))).Read(content); err != nil {
		panic(err) // It never fails.
	}
	return content
}

// cells is what the matrix came to: by store, client and operation the number of
// keys that arrived.
type cells map[string]map[string]map[operation]int

// TestMatrix opens links to every key, in every store, with every client, and
// compares each byte. Without -wide, two stores and three clients.
func TestMatrix(t *testing.T) {
	t.Parallel()
	stores, clients, size := matrixStores()[:2], []opener{&curl{}, &wget{}, &goClient{}}, 96<<10
	if *wide {
		// So large that aria2 divides it by four.
		stores, size = matrixStores(), 4<<20+4321
		clients = append(clients, &aria2{}, &pythonRequests{}, &rclone{}, &chromium{}, &firefox{})
	}
	m := &matrix{arrived: cells{}}
	for _, client := range clients {
		m.clients = append(m.clients, client.version(t, t.TempDir()))
	}
	for _, store := range stores {
		m.stores = append(m.stores, store.version(t))
		t.Run(store.name, func(t *testing.T) { m.fill(t, store, clients, size) })
	}
	if *wide && !t.Failed() {
		m.write(t)
	}
}

// matrix is the matrix in the making.
type matrix struct {
	stores, clients []string // with their versions
	arrived         cells
}

// fill tries one store with all clients.
func (m *matrix) fill(t *testing.T, store matrixStore, clients []opener, size int) {
	t.Helper()
	in := installOver(t, store.start(t, "reports", "exports"))
	g := in.start()
	links, contents := map[string]string{}, map[string][]byte{}
	for _, key := range matrixKeys() {
		content := contentOf(key, size)
		if held := holds(t, in.s3, key, content); held != (store.cannot[key] == "") {
			t.Fatalf("%s holds %.60q: %v; known is %q", store.name, key, held, store.cannot[key])
		}
		if store.cannot[key] != "" {
			continue
		}
		link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: key})
		if err != nil {
			t.Fatalf("%.60q: %v", key, err)
		}
		links[key], contents[key] = link.URL, content
	}
	m.arrived[store.name] = map[string]map[operation]int{}
	for i, client := range clients {
		arrived := map[operation]int{}
		m.arrived[store.name][m.clients[i]] = arrived
		for _, op := range operations() {
			if !client.can(op) {
				continue
			}
			for _, key := range matrixKeys() {
				if links[key] == "" || !applies(op, contents[key]) {
					continue
				}
				if err := client.open(op, links[key], contents[key]); err != nil {
					t.Errorf("%s, %s, %.60q: %v", m.clients[i], op, key, err)
					continue
				}
				arrived[op]++
			}
		}
		t.Logf("%s: %v", m.clients[i], arrived)
	}
}

// applies tells whether an operation makes sense: an empty object has no parts.
func applies(op operation, content []byte) bool {
	return len(content) > 0 || op == opGet || op == opHead
}

// holds stores an object and tells whether it is there, under that very key.
func holds(t *testing.T, server *s3test.Server, key string, content []byte) bool {
	t.Helper()
	if err := server.TryPut(t.Context(), "reports", key, content); err != nil {
		return false
	}
	keys, err := server.Keys(t.Context(), "reports", key)
	if err != nil {
		t.Fatalf("list %.60q: %v", key, err)
	}
	return slices.Contains(keys, key)
}

// expected returns how many keys of a store a cell is to have.
func expected(store matrixStore, op operation) int {
	n := 0
	for _, key := range matrixKeys() {
		if store.cannot[key] == "" && applies(op, contentOf(key, 1)) {
			n++
		}
	}
	return n
}

// TestMatrixKeys holds the list to what it promises.
func TestMatrixKeys(t *testing.T) {
	t.Parallel()
	keys := slices.Clone(matrixKeys())
	slices.Sort(keys)
	if n := len(slices.Compact(keys)); n != len(matrixKeys()) || n < 60 {
		t.Errorf("%d keys, %d different", len(matrixKeys()), n)
	}
	if !slices.ContainsFunc(keys, func(key string) bool { return len(key) == 1024 && strings.Contains(key, "/") }) {
		t.Error("none of 1,024 bytes with slashes")
	}
	for _, store := range matrixStores() {
		for key := range store.cannot {
			if !slices.Contains(keys, key) {
				t.Errorf("%s has a limit for %q, which is not tried", store.name, key)
			}
		}
	}
}

// same says how what arrived differs from what was expected.
func same(got, want []byte) error {
	if string(got) == string(want) {
		return nil
	}
	return fmt.Errorf("%d bytes arrived, not the %d that were stored: %.60q", len(got), len(want), got)
}
