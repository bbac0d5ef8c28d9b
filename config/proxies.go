package config

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
)

// The largest share of all addresses that the trusted proxies may cover together, as the
// bits of one network. Private networks do not count. A client that connects from a
// trusted address can forge the address that Keyhole limits, accepts and records. The
// largest content networks and clouds use less than a /8 (IPv6: a /16) for their proxies.
const (
	maxProxyBits4 = 8
	maxProxyBits6 = 16
)

// tooManyProxies is the message for a larger share.
const tooManyProxies = "the networks together cover %s%% of all %s addresses, private networks not counted; " +
	"the limit is a /%d (%s%%): list only your proxies, because clients there could choose their own address"

// privateNetworks returns the networks that are not part of the Internet: private (RFC
// 1918, RFC 4193), shared (RFC 6598), loopback and link-local.
func privateNetworks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
		netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::1/128"),
	}
}

// proxyCoverage refuses trusted proxies that together cover too much of the Internet, even
// if each network is narrow enough.
func (k *checker) proxyCoverage(path string, proxies []netip.Prefix) {
	var ipv4, ipv6 []netip.Prefix
	for _, p := range proxies {
		if p.Addr().Is4() {
			ipv4 = append(ipv4, p)
		} else {
			ipv6 = append(ipv6, p)
		}
	}
	for _, f := range []struct {
		name    string
		proxies []netip.Prefix
		bits    int
	}{{"IPv4", ipv4, maxProxyBits4}, {"IPv6", ipv6, maxProxyBits6}} {
		if covered, limit := publicShare(f.proxies), share(f.bits); covered > limit {
			k.problem(path, tooManyProxies, percent(covered), f.name, f.bits, percent(limit))
		}
	}
}

// publicShare returns the share of all addresses that are in one of the networks and not
// in a private network. The networks must be of one family.
func publicShare(networks []netip.Prefix) float64 {
	// If two networks overlap, one contains the other. The sort puts the larger one
	// first.
	slices.SortFunc(networks, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	private := privateNetworks()
	covered := 0.0
	var last netip.Prefix
	for _, n := range networks {
		within := func(p netip.Prefix) bool { return p.Bits() <= n.Bits() && p.Contains(n.Addr()) }
		if last.IsValid() && within(last) || slices.ContainsFunc(private, within) {
			continue
		}
		last = n
		covered += share(n.Bits())
		for _, p := range private {
			if n.Contains(p.Addr()) {
				covered -= share(p.Bits())
			}
		}
	}
	return covered
}

// share returns the share of all addresses of its family that a network with this many
// bits contains.
func share(bits int) float64 { return math.Exp2(-float64(bits)) }

// percent returns a share as a percentage with three digits.
func percent(share float64) string { return fmt.Sprintf("%.3g", 100*share) }
