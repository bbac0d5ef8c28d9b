package httpapi

import (
	"net/http"

	"keyhole/gateway/request"
)

// transportPolicy tells browsers to use https for this host for a year, RFC 6797. It does
// not include subdomains, because other services may run there, and does not ask for the
// preload list of browsers, because an entry there cannot be withdrawn.
const transportPolicy = "max-age=31536000"

// strictTransport adds Strict-Transport-Security to answers over https. Browsers ignore it
// over plain http, and RFC 6797 section 7.2 forbids it there.
func (a *API) strictTransport(next http.Handler) http.Handler {
	policy := []string{transportPolicy} // shared by all answers
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.overHTTPS(r) {
			w.Header()["Strict-Transport-Security"] = policy
		}
		next.ServeHTTP(w, r)
	})
}

// overHTTPS tells whether the recipient uses https: with this service, or with a trusted
// proxy that says so.
func (a *API) overHTTPS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	forwarded := r.Header["X-Forwarded-Proto"]
	return len(forwarded) == 1 && forwarded[0] == "https" && request.Contains(a.o.TrustedProxies, request.Peer(r))
}
