package request

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Client returns the address of the client that sent a request. It is the peer's address, unless the peer
// is one of the trusted proxies. Then Client reads X-Forwarded-For from right to left,
// up to the first address that is not a trusted proxy. The proxies wrote that part; the
// client can forge everything to the left of it. Text that is not an address also ends
// the search: the proxy that added the text then counts as the client.
func Client(r *http.Request, proxies []netip.Prefix) netip.Addr {
	client := Peer(r)
	if !Contains(proxies, client) {
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
			if client = addr; !Contains(proxies, client) {
				return client
			}
		}
	}
	return client
}

// Peer returns the address of the other end of the connection.
func Peer(r *http.Request) netip.Addr {
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

// Contains reports whether one of the prefixes contains the address.
func Contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}
