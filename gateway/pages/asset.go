package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed assets/style.css assets/script.js assets/icon.svg
var assetFiles embed.FS

// AssetPrefix is the beginning of the paths of assets. A token never contains a hyphen.
const AssetPrefix = "/-/"

// The names of assets.
const (
	assetStyle  = "style"
	assetScript = "script"
	assetIcon   = "icon"
	assetLogo   = "logo" // only if the branding has a logo
)

// The colours in assets/icon.svg, which the accent colour replaces.
const (
	iconColor = "#2f5bd8"
	iconText  = "#fff"
)

// Asset is a file that pages load.
type Asset struct {
	Path      string // with a hash of the content
	MediaType string
	Content   []byte
}

// newAsset returns an asset. Its path changes with its content, so that browsers may keep
// it for a year.
func newAsset(name, extension, mediaType string, content []byte) *Asset {
	digest := sha256.Sum256(content)
	return &Asset{
		Path: AssetPrefix + name + "." + hex.EncodeToString(digest[:8]) + "." + extension, MediaType: mediaType,
		Content: content,
	}
}

// loadAssets returns the assets by name, with the colours and the logo of the branding.
func loadAssets(b *Branding) (map[string]*Asset, error) {
	content := map[string][]byte{}
	for _, file := range []string{"style.css", "script.js", "icon.svg"} {
		var err error
		if content[file], err = assetFiles.ReadFile("assets/" + file); err != nil {
			return nil, fmt.Errorf("read an asset of the pages: %w", err)
		}
	}
	style, icon := content["style.css"], content["icon.svg"]
	if b.AccentColor != "" {
		accent := ":root{--accent:" + b.AccentColor + ";--on-accent:" + b.AccentText + "}\n"
		style = append(bytes.Clone(style), accent...)
		icon = []byte(strings.NewReplacer(iconColor, b.AccentColor, iconText, b.AccentText).Replace(string(icon)))
	}
	assets := map[string]*Asset{
		assetStyle:  newAsset(assetStyle, "css", "text/css; charset=utf-8", style),
		assetScript: newAsset(assetScript, "js", "text/javascript; charset=utf-8", content["script.js"]),
		assetIcon:   newAsset(assetIcon, "svg", "image/svg+xml", icon),
	}
	if len(b.Logo.Content) > 0 {
		extension := "svg"
		if b.Logo.MediaType == "image/png" {
			extension = "png"
		}
		assets[assetLogo] = newAsset(assetLogo, extension, b.Logo.MediaType, b.Logo.Content)
	}
	return assets, nil
}

// Assets returns every asset, by path.
func (r *Renderer) Assets() []*Asset {
	assets := slices.Collect(maps.Values(r.assets))
	slices.SortFunc(assets, func(a, b *Asset) int { return strings.Compare(a.Path, b.Path) })
	return assets
}

// Asset returns the asset of a path, and whether the path has the hash of its content. A
// path with another hash comes from another gateway or an earlier configuration. For such
// a path, Asset returns the current asset, which clients must not cache under that path.
// found is false for every other path.
func (r *Renderer) Asset(path string) (asset *Asset, current, found bool) {
	// Asset runs for every click. The path of a link never has the prefix, so compare it first.
	file, below := strings.CutPrefix(path, AssetPrefix)
	if !below {
		return nil, false, false
	}
	name, rest, _ := strings.Cut(file, ".")
	if asset, found = r.assets[name]; !found {
		return nil, false, false
	}
	if path == asset.Path {
		return asset, true, true
	}
	hash, extension, _ := strings.Cut(rest, ".")
	_, notHash := hex.DecodeString(hash)
	ours := asset.Path[strings.LastIndexByte(asset.Path, '.')+1:]
	// An earlier configuration may have had a logo of the other type.
	known := extension == ours || name == assetLogo && (extension == "png" || extension == "svg")
	if notHash != nil || len(hash) != 16 || !known {
		return nil, false, false
	}
	return asset, false, true
}
