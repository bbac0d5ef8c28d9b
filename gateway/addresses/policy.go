package addresses

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Mode says how much of an address is recorded.
type Mode string

// The values of audit.client_address in the configuration.
const (
	ModeFull      Mode = "full"      // the whole address
	ModeTruncated Mode = "truncated" // /24 of IPv4, /48 of IPv6
	ModeHashed    Mode = "hashed"    // HMAC under a key that changes daily
	ModeOff       Mode = "off"       // nothing
)

// ParseMode reads a Mode as the configuration spells it.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case ModeFull, ModeTruncated, ModeHashed, ModeOff:
		return m, nil
	}
	return "", fmt.Errorf("client addresses can be recorded full, truncated, hashed or off, not %q", s)
}

// DailyKeys stores one key for each day. All gateways share the keys. The store deletes a
// key some time after its day: from then on nobody can find an address by hashing
// candidates.
type DailyKeys interface {
	// DailyKey returns the key of a day, written 2006-01-02. It creates the key if the
	// day has none yet.
	DailyKey(ctx context.Context, day string) ([]byte, error)
}

// Policy formats addresses for events and logs. It is safe for concurrent use.
type Policy struct {
	mode   Mode
	source DailyKeys
	now    func() time.Time

	mu    sync.RWMutex
	daily map[string][]byte // today's and tomorrow's key, by day
}

// NewPolicy returns a Policy. It uses source only for ModeHashed; source may be nil for the
// other modes.
func NewPolicy(m Mode, source DailyKeys, now func() time.Time) *Policy {
	return &Policy{mode: m, source: source, now: now, daily: map[string][]byte{}}
}

// hashLength is the length of a recorded HMAC in bytes.
const hashLength = 8

// Format returns the part of addr that may be recorded. It returns "" if the policy
// records nothing, if addr is not valid, or if ModeHashed has no key for today. Format
// drops zones: they have a meaning on this machine only, and clients can write any text
// there.
func (p *Policy) Format(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return ""
	}
	switch p.mode {
	case ModeFull:
		return addr.String()
	case ModeTruncated:
		return truncate(addr)
	case ModeHashed:
		key := p.dailyKey(dayOf(p.now()))
		if key == nil {
			return ""
		}
		return hash(key, addr)
	default:
		return ""
	}
}

// truncate returns the network of an address that ModeTruncated records.
func truncate(addr netip.Addr) string {
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(addr, bits).Masked().String()
}

// hash returns the form of an address that ModeHashed records.
func hash(key []byte, addr netip.Addr) string {
	h := hmac.New(sha256.New, key)
	h.Write(addr.AsSlice())
	return "hash:" + hex.EncodeToString(h.Sum(nil)[:hashLength])
}

// Forms returns every form in which events may hold an address: the mode may have been
// another one when they were recorded. keys are the daily keys that still exist.
func Forms(addr netip.Addr, keys [][]byte) []string {
	addr = addr.Unmap().WithZone("")
	forms := []string{addr.String(), truncate(addr)}
	for _, key := range keys {
		forms = append(forms, hash(key, addr))
	}
	return forms
}

// KeyDays returns the days whose keys can still exist at a time. The store keeps the key
// of a day for about two days, and draws it up to one day ahead.
func KeyDays(now time.Time) []string {
	var days []string
	for ago := -1; ago <= 3; ago++ {
		days = append(days, dayOf(now.Add(-time.Duration(ago)*24*time.Hour)))
	}
	return days
}

// dailyKey returns the key of a day, or nil if Refresh has not fetched it.
func (p *Policy) dailyKey(day string) []byte {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.daily[day]
}

// Refresh fetches the keys of today and tomorrow if the policy needs them and does not
// have them yet. Call it every few seconds: Format never waits for a key.
func (p *Policy) Refresh(ctx context.Context) error {
	if p.mode != ModeHashed {
		return nil
	}
	now := p.now()
	daily := map[string][]byte{}
	var failed error
	for _, day := range []string{dayOf(now), dayOf(now.Add(24 * time.Hour))} {
		key := p.dailyKey(day)
		if key == nil {
			var err error
			if key, err = p.source.DailyKey(ctx, day); err != nil {
				failed = errors.Join(failed, fmt.Errorf("fetch the key for hashing addresses: %w", err))
				continue
			}
		}
		daily[day] = key
	}
	p.mu.Lock()
	p.daily = daily
	p.mu.Unlock()
	return failed
}

// dayOf returns the UTC day of t, the same on every gateway.
func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }
