package record

import (
	"fmt"
	"net/netip"

	"keyhole/gateway"
)

// PackPrefixes packs address prefixes as lua/judge.lua reads them: for each one a
// letter for its family, the number of significant bits, and the address.
func PackPrefixes(prefixes []netip.Prefix) string {
	var b []byte
	for _, p := range prefixes {
		packed := PackClient(p.Addr())
		b = append(b, packed[0], byte(p.Bits())) //nolint:gosec // 128 at most.
		b = append(b, packed[1:]...)
	}
	return string(b)
}

// unpackPrefixes reads prefixes that PackPrefixes wrote.
func unpackPrefixes(s string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	d := Decoder{Rest: s}
	for d.Rest != "" {
		family, bits := d.Take(1), d.Fixed(1)
		width := uint64(16)
		if family == "4" {
			width = 4
		}
		addr, _ := netip.AddrFromSlice([]byte(d.Take(width)))
		p := netip.PrefixFrom(addr, int(bits))
		if d.Err != nil || !p.IsValid() {
			return nil, fmt.Errorf("%w: invalid address prefix", gateway.ErrRecord)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

// PackClient packs a client address as lua/judge.lua compares it: a letter for its
// family (4 or 6), then its bytes. An unknown address is empty and matches no prefix.
func PackClient(addr netip.Addr) string { return string(AppendClient(nil, addr)) }

// AppendClient appends the bytes that PackClient returns.
func AppendClient(b []byte, addr netip.Addr) []byte {
	addr = addr.Unmap()
	switch {
	case addr.Is4():
		four := addr.As4()
		return append(append(b, '4'), four[:]...)
	case addr.Is6():
		sixteen := addr.As16()
		return append(append(b, '6'), sixteen[:]...)
	}
	return b
}

// PackAddress packs the address of an event: an IP address as its bytes, anything else (a
// prefix or a hash) as text. The first letter is the kind: 4, 6 or t.
func PackAddress(s string) string { return string(AppendAddress(nil, s)) }

// AppendAddress appends the bytes that PackAddress returns.
func AppendAddress(b []byte, s string) []byte {
	if s == "" {
		return b
	}
	a, err := netip.ParseAddr(s)
	var space [64]byte
	if err != nil || string(a.AppendTo(space[:0])) != s || a.Zone() != "" || a.Is4In6() {
		return append(append(b, 't'), s...)
	}
	return AppendClient(b, a)
}

// unpackAddress reads an address that PackAddress wrote.
func unpackAddress(s string) (string, error) {
	switch {
	case s == "":
		return "", nil
	case s[0] == 't':
		return s[1:], nil
	case s[0] == '4' && len(s) == 5, s[0] == '6' && len(s) == 17:
		a, _ := netip.AddrFromSlice([]byte(s[1:]))
		return a.String(), nil
	}
	return "", fmt.Errorf("%w: invalid event address", gateway.ErrRecord)
}
