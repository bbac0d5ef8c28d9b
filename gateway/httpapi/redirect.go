package httpapi

import (
	"net/http"
	"regexp"
	"strings"
)

// challengePath is where a certificate authority asks for HTTP-01 challenges, RFC 8555
// section 8.3.
const challengePath = "/.well-known/acme-challenge/"

// languageTag is the form of a language that a redirect keeps. It has no character with a
// meaning in URLs or headers.
var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$`)

// NewRedirect returns the handler of a listener that speaks plain http beside https. It
// redirects every request to the same path below publicURL, the configured beginning of
// every link. No part of the request but the path and the language reaches Location, so a
// client cannot choose the host. Nothing is looked up and no click is counted.
//
// challenges answers requests for the challenges of a certificate authority; nil means
// that there are none.
func NewRedirect(publicURL string, challenges http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store, no-transform")
		header.Set("X-Content-Type-Options", "nosniff")
		switch {
		case !strings.HasPrefix(r.URL.Path, challengePath):
			header.Set("Location", redirectLocation(publicURL, r))
			header.Set("Referrer-Policy", "no-referrer")
			w.WriteHeader(http.StatusFound)
		case challenges != nil:
			challenges.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

// redirectLocation returns the URL that a request is redirected to. It begins with
// publicURL and a slash, so whatever the path is, it cannot become a part of the host.
func redirectLocation(publicURL string, r *http.Request) string {
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") { // OPTIONS *, CONNECT, or an opaque URL
		path = "/"
	}
	location := publicURL + path
	if language := queryLanguage(r); languageTag.MatchString(language) {
		location += "?lang=" + language
	}
	return location
}
