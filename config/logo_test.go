package config

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pngOf returns a PNG of one colour.
func pngOf(tb testing.TB, width, height int) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Black})); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// withWidth returns a PNG whose header claims another width.
func withWidth(data []byte, width uint32) []byte {
	out := bytes.Clone(data)
	binary.BigEndian.PutUint32(out[16:], width)
	binary.BigEndian.PutUint32(out[29:], crc32.ChecksumIEEE(out[12:29]))
	return out
}

func TestPNG(t *testing.T) {
	t.Parallel()
	small := pngOf(t, 4, 4)
	broken := bytes.Clone(small)
	broken[len(broken)-20] ^= 1
	for name, tt := range map[string]struct {
		data []byte
		want string // empty: allowed
	}{
		"small":             {small, ""},
		"the largest":       {pngOf(t, maxLogoSide, maxLogoSide), ""},
		"too wide":          {pngOf(t, maxLogoSide+1, 1), "has 2049x1 pixels; the limit is 2048x2048"},
		"too high":          {pngOf(t, 1, maxLogoSide+1), "has 1x2049 pixels"},
		"a bomb":            {withWidth(small, 1<<30), "has 1073741824x4 pixels"},
		"a false width":     {withWidth(small, 2000), "is not a valid PNG"},
		"only a signature":  {[]byte(pngSignature), "is not a valid PNG"},
		"cut":               {small[:len(small)-13], "is not a valid PNG"},
		"a flipped bit":     {broken, "is not a valid PNG"},
		"a script after it": {append(bytes.Clone(small), "<script>"...), "has 8 bytes after the end of the PNG"},
	} {
		logo, err := parseLogo(tt.data)
		switch {
		case tt.want == "" && (err != nil || logo.MediaType != MediaTypePNG || !bytes.Equal(logo.Content, tt.data)):
			t.Errorf("%s: %v, %q", name, err, logo.MediaType)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// The size is limited before the content is parsed.
func TestReadLogo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	largest := svgOf(strings.Repeat(" ", maxLogo-len(svgOf(""))))
	for name, text := range map[string]string{"largest": largest, "larger": largest + " ", "hostile": svgOf("<script/>")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"largest": "",
		"larger":  "it is larger than 32 KiB",
		"hostile": "contains the element <script> in line 1",
		"gone":    "no such file",
		".":       "is a directory",
	} {
		logo, err := ReadLogo(filepath.Join(dir, name))
		if want == "" && (err != nil || string(logo.Content) != largest || logo.MediaType != MediaTypeSVG) {
			t.Errorf("%s: %v", name, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || logo.Content != nil ||
			!strings.HasPrefix(err.Error(), "pages.logo_file: ")) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	if logo, err := ReadLogo(""); err != nil || logo.Content != nil || logo.MediaType != "" {
		t.Errorf("without a path: %+v, %v", logo, err)
	}
}

// Loading reports problems of the logo with its key, beside the other problems.
func TestLogoOnLoad(t *testing.T) {
	t.Parallel()
	text := minimal + "redis: {database: -1}\n"
	for logo, want := range map[string]string{
		svgOf(""):          "",
		svgOf("<script/>"): `KEYHOLE_PAGES_LOGO_FILE: pages.logo_file: "/logo" contains the element <script> in line 1`,
		"x" + string(make([]byte, maxLogo)): `KEYHOLE_PAGES_LOGO_FILE: pages.logo_file: "/logo" cannot be read: it is ` +
			`too large`,
	} {
		c, _, err := loadText(minimal, disk{"/logo": logo}, "KEYHOLE_PAGES_LOGO_FILE=/logo")
		if want == "" {
			if err != nil || c.Pages.LogoFile != "/logo" {
				t.Errorf("a valid logo: %v", err)
			}
			continue
		}
		_, _, err = loadText(text, disk{"/logo": logo}, "KEYHOLE_PAGES_LOGO_FILE=/logo")
		got := lines(t, err)
		if len(got) != 2 || !strings.HasPrefix(got[1], want) || !strings.Contains(got[0], "redis.database") {
			t.Errorf("got %q, want %s", got, want)
		}
	}
}

// FuzzLogo: a logo that is allowed is served as it is, small, and contains nothing that a
// browser could run or load, by a search that is simpler than the check.
func FuzzLogo(f *testing.F) {
	f.Add(pngOf(f, 4, 4))
	f.Add(withWidth(pngOf(f, 4, 4), 1<<30))
	for _, body := range []string{
		"", "<script/>", "\n<g onload='x'/>", "<use href='#a'/>", "<use xlink:href='data:x'/>", "<g fill='url(#a) red'/>",
		"<g mask='url(a)'/>", "<g style='x'/>", "<title>&#60;<![CDATA[<script>]]></title>", "<!-- a -->", useChain(),
		maskChain(), "<g id='a'><use href='#a'/></g>", "<g xmlns:x='y'/>", "<?x?>", "\x00",
	} {
		f.Add([]byte(svgOf(body)))
		f.Add([]byte("<?xml version='1.0' encoding='utf-8'?><!DOCTYPE svg>" + svgOf(body)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > maxLogo {
			return // files of this size are not read
		}
		logo, err := parseLogo(data)
		if err != nil {
			if text := err.Error(); strings.ContainsAny(text, "\r\n") || len(text) > 500 {
				t.Errorf("not one short line: %q", text)
			}
			return
		}
		if !bytes.Equal(logo.Content, data) {
			t.Fatal("the file was rewritten")
		}
		if logo.MediaType == MediaTypeSVG {
			checkHarmless(t, data)
		}
	})
}

// checkHarmless looks at the names and values of an SVG without its comments and texts.
func checkHarmless(t *testing.T, data []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte(utf8BOM)))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("is not XML: %v", err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		names := []string{e.Name.Local}
		for _, a := range e.Attr {
			names = append(names, a.Name.Local)
			if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#") ||
				strings.Contains(strings.ReplaceAll(strings.ReplaceAll(a.Value, "\"", ""), "'", ""), "url(") &&
					!strings.Contains(a.Value, "#") {
				t.Fatalf("loads %q", a.Value)
			}
		}
		for _, name := range names {
			lower := strings.ToLower(name)
			if strings.Contains(lower, "script") || strings.HasPrefix(lower, "on") || strings.HasPrefix(lower, "anim") ||
				lower == "style" || lower == "image" || lower == "foreignobject" || lower == "set" || lower == "base" {
				t.Fatalf("has %q", name)
			}
		}
	}
}
