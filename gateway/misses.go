package gateway

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Guessing is held to so many failures a minute from one address.
const (
	guessWindow = time.Minute
	maxMisses   = 60
	// MaxKeyFailures is for operator keys.
	MaxKeyFailures = 30
)

// netOf returns what counts as one address: an IPv4 address, and of IPv6 the /64
// that is one customer's. Zones mean nothing here.
func netOf(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		return netip.PrefixFrom(addr, 64).Masked().Addr()
	}
	return addr
}

// The failures are counted in rows of cells, an address in one cell of each row by
// a hash that nobody outside can foresee. It is held back when all its cells are
// full, so that one that shares a cell with a guesser is not. The memory is this
// much however many addresses guess, and more guessers than cells close the door
// to others rather than open it.
const (
	guessRows  = 2
	guessCells = 1 << 16
)

// Guesses counts failures by address. It is safe for concurrent use.
type Guesses struct {
	most int32
	now  func() time.Time
	seed [guessRows]maphash.Seed

	mu    sync.Mutex
	cells [guessRows][guessCells]guessCell
}

// guessCell counts the failures of a minute that began with the first of them.
type guessCell struct {
	began int64 // nanoseconds
	count int32
}

// NewGuesses returns Guesses that hold an address back after so many failures
// within a minute, for what is left of it.
func NewGuesses(most int, now func() time.Time) *Guesses {
	g := &Guesses{most: int32(most), now: now} //nolint:gosec // A small constant.
	for row := range g.seed {
		g.seed[row] = maphash.MakeSeed()
	}
	return g
}

// cell returns the cell of an address in a row. The caller holds mu.
func (g *Guesses) cell(row int, addr netip.Addr) *guessCell {
	raw := addr.As16()
	return &g.cells[row][maphash.Bytes(g.seed[row], raw[:])%guessCells]
}

// Wait returns how long an address is held back, 0 where it is not.
func (g *Guesses) Wait(addr netip.Addr) time.Duration {
	addr = netOf(addr)
	now := g.now().UnixNano()
	g.mu.Lock()
	defer g.mu.Unlock()
	wait := guessWindow
	for row := range g.cells {
		c := g.cell(row, addr)
		if c.count < g.most {
			return 0
		}
		wait = min(wait, guessWindow-time.Duration(now-c.began))
	}
	return max(wait, 0)
}

// Failed counts one failure of an address.
func (g *Guesses) Failed(addr netip.Addr) {
	addr = netOf(addr)
	now := g.now().UnixNano()
	g.mu.Lock()
	defer g.mu.Unlock()
	for row := range g.cells {
		c := g.cell(row, addr)
		if c.count == 0 || now-c.began >= int64(guessWindow) {
			*c = guessCell{began: now}
		}
		if c.count < g.most {
			c.count++
		}
	}
}
