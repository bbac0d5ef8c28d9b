package gateway

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func TestGuesses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	g := NewGuesses(3, func() time.Time { return now })
	guesser := netip.MustParseAddr("192.0.2.1")
	for range 3 {
		if wait := g.Wait(guesser); wait != 0 {
			t.Fatalf("held back for %v too early", wait)
		}
		g.Failed(guesser)
		now = now.Add(10 * time.Second)
	}
	if wait := g.Wait(guesser); wait != 30*time.Second {
		t.Errorf("held back for %v, want what is left of the minute since the first failure", wait)
	}
	if wait := g.Wait(netip.MustParseAddr("::ffff:192.0.2.1")); wait == 0 {
		t.Error("the same address in IPv6 is not held back")
	}
	if wait := g.Wait(netip.MustParseAddr("192.0.2.2")); wait != 0 {
		t.Errorf("another address is held back for %v", wait)
	}
	now = now.Add(30 * time.Second)
	if wait := g.Wait(guesser); wait != 0 {
		t.Errorf("held back for %v after the minute", wait)
	}
	g.Failed(guesser)
	if wait := g.Wait(guesser); wait != 0 {
		t.Errorf("one failure in the next minute holds back for %v", wait)
	}
}

func TestGuessesOfOneNetwork(t *testing.T) {
	t.Parallel()
	now := time.Now()
	g := NewGuesses(3, func() time.Time { return now })
	for _, address := range []string{"2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::"} {
		g.Failed(netip.MustParseAddr(address))
	}
	for address, held := range map[string]bool{"2001:db8:1:2::9": true, "2001:db8:1:3::1": false, "2001:db8:1:2::1%eth0": true} {
		if wait := g.Wait(netip.MustParseAddr(address)); (wait > 0) != held {
			t.Errorf("%s is held back for %v", address, wait)
		}
	}
}

// TestGuessesShareCells lets very many addresses guess: all of them are held back,
// and hardly anybody else is.
func TestGuessesShareCells(t *testing.T) {
	now := time.Now()
	g := NewGuesses(3, func() time.Time { return now })
	address := func(i uint32) netip.Addr {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, i)))
	}
	const guessers = 4000
	for i := range uint32(guessers) {
		for range 3 {
			g.Failed(address(1000 + i))
		}
		if g.Wait(address(1000+i)) == 0 {
			t.Fatalf("guesser %d is not held back", i)
		}
	}
	innocent := 0
	for i := range uint32(10_000) {
		if g.Wait(address(1<<24+i)) > 0 {
			innocent++
		}
	}
	if innocent > 100 { // (4000/65536)² of them is 37
		t.Errorf("%d of 10,000 others are held back", innocent)
	}
}
