package httpapi

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway/request"
)

// fixedHeader is a header that many answers share. They share the slice of its value,
// which net/http does not change.
type fixedHeader struct {
	name  string // in canonical form
	value []string
}

// body is the content of an answer with the headers that describe it.
type body struct {
	headers []fixedHeader
	length  []string // the value of Content-Length
	content []byte
}

// newBody makes a body.
func newBody(contentType string, content []byte) body {
	return body{
		content: content, length: []string{strconv.Itoa(len(content))},
		headers: []fixedHeader{{"Content-Type", []string{contentType}}},
	}
}

// fixedHeaders returns the headers of every answer of a listener.
func fixedHeaders(cache, policy string, more ...fixedHeader) []fixedHeader {
	return append([]fixedHeader{
		{"Cache-Control", []string{cache}},
		{"X-Content-Type-Options", []string{"nosniff"}},
		{"Referrer-Policy", []string{"no-referrer"}},
		{"Content-Security-Policy", []string{policy}},
	}, more...)
}

// setHeaders sets headers of an answer, and replaces earlier values.
func setHeaders(c echo.Context, headers []fixedHeader) {
	h := c.Response().Header()
	for i := range headers {
		h[headers[i].name] = headers[i].value
	}
	if request.Ambiguous(c.Request()) {
		h["Connection"] = []string{"close"}
	}
}

// writeJSON answers with v. It renders all of v before it sends the first byte.
func writeJSON(c echo.Context, status int, contentType string, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeBody(c, status, contentType, append(content, '\n'))
}

// writeBody answers with content and its length.
func writeBody(c echo.Context, status int, contentType string, content []byte) error {
	h := c.Response().Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	return writeOut(c, status, content)
}

// maxUnstated is the size in bytes of the largest content whose length net/http adds itself.
const maxUnstated = 2048

// statesLength reports whether the handler has to set Content-Length. net/http adds the
// header to a short answer. In the map of headers it would be the ninth one of a page, and a
// map of Go grows with its ninth entry, which costs more than the other eight together.
func statesLength(c echo.Context, content []byte) bool {
	return len(content) > maxUnstated || c.Request().Method == http.MethodHead
}

// write sends the body.
func (b *body) write(c echo.Context, status int) error {
	setHeaders(c, b.headers)
	if statesLength(c, b.content) {
		c.Response().Header()["Content-Length"] = b.length
	}
	return writeOut(c, status, b.content)
}

// writeOut sends an answer whose headers are set. The answer to HEAD has no content.
func writeOut(c echo.Context, status int, content []byte) error {
	c.Response().WriteHeader(status)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	_, err := c.Response().Write(content)
	return err
}

// secondsOf returns a duration in the format of Retry-After (RFC 9110 section 10.2.3):
// whole seconds, rounded up, and at least 1.
func secondsOf(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}
