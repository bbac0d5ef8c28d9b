package request

import (
	"crypto/rand"
	"encoding/base32"
	"net/http"
	"net/netip"
	"strings"
)

// IDHeader is the header that names a request, in canonical form.
const IDHeader = "X-Request-Id"

// maxID is the length of the longest X-Request-Id that is accepted.
const maxID = 64

// ID returns the X-Request-Id of a trusted proxy if it is well-formed, or else a new name.
// Other clients cannot choose the name: they could make two requests look like one in the
// log.
func ID(r *http.Request, proxies []netip.Prefix) string {
	if sent := r.Header[IDHeader]; len(sent) == 1 && validID(sent[0]) && Contains(proxies, Peer(r)) {
		return sent[0]
	}
	drawn := make([]byte, 16)
	_, _ = rand.Read(drawn) // It never fails.
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(drawn))
}

// validID reports whether s matches [A-Za-z0-9._-]{1,64}.
func validID(s string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return s != "" && len(s) <= maxID && strings.Trim(s, allowed) == ""
}
