package gateway

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"
	"unicode/utf8"
)

// The limits of a link's restrictions.
const (
	maxClicks     = 1_000_000
	maxPassphrase = 256 // bytes
	maxAllow      = 64
)

// restrictions are the parsed restrictions of a request.
type restrictions struct {
	allow     []netip.Prefix
	notBefore time.Time
	reveal    string // RevealAfter or RevealBefore of a link with a passphrase
}

// checkMaxClicks returns the error in a number of clicks.
func checkMaxClicks(n int64) []FieldError {
	if n < 1 || n > maxClicks {
		return []FieldError{{"max_clicks", "invalid", fmt.Sprintf("must be a number from 1 to %d", maxClicks)}}
	}
	return nil
}

// readRestrictions parses the restrictions of a request and returns the errors in them.
// Keyhole issues no link without a restriction that the request asks for.
func readRestrictions(req *IssueRequest) (restrictions, []FieldError) {
	var r restrictions
	var found []FieldError
	if req.MaxClicks != nil {
		found = append(found, checkMaxClicks(*req.MaxClicks)...)
	}
	found = append(found, checkPassphrase(req.Passphrase)...)
	switch {
	case req.Reveal != "" && req.Reveal != RevealAfter && req.Reveal != RevealBefore:
		found = append(found, FieldError{"reveal", "invalid", "must be after or before"})
	case req.Passphrase != nil:
		r.reveal = cmp.Or(req.Reveal, RevealAfter)
	case req.Reveal == RevealAfter:
		found = append(found, FieldError{
			"reveal", "conflict", "reveal is after, but the link has no passphrase: add a passphrase or remove reveal",
		})
	}
	allow, refused := readAllow(req.Allow)
	r.allow, found = allow, append(found, refused...)
	if req.NotBefore != nil {
		start, refused := readNotBefore(*req.NotBefore)
		r.notBefore, found = start, append(found, refused...)
	}
	return r, found
}

// checkPassphrase returns the error in a passphrase that no link can have; nil: no
// passphrase. The limit of the policy is checked by Policy.checkPassphrase.
func checkPassphrase(passphrase *string) []FieldError {
	if passphrase == nil || *passphrase != "" && len(*passphrase) <= maxPassphrase {
		return nil
	}
	return []FieldError{{"passphrase", "invalid", fmt.Sprintf("must have 1 to %d bytes", maxPassphrase)}}
}

// checkPassphrase returns the error in a passphrase that is shorter than the policy allows.
func (p *Policy) checkPassphrase(passphrase *string) []FieldError {
	if passphrase == nil || *passphrase == "" {
		return nil
	}
	if n := utf8.RuneCountInString(*passphrase); n < p.PassphraseMin {
		return []FieldError{{"passphrase", "too_short", fmt.Sprintf(
			"has %d characters; the policy requires at least %d", n, p.PassphraseMin)}}
	}
	return nil
}

// readAllow parses the addresses that may use a link; nil: every address.
func readAllow(texts []string) (allow []netip.Prefix, found []FieldError) {
	if texts != nil && len(texts) == 0 { // An empty list could mean no address or every address.
		return nil, []FieldError{{"allow", "empty", "the list is empty; omit it to allow every address"}}
	}
	if len(texts) > maxAllow {
		return nil, []FieldError{{"allow", "too_many", fmt.Sprintf(
			"the list has %d networks; the limit is %d", len(texts), maxAllow)}}
	}
	for _, text := range texts {
		prefix, err := ParsePrefix(text)
		if err != nil {
			found = append(found, FieldError{"allow", "invalid", fmt.Sprintf(
				"%.64q is not an address or a CIDR such as 192.0.2.0/24 or 2001:db8::/32", text)})
		} else if !slices.Contains(allow, prefix) {
			allow = append(allow, prefix)
		}
	}
	return allow, found
}

// readNotBefore parses the time at which a link begins to work.
func readNotBefore(text string) (time.Time, []FieldError) {
	start, err := time.Parse(time.RFC3339, text)
	if err != nil || start.Year() < 1970 || start.Year() > 9999 {
		return time.Time{}, []FieldError{{
			"not_before", "invalid", "must be a time such as 2026-11-25T08:00:00Z (RFC 3339)",
		}}
	}
	// The clock of Redis has milliseconds, so the start is rounded up.
	return start.Add(time.Millisecond - 1).Truncate(time.Millisecond).UTC(), nil
}

// ParsePrefix reads a CIDR, or an address as the prefix of that address only. It clears
// the bits after the prefix.
func ParsePrefix(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("not a CIDR or an address: %.64q", text)
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	if addr := prefix.Addr(); addr.Is4In6() { // ::ffff:192.0.2.0/120 is 192.0.2.0/24
		if prefix.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%.64q mixes IPv4 and IPv6", text)
		}
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), nil
}
