package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// htmx.min.js is htmx 2.0.11 as released (Zero-Clause BSD). icons.svg has icons of
// lucide-static 1.62.0 (ISC).
//
//go:embed static
var staticDir embed.FS

// staticFile is a file that pages load. Its name has a hash of its content, so browsers may
// keep it for a year.
type staticFile struct {
	mediaType string
	content   []byte
	gzipped   []byte
}

// staticFiles are all files that pages load.
type staticFiles struct {
	names map[string]string // the name with the hash, by the name in the source
	files map[string]staticFile
}

// mediaType returns the type of a file by its extension.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// loadStatic reads and compresses the embedded files.
func loadStatic() (*staticFiles, error) {
	entries, err := staticDir.ReadDir("static")
	if err != nil {
		return nil, fmt.Errorf("read the files of the console: %w", err)
	}
	s := &staticFiles{names: map[string]string{}, files: map[string]staticFile{}}
	for _, entry := range entries {
		name := entry.Name()
		content, err := staticDir.ReadFile("static/" + name)
		if err != nil {
			return nil, fmt.Errorf("read a file of the console: %w", err)
		}
		var compressed bytes.Buffer
		w, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
		if err != nil {
			return nil, fmt.Errorf("compress a file of the console: %w", err)
		}
		if _, err := w.Write(content); err != nil {
			return nil, fmt.Errorf("compress a file of the console: %w", err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("compress a file of the console: %w", err)
		}
		digest := sha256.Sum256(content)
		extension := path.Ext(name)
		// 64 bits tell the releases of a file apart. Nobody but the build chooses the content.
		hashed := strings.TrimSuffix(name, extension) + "." + hex.EncodeToString(digest[:8]) + extension
		s.names[name] = hashed
		s.files[hashed] = staticFile{mediaType: mediaType(name), content: content, gzipped: compressed.Bytes()}
	}
	return s, nil
}

// path returns the path of a file by its name in the source. An unknown name is an error of
// a template, which parseTemplates finds.
func (s *staticFiles) path(name string) (string, error) {
	hashed, ok := s.names[name]
	if !ok {
		return "", fmt.Errorf("the console has no file %s", name)
	}
	return base + "/static/" + hashed, nil
}

// serveStatic answers GET /console/static/….
func (c *Console) serveStatic(ctx echo.Context) error {
	file, ok := c.static.files[ctx.Param("file")]
	if !ok {
		return echo.ErrNotFound
	}
	h := ctx.Response().Header()
	// Changed content has another name. immutable spares the check on a reload (RFC 8246).
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	// A file that is opened by itself runs nothing.
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Vary", "Accept-Encoding")
	content := file.content
	if readsGzip(ctx.Request()) {
		h.Set("Content-Encoding", "gzip")
		content = file.gzipped
	}
	return write(ctx, http.StatusOK, file.mediaType, content)
}

// write answers with content and its length. The answer to HEAD has no content.
func write(ctx echo.Context, status int, contentType string, content []byte) error {
	h := ctx.Response().Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	ctx.Response().WriteHeader(status)
	if ctx.Request().Method == http.MethodHead {
		return nil
	}
	_, err := ctx.Response().Write(content)
	return err
}
