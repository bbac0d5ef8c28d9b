package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// clientOf returns the address that a request came from: the peer's, unless the
// peer is one of proxies. Then X-Forwarded-For is read from its right end, where
// the proxies themselves have written, up to the first address that is none of
// theirs: what stands left of that the client may have made up. What is no
// address ends it too, and the proxy that passed it on is the client.
func clientOf(r *http.Request, proxies []netip.Prefix) netip.Addr {
	client := peerOf(r)
	if !within(proxies, client) {
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
			if client = addr; !within(proxies, client) {
				return client
			}
		}
	}
	return client
}

// peerOf returns the address of the connection's other end.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap().WithZone("")
}

// forwarded reads one entry of X-Forwarded-For: an address, with a port where a
// proxy adds one, IPv6 in brackets then. Zones are of another machine.
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

// within tells whether one of prefixes has the address.
func within(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// sharedAddresses is the network of carrier-grade NAT, RFC 6598. Overlay networks and
// the load balancers of some cloud providers use it too.
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10") //nolint:gochecknoglobals // a constant

// near tells whether an address is on this host or in a network of one's own: a peer
// from there that forwards requests is probably one's own proxy.
func near(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedAddresses.Contains(a)
}

// recipient returns where a request of the public listener came from, and warns,
// once, of a proxy that was probably forgotten: behind it all recipients have one
// address, its own, which soon has had too many misses.
func (a *API) recipient(r *http.Request) netip.Addr {
	if len(r.Header["X-Forwarded-For"]) > 0 {
		if peer := peerOf(r); near(peer) && !within(a.o.TrustedProxies, peer) {
			a.forgotten.Do(func() {
				a.o.Logger.Warn("X-Forwarded-For from a local or private address that is not in public.trusted_proxies; if it is your proxy, list it there, or all recipients count as one",
					"peer", a.o.FormatAddress(peer))
			})
		}
	}
	return clientOf(r, a.o.TrustedProxies)
}

// operatorAddress returns where an operator's request came from, as far as it may
// be kept.
func (a *API) operatorAddress(c echo.Context) string {
	return a.o.FormatAddress(peerOf(c.Request()))
}
