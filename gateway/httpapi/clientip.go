package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// clientOf returns the address of the client. It is the peer's address, unless the peer
// is one of the trusted proxies. Then clientOf reads X-Forwarded-For from right to left,
// up to the first address that is not a trusted proxy. The proxies wrote that part; the
// client can forge everything to the left of it. Text that is not an address also ends
// the search: the proxy that added the text then counts as the client.
func clientOf(r *http.Request, proxies []netip.Prefix) netip.Addr {
	client := peerOf(r)
	if !containedIn(proxies, client) {
		return client
	}
	for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) {
		for line != "" {
			entry := line
			if comma := strings.LastIndexByte(line, ','); comma >= 0 {
				line, entry = line[:comma], line[comma+1:]
			} else {
				line = ""
			}
			addr, ok := forwarded(strings.Trim(entry, " \t"))
			if !ok {
				return client
			}
			if client = addr; !containedIn(proxies, client) {
				return client
			}
		}
	}
	return client
}

// peerOf returns the address of the other end of the connection.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap().WithZone("")
}

// forwarded parses one entry of X-Forwarded-For: an address, or an address with a port,
// which some proxies add. With a port, IPv6 is in brackets. It refuses zones, because a
// zone is valid only on the machine that wrote it.
func forwarded(entry string) (netip.Addr, bool) {
	if len(entry) > 64 {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
	if err != nil {
		port, err := netip.ParseAddrPort(entry)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = port.Addr()
	}
	return addr.Unmap(), addr.Zone() == ""
}

// containedIn reports whether one of the prefixes contains the address.
func containedIn(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

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
		if peer := peerOf(r); isLocal(peer) && !containedIn(a.o.TrustedProxies, peer) {
			a.proxyWarning.Do(func() {
				a.o.Logger.Warn("X-Forwarded-For from a private address that is not in public.trusted_proxies; "+
					"if it is your proxy, add it there, otherwise all recipients count as one",
					"peer", a.o.FormatAddress(peer))
			})
		}
	}
	return clientOf(r, a.o.TrustedProxies)
}

// operatorClient returns the address of the client that sent an operator's request. The
// peer's address counts, unless the peer is a proxy of operator.trusted_proxies.
func (a *API) operatorClient(r *http.Request) netip.Addr { return clientOf(r, a.o.OperatorProxies) }

// operatorAddress returns the part of an operator's address that may be recorded.
func (a *API) operatorAddress(c echo.Context) string {
	return a.o.FormatAddress(a.operatorClient(c.Request()))
}
