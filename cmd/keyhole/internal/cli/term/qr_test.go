package term

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"rsc.io/qr"
)

// testURL is a link of the usual length.
const testURL = "https://dl.example.com/gL7GirLNfjRUvzM7663PyG"

// testCode returns the code of testURL.
func testCode(t *testing.T) *qr.Code {
	t.Helper()
	code, err := EncodeQR(testURL)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// modules returns the code as rows of dark modules ('#'), with the quiet zone around it.
func modules(code *qr.Code) []string {
	var rows []string
	for y := -QuietZone; y < code.Size+QuietZone; y++ {
		var row strings.Builder
		for x := -QuietZone; x < code.Size+QuietZone; x++ {
			row.WriteByte(map[bool]byte{true: '#', false: '.'}[code.Black(x, y)])
		}
		rows = append(rows, row.String())
	}
	return rows
}

// The characters show each module of the code, two rows on each line, with the quiet zone.
func TestQRText(t *testing.T) {
	t.Parallel()
	code := testCode(t)
	want := modules(code)
	var got []string
	for line := range strings.Lines(QRText(code, false)) {
		var upper, lower strings.Builder
		for _, r := range strings.TrimSuffix(line, "\n") {
			pair, ok := map[rune]string{'█': "..", '▀': ".#", '▄': "#.", ' ': "##"}[r]
			if !ok {
				t.Fatalf("the code contains %q", r)
			}
			upper.WriteByte(pair[0])
			lower.WriteByte(pair[1])
		}
		got = append(got, upper.String(), lower.String())
	}
	// The number of rows is odd, so the last line has a half that belongs to no row.
	if len(got) != len(want)+len(want)%2 {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for y, row := range want {
		if got[y] != row {
			t.Errorf("row %d: got %s, want %s", y, got[y], row)
		}
	}
}

// On a terminal each line sets its colours and resets them, so that the code is readable
// on a light background too and does not colour what follows.
func TestQRTextInColours(t *testing.T) {
	t.Parallel()
	code := testCode(t)
	plain := strings.Split(QRText(code, false), "\n")
	for i, line := range strings.Split(QRText(code, true), "\n") {
		if line == "" {
			continue
		}
		inner, begins := strings.CutPrefix(line, "\x1b[97;40m")
		inner, ends := strings.CutSuffix(inner, "\x1b[0m")
		if !begins || !ends || inner != plain[i] {
			t.Errorf("line %d is %q", i, line)
		}
	}
}

// The picture is well-formed, has the size of its modules and draws each dark one once.
func TestQRSVG(t *testing.T) {
	t.Parallel()
	code := testCode(t)
	var picture struct {
		ViewBox string `xml:"viewBox,attr"`
		Width   int    `xml:"width,attr"`
		Paths   []struct {
			D    string `xml:"d,attr"`
			Fill string `xml:"fill,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(QRSVG(code), &picture); err != nil {
		t.Fatal(err)
	}
	side := code.Size + 2*QuietZone
	if picture.ViewBox != fmt.Sprintf("0 0 %d %d", side, side) || picture.Width != side*QRPixels ||
		len(picture.Paths) != 2 {
		t.Fatalf("got %+v", picture)
	}
	drawn := picture.Paths[1].D
	for y, row := range modules(code) {
		for x, module := range row {
			if got := strings.Count(drawn, fmt.Sprintf("M%d %dh1v1h-1z", x, y)); got != map[rune]int{'#': 1}[module] {
				t.Errorf("the module %d, %d is drawn %d times", x, y, got)
			}
		}
	}
}

// A URL that is too long for a code is an error, without the URL, which opens the link.
func TestEncodeQRTooLong(t *testing.T) {
	t.Parallel()
	if _, err := EncodeQR(strings.Repeat("canary", 1000)); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
	if code := testCode(t); code.Scale != QRPixels {
		t.Errorf("a module has %d pixels, want %d", code.Scale, QRPixels)
	}
}
