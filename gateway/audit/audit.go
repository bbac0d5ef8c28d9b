// Package audit says how much of a client's address is kept with an event.
package audit

import (
	"fmt"
	"net/netip"
)

// Privacy is how client addresses are written into events and logs.
type Privacy string

// The ways of audit.client_address.
const (
	PrivacyFull      Privacy = "full"
	PrivacyTruncated Privacy = "truncated" // /24 of IPv4, /48 of IPv6
	PrivacyOff       Privacy = "off"
)

// ParsePrivacy reads a Privacy.
func ParsePrivacy(s string) (Privacy, error) {
	switch p := Privacy(s); p {
	case PrivacyFull, PrivacyTruncated, PrivacyOff:
		return p, nil
	}
	return "", fmt.Errorf("client addresses can be kept full, truncated or off, not %q", s)
}

// Address writes addr as far as it may be kept; empty where it may not, or is
// unknown. Zones are dropped: they mean something on this machine alone, and
// are free text.
func (p Privacy) Address(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return ""
	}
	switch p {
	case PrivacyFull:
		return addr.String()
	case PrivacyTruncated:
		bits := 48
		if addr.Is4() {
			bits = 24
		}
		return netip.PrefixFrom(addr, bits).Masked().String()
	default:
		return ""
	}
}
