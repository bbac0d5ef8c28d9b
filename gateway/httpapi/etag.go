package httpapi

import (
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// writeLink answers with a link and its ETag. A change can require the ETag in If-Match.
func writeLink(c echo.Context, status int, link *gateway.Link, body any) error {
	c.Response().Header().Set("ETag", etagOf(link))
	return writeJSON(c, status, api.MediaType, body)
}

// etagOf returns the ETag of a link, RFC 9110 section 8.8.3. Changes by operators change it,
// clicks do not.
func etagOf(link *gateway.Link) string { return `"` + hex.EncodeToString([]byte(link.Revision)) + `"` }

// entityTag matches a strong or weak tag without commas. The tags of etagOf have none.
var entityTag = regexp.MustCompile(`^(?:W/)?"([^",]*)"$`)

// ifMatch returns the revisions in If-Match (RFC 9110 section 13.1.1), or nil for any
// revision. A tag that etagOf did not make becomes a revision that no link has. A proxy
// that compresses an answer makes its ETag weak or appends a suffix. Such a tag still
// names the same revision, so ifMatch accepts it, although the strong comparison of the
// RFC would not.
func ifMatch(r *http.Request) ([]string, error) {
	values := r.Header["If-Match"]
	if len(values) == 0 {
		return nil, nil
	}
	text := strings.Join(values, ",")
	if strings.TrimSpace(text) == "*" {
		return nil, nil
	}
	var revisions []string
	for item := range strings.SplitSeq(text, ",") {
		tag := strings.TrimSpace(item)
		match := entityTag.FindStringSubmatch(tag)
		if match == nil {
			return nil, gateway.Errorf(gateway.CodeBadRequest, "If-Match must be * or a list of ETags, each in double quotes")
		}
		name := unencoded(match[1])
		revision, err := hex.DecodeString(name)
		if err != nil || name != hex.EncodeToString(revision) {
			revision = []byte(tag)
		}
		revisions = append(revisions, string(revision))
	}
	return revisions, nil
}

// unencoded removes the suffix that Apache's mod_deflate or mod_brotli appends to the ETag
// of an answer that it compresses.
func unencoded(name string) string {
	if short, ok := strings.CutSuffix(name, "-gzip"); ok {
		return short
	}
	return strings.TrimSuffix(name, "-br")
}
