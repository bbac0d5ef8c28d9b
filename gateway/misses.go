package gateway

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
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

// Guesses counts failures by address. It is safe for concurrent use, and who is not
// held back passes it without a lock.
type Guesses struct {
	most  uint64
	now   func() time.Time
	seed  maphash.Seed
	cells [guessRows][guessCells]atomic.Uint64 // of guessCell
}

// guessCell counts the failures of a minute that began with the first of them:
// that time in Unix milliseconds, and behind it 8 bits of count.
type guessCell uint64

func (c guessCell) count() uint64        { return uint64(c) & 0xff }
func (c guessCell) began() time.Time     { return time.UnixMilli(int64(c >> 8)) }
func newGuessCell(t time.Time) guessCell { return guessCell(t.UnixMilli()) << 8 }

// NewGuesses returns Guesses that hold an address back after so many failures, 255
// at most, within a minute, for what is left of it.
func NewGuesses(most int, now func() time.Time) *Guesses {
	return &Guesses{most: uint64(most), now: now, seed: maphash.MakeSeed()} //nolint:gosec // A small constant.
}

// cellsOf returns the cell of an address in each row.
func (g *Guesses) cellsOf(addr netip.Addr) (cells [guessRows]*atomic.Uint64) {
	raw := netOf(addr).As16()
	hash := maphash.Bytes(g.seed, raw[:])
	for row := range cells {
		cells[row] = &g.cells[row][hash%guessCells]
		hash /= guessCells
	}
	return cells
}

// Wait returns how long an address is held back, 0 where it is not.
func (g *Guesses) Wait(addr netip.Addr) time.Duration {
	wait := guessWindow
	for _, cell := range g.cellsOf(addr) {
		c := guessCell(cell.Load())
		if c.count() < g.most {
			return 0
		}
		wait = min(wait, guessWindow-g.now().Sub(c.began()))
	}
	return max(wait, 0)
}

// Failed counts one failure of an address.
func (g *Guesses) Failed(addr netip.Addr) {
	now := g.now()
	for _, cell := range g.cellsOf(addr) {
		for {
			before := cell.Load()
			c := guessCell(before)
			if c.count() == 0 || now.Sub(c.began()) >= guessWindow {
				c = newGuessCell(now)
			}
			if c.count() < g.most {
				c++
			}
			if cell.CompareAndSwap(before, uint64(c)) {
				break
			}
		}
	}
}
