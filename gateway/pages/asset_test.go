package pages

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// A path with the hash of the content is current. The hash of another gateway finds the
// current content, and everything else finds nothing.
func TestAssetsByPath(t *testing.T) {
	t.Parallel()
	logo := Logo{Content: []byte("\x89PNG"), MediaType: "image/png"}
	r, err := New(Options{Branding: Branding{Logo: logo}})
	if err != nil {
		t.Fatal(err)
	}
	for name, mediaType := range map[string]string{
		"style": "text/css; charset=utf-8", "script": "text/javascript; charset=utf-8",
		"icon": "image/svg+xml", "logo": "image/png",
	} {
		want := r.assets[name]
		if want.MediaType != mediaType || len(want.Content) == 0 || !strings.HasPrefix(want.Path, "/-/"+name+".") {
			t.Errorf("%s: %s, %s, %d bytes", name, want.Path, want.MediaType, len(want.Content))
		}
		if got, current, found := r.Asset(want.Path); got != want || !current || !found {
			t.Errorf("%s: %v, %v", want.Path, current, found)
		}
		extension := want.Path[strings.LastIndexByte(want.Path, '.'):]
		other := "/-/" + name + ".0123456789abcdef" + extension
		if got, current, found := r.Asset(other); got != want || current || !found {
			t.Errorf("%s: %v, %v", other, current, found)
		}
	}
	var listed []string
	for _, asset := range r.Assets() {
		if r.assets[strings.Split(asset.Path[3:], ".")[0]] != asset {
			t.Errorf("%s is not the asset of its name", asset.Path)
		}
		listed = append(listed, asset.Path)
	}
	if len(listed) != 4 || !slices.IsSorted(listed) {
		t.Errorf("the assets are %q", listed)
	}
	// The logo of an earlier configuration may have had the other type.
	if got, current, found := r.Asset("/-/logo.0123456789abcdef.svg"); got != r.assets["logo"] || current || !found {
		t.Errorf("the logo of before: %v, %v", current, found)
	}
	hash := strings.Split(r.assets["style"].Path, ".")[1]
	for _, path := range []string{
		"", "/", "/-/", "/-/style", "/-/style.css", "/-/style." + hash, "/-/style." + hash + ".js",
		"/-/style." + hash + ".css.map", "/-/style." + hash + ".css?x", "/-/STYLE." + hash + ".css",
		"/-/style.ABCDEFABCDEFABCD0.css", "/-/style.0123456789abcde.css", "/-/style.0123456789abcdeg.css",
		"/-/other." + hash + ".css", "//-/style." + hash + ".css", "/-/../-/style." + hash + ".css",
		"/style." + hash + ".css", "/-/style.0123456789abcdef.css/",
	} {
		if asset, _, found := r.Asset(path); found || asset != nil {
			t.Errorf("%s finds an asset", path)
		}
	}
	if _, _, found := newRenderer(t).Asset("/-/logo.0123456789abcdef.png"); found {
		t.Error("without a logo there is one")
	}
}

// Another accent colour is another style sheet with another path, and changes the icon.
func TestAccentColor(t *testing.T) {
	t.Parallel()
	plain := newRenderer(t)
	r, err := New(Options{Branding: Branding{AccentColor: "#123456", AccentText: "#abcdef"}})
	if err != nil {
		t.Fatal(err)
	}
	style, icon := r.assets["style"], r.assets["icon"]
	if style.Path == plain.assets["style"].Path || icon.Path == plain.assets["icon"].Path {
		t.Error("the paths do not change")
	}
	if !bytes.HasPrefix(style.Content, plain.assets["style"].Content) ||
		!bytes.HasSuffix(style.Content, []byte(":root{--accent:#123456;--on-accent:#abcdef}\n")) {
		t.Errorf("the style sheet ends with %s", style.Content[len(plain.assets["style"].Content):])
	}
	if !bytes.Contains(icon.Content, []byte("#123456")) || bytes.Contains(icon.Content, []byte(iconColor)) ||
		!bytes.Contains(plain.assets["icon"].Content, []byte(iconColor)) {
		t.Errorf("the icon is %s", icon.Content)
	}
	if r.assets["script"].Path != plain.assets["script"].Path {
		t.Error("the path of the script changes")
	}
}

// Assets load nothing else, and the script keeps to what the manual promises of it.
func TestAssetsAreConfined(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	for name, asset := range r.assets {
		for _, word := range []string{
			"url(", "@import", "http:", "https:", "<script", "eval(", "innerHTML", "fetch(", "XMLHttpRequest", "submit(",
			"localStorage", "cookie", "sendBeacon", "WebSocket", "import(",
		} {
			content := strings.ReplaceAll(string(asset.Content), `xmlns="http://www.w3.org/2000/svg"`, "")
			if strings.Contains(content, word) {
				t.Errorf("%s has %s", name, word)
			}
		}
	}
}
