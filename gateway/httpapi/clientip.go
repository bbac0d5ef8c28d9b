package httpapi

import (
	"net/http"
	"net/netip"

	"github.com/labstack/echo/v4"

	"keyhole/gateway/request"
)

// sharedAddresses is the network of carrier-grade NAT, RFC 6598. Overlay networks and
// the load balancers of some cloud providers use it too.
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10") //nolint:gochecknoglobals // a constant

// isLocal reports whether an address is on this host or in a private network. A peer with
// such an address that forwards requests is probably the operator's own proxy.
func isLocal(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedAddresses.Contains(a)
}

// recipient returns the address of a recipient. It warns once about a proxy that
// public.trusted_proxies probably lacks. All recipients behind such a proxy share the
// proxy's address, which soon reaches the limit of failed attempts.
func (a *API) recipient(r *http.Request) netip.Addr {
	if len(r.Header["X-Forwarded-For"]) > 0 {
		if peer := request.Peer(r); isLocal(peer) && !request.Contains(a.o.TrustedProxies, peer) {
			a.proxyWarning.Do(func() {
				a.o.Logger.Warn("X-Forwarded-For from a private address that is not in public.trusted_proxies; "+
					"if it is your proxy, add it there, otherwise all recipients count as one",
					"peer", a.o.FormatAddress(peer))
			})
		}
	}
	return request.Client(r, a.o.TrustedProxies)
}

// operatorClient returns the address of the client that sent an operator's request. The
// peer's address counts, unless the peer is a proxy of operator.trusted_proxies.
func (a *API) operatorClient(r *http.Request) netip.Addr {
	return request.Client(r, a.o.OperatorProxies)
}

// operatorAddress returns the part of an operator's address that may be recorded.
func (a *API) operatorAddress(c echo.Context) string {
	return a.o.FormatAddress(a.operatorClient(c.Request()))
}
