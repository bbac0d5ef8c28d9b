// Package audit says how much of a client's address is kept with an event.
package audit

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

// Privacy is how client addresses are written into events and logs.
type Privacy string

// The ways of audit.client_address.
const (
	PrivacyFull      Privacy = "full"
	PrivacyTruncated Privacy = "truncated" // /24 of IPv4, /48 of IPv6
	PrivacyHashed    Privacy = "hashed"    // HMAC under a key that changes daily
	PrivacyOff       Privacy = "off"
)

// ParsePrivacy reads a Privacy.
func ParsePrivacy(s string) (Privacy, error) {
	switch p := Privacy(s); p {
	case PrivacyFull, PrivacyTruncated, PrivacyHashed, PrivacyOff:
		return p, nil
	}
	return "", fmt.Errorf("client addresses can be kept full, truncated, hashed or off, not %q", s)
}

// DailyKeys keeps one key for each day, the same for every gateway, and forgets it
// some time after its day: then nobody can try addresses on what it has hashed.
type DailyKeys interface {
	// DailyKey returns the key of a day, written 2006-01-02, and draws it where
	// there is none.
	DailyKey(ctx context.Context, day string) ([]byte, error)
}

// Keeper writes addresses as far as they may be kept. It is safe for concurrent
// use.
type Keeper struct {
	privacy Privacy
	keys    DailyKeys
	now     func() time.Time

	mu    sync.RWMutex
	known map[string][]byte // by day
}

// NewKeeper returns a Keeper. keys is asked only for PrivacyHashed.
func NewKeeper(p Privacy, keys DailyKeys, now func() time.Time) *Keeper {
	return &Keeper{privacy: p, keys: keys, now: now, known: map[string][]byte{}}
}

// hashLength is how much of the HMAC is kept, in bytes.
const hashLength = 8

// Address writes addr as far as it may be kept; empty where it may not, is
// unknown, or cannot be hashed because no key of the day could be had. Zones are
// dropped: they mean something on this machine alone, and are free text.
func (k *Keeper) Address(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return ""
	}
	switch k.privacy {
	case PrivacyFull:
		return addr.String()
	case PrivacyTruncated:
		bits := 48
		if addr.Is4() {
			bits = 24
		}
		return netip.PrefixFrom(addr, bits).Masked().String()
	case PrivacyHashed:
		k.mu.RLock()
		key := k.known[dayOf(k.now())]
		k.mu.RUnlock()
		if key == nil {
			return ""
		}
		h := hmac.New(sha256.New, key)
		h.Write(addr.AsSlice())
		return "hash:" + hex.EncodeToString(h.Sum(nil)[:hashLength])
	default:
		return ""
	}
}

// Refresh asks for the keys of today and tomorrow, where they are needed and not
// known. It is to be called every few seconds: no click waits for a key.
func (k *Keeper) Refresh(ctx context.Context) error {
	if k.privacy != PrivacyHashed {
		return nil
	}
	now := k.now()
	known := map[string][]byte{}
	var failed error
	for _, day := range []string{dayOf(now), dayOf(now.Add(24 * time.Hour))} {
		k.mu.RLock()
		key := k.known[day]
		k.mu.RUnlock()
		if key == nil {
			var err error
			if key, err = k.keys.DailyKey(ctx, day); err != nil {
				failed = errors.Join(failed, fmt.Errorf("key to hash addresses: %w", err))
				continue
			}
		}
		known[day] = key
	}
	k.mu.Lock()
	k.known = known
	k.mu.Unlock()
	return failed
}

// dayOf names a day, of UTC wherever a gateway is.
func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }
