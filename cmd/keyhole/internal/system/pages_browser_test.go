//go:build system

package system

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway/pages"
)

// pagePreview holds the recipients' pages as keyhole pages preview writes them.
type pagePreview struct {
	directory string
	states    []string
	languages []string
}

// Sections of a configuration with everything that branding has, for previewPages. LOGO is
// the path of previewLogo.
const (
	exampleBranding = `
pages:
  organization: Example Ltd
  logo_file: LOGO
  accent_color: "#1098ad"
  contact: mailto:help@example.com
  links: [{ name: Imprint, url: "https://example.com/imprint" }, { name: Privacy, url: "https://example.com/privacy" }]
`
	longBranding = `
pages:
  organization: Donaudampfschifffahrtsgesellschaft Niederösterreich GmbH & Co. KG
  logo_file: LOGO
  accent_color: "#1098ad"
  contact: mailto:it-servicedesk@donaudampfschifffahrt.example.org
  links:
    - { name: Imprint, url: "https://example.org/imprint" }
    - { name: Privacy, url: "https://example.org/privacy" }
`
)

// previewLogo is wide, as logos with the name of an organization are.
const previewLogo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 60">` +
	`<rect width="60" height="60" rx="12" fill="#1098ad"/><path d="M15 42l15-26 15 26z" fill="#fff"/>` +
	`<path d="M76 22h140v6H76zm0 14h90v6H76z" fill="#8a94a3"/></svg>`

// previewPages writes all pages, with the branding of a section, or without one.
func previewPages(t *testing.T, branding string) *pagePreview {
	t.Helper()
	p := &pagePreview{directory: t.TempDir(), languages: config.PageLanguages()}
	args := []string{"pages", "preview", "--output", p.directory}
	if branding != "" {
		dir := t.TempDir()
		logo, path := filepath.Join(dir, "logo.svg"), filepath.Join(dir, "keyhole.yaml")
		text := `
public: { url: "http://127.0.0.1:8080" }
operator: { keys: [{ name: ops, sha256: ` + strings.Repeat("0a", 32) + `, can: [issue] }] }
redis: { addresses: ["127.0.0.1:1"] }
storage: [{ name: main, endpoint: "http://127.0.0.1:1", region: r, path_style: true, buckets: [reports] }]
` + strings.ReplaceAll(branding, "LOGO", logo)
		err := errors.Join(os.WriteFile(logo, []byte(previewLogo), 0o600), os.WriteFile(path, []byte(text), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	var out bytes.Buffer
	if code := runBinary(t.Context(), args, command.Env{Stdout: &out, Stderr: &out}); code != command.ExitOK {
		t.Fatalf("exit %d: %s", code, &out)
	}
	files, err := filepath.Glob(filepath.Join(p.directory, "*.en.html"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	for _, file := range files {
		p.states = append(p.states, strings.TrimSuffix(filepath.Base(file), ".en.html"))
	}
	slices.Sort(p.states)
	return p
}

// serve serves the pages under the Content-Security-Policy of the service. Without script,
// their script is missing.
func (p *pagePreview) serve(t *testing.T, script bool) *httptest.Server {
	t.Helper()
	files := http.FileServer(http.Dir(p.directory))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pages.Policy(""))
		if !script && strings.HasPrefix(r.URL.Path, "/-/script.") {
			http.NotFound(w, r)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

// scheme selects light or dark, as the reader's system does.
func (c *chromium) scheme(name string) error {
	return c.call("Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": name}},
	}, nil)
}

// viewport sets the size of the window in pixels of CSS. scale is the number of pixels of
// the screen for each of them.
func (c *chromium) viewport(width, height int, scale float64) error {
	return c.call("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": height, "deviceScaleFactor": scale, "mobile": false,
	}, nil)
}

// evaluateInto runs JavaScript that returns JSON, and decodes it.
func (c *chromium) evaluateInto(script string, into any) error {
	text, err := c.evaluate(script)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%w in %.200s", err, text)
	}
	return nil
}
