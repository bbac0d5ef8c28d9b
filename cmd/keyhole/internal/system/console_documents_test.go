//go:build system

package system

import (
	"bytes"
	"cmp"
	"flag"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// documentPictures is the directory for the pictures of the console in the documents.
var documentPictures = flag.String("document-pictures", "", //nolint:gochecknoglobals // a flag of the test binary
	"directory for the pictures of the console in the documents")

// maxDocumentPicture is the largest picture in the documents, in bytes: a reader of the
// README loads all of them.
const maxDocumentPicture = 150_000

// fillDocuments puts files into a bucket, as a small company has them, shares some and
// returns the link that recipients have used.
func fillDocuments(t *testing.T, in *installation, g *instance) api.Link {
	t.Helper()
	var used api.Link
	for _, file := range []struct {
		key, contentType string
		size, links      int
	}{
		{"2026/annual report.pdf", "application/pdf", 900_000, 2},
		{"2026/board minutes.pdf", "application/pdf", 130_000, 1},
		{"2026/invoices/march.pdf", "application/pdf", 88_000, 0},
		{"2026/orders q3.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 48_000, 1},
		{"2026/price list.csv", "text/csv", 6_100, 0},
		{"2026/team photo.jpg", "image/jpeg", 2_500_000, 1},
	} {
		in.s3.Put(t, "reports", file.key, file.contentType, randomBytes(file.size))
		for range file.links {
			link, err := g.client.Issue(t.Context(), api.IssueRequest{
				Bucket: "reports", Key: file.key, Sensitive: new(false), ExpiresIn: "3d", MaxClicks: new(int64(20)),
				Confirm: true, Pin: "none", Note: "The signed version.", Labels: map[string]string{"customer": "example-ltd"},
			})
			if err != nil {
				t.Fatal(err)
			}
			if used.ID == "" {
				used = link
			}
		}
	}
	for range 3 {
		if _, err := post(t.Context(), unfollowed(), used.URL, confirmation("")); err != nil {
			t.Fatal(err)
		}
	}
	return used
}

// TestDocumentPictures takes the pictures of the console that README.md and
// deploy/docs/use/console.md show, and expects small files. deploy/pictures --documents runs
// the test with -document-pictures.
func TestDocumentPictures(t *testing.T) {
	t.Parallel()
	directory := *documentPictures
	if directory == "" {
		directory = t.TempDir()
	}
	in := installOver(t, s3test.StartMemory(t, "reports"))
	g := in.start()
	used := fillDocuments(t, in, g)
	c := openWithAxe(t)
	j := &operatorJourney{journey{c, t, g, nil}, in.key, false}
	j.begin("/objects", "<h1>Objects</h1>")
	for name, page := range map[string][2]string{
		"console-objects": {"/objects?bucket=reports&prefix=2026/", "team photo.jpg"},
		"console-link":    {"/links/" + used.ID, "The download started"},
	} {
		j.must(c.scheme("light"))
		j.must(c.viewport(1024, 640, 1))
		j.open(j.consoleAddress(page[0]), page[1])
		var l layout
		j.must(c.evaluateInto(`JSON.stringify({Height: document.documentElement.scrollHeight})`, &l))
		file := filepath.Join(directory, name+".png")
		takePicture(t, c, &view{"en", 1024, "light", 1}, &l, file)
		j.must(reducePicture(file))
		info, err := os.Stat(file)
		j.must(err)
		if info.Size() > maxDocumentPicture {
			t.Errorf("%s has %d bytes, more than %d", file, info.Size(), maxDocumentPicture)
		}
	}
}

// reducePicture writes a PNG anew with its 256 most frequent colours, which makes it about
// half as large. The smoothed edges of letters have many more colours that nobody can tell
// apart.
func reducePicture(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	full, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		return err
	}
	bounds, count := full.Bounds(), map[color.Color]int{}
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			count[full.At(x, y)]++
		}
	}
	palette := color.Palette(slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int {
		return cmp.Compare(count[b], count[a])
	}))
	palette = palette[:min(len(palette), 256)]
	nearest := map[color.Color]uint8{}
	reduced := image.NewPaletted(bounds, palette)
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			at := full.At(x, y)
			if _, known := nearest[at]; !known {
				nearest[at] = uint8(palette.Index(at)) //nolint:gosec // below 256
			}
			reduced.SetColorIndex(x, y, nearest[at])
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, reduced); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}
