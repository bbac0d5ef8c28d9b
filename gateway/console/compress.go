package console

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// smallPage is the size in bytes below which a page is not worth compressing: it fits into
// one packet anyway.
const smallPage = 1400

// writePage answers with a page, compressed if the browser reads gzip. A list of a hundred
// long keys has several hundred kilobytes.
//
// The answer to a POST stays as it is: it may show a URL or a passphrase beside text of the
// form, and the length of a compressed page tells how alike the two are (the attack BREACH).
func (c *Console) writePage(ctx echo.Context, status int, page []byte) error {
	const mediaType = "text/html; charset=utf-8"
	r, h := ctx.Request(), ctx.Response().Header()
	if r.Method == http.MethodPost || len(page) < smallPage {
		return write(ctx, status, mediaType, page)
	}
	// Also for the uncompressed answer: a cache must not serve either form to all browsers
	// (RFC 9110 section 12.5.5).
	h.Set("Vary", "Accept-Encoding")
	if !readsGzip(r) {
		return write(ctx, status, mediaType, page)
	}
	compressed, err := c.compress(page)
	if err != nil {
		return err
	}
	h.Set("Content-Encoding", "gzip")
	return write(ctx, status, mediaType, compressed)
}

// compress returns content in gzip. It uses the fastest level, which makes pages a tenth
// larger than the best one does.
func (c *Console) compress(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, ok := c.gzip.Get().(*gzip.Writer)
	if !ok {
		w, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // It fails only for an unknown level.
	}
	defer c.gzip.Put(w)
	w.Reset(&out)
	if _, err := w.Write(content); err != nil {
		return nil, fmt.Errorf("compress a page: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress a page: %w", err)
	}
	return out.Bytes(), nil
}

// readsGzip reports whether the client accepts gzip (RFC 9110 section 12.5.3). A weight of
// zero refuses it.
func readsGzip(r *http.Request) bool {
	for _, entry := range strings.Split(strings.Join(r.Header["Accept-Encoding"], ","), ",") {
		coding, parameter, _ := strings.Cut(entry, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		_, weight, found := strings.Cut(parameter, "=")
		q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
		return !found || err == nil && q > 0
	}
	return false
}
