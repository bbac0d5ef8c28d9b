package gateway

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// The limits of failures within guessWindow, for each address.
const (
	guessWindow = time.Minute
	maxMisses   = 60
	// maxRefusals is for refusals of one link.
	maxRefusals = 60
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

// Each address has one cell in each row of cells, chosen by a hash that nobody
// outside can predict. An address is over its limit only if all its cells are full,
// so an address that shares one cell with a guesser is not. The memory does not grow
// with the number of addresses, and more guessers than cells close the door to others
// rather than open it.
const (
	guessRows  = 2
	guessCells = 1 << 16
)

// A cell counts failures in slots of time: the current slot and the guessSlots before
// it, which together cover any window that ends now. So no window of any position
// holds more than the limit; in return a failure is forgotten up to one slot late.
const (
	guessSlots = 6
	slotWidth  = guessWindow / guessSlots

	countBits  = 6 // one count, so limits are at most maxCount
	maxCount   = 1<<countBits - 1
	countsBits = (guessSlots + 1) * countBits
	countsMask = 1<<countsBits - 1
	slotMask   = 1<<(64-countsBits) - 1
)

// guessCell holds, from its lowest bits on, the counts of the current slot and of those
// before it, and above them the number of the current slot modulo slotMask+1. The
// number repeats after 485 days.
type guessCell uint64

// counted returns the failures of the slot that is so many before the current one.
func (c guessCell) counted(age int) uint64 { return uint64(c) >> (age * countBits) & maxCount }

// total returns the failures of all slots.
func (c guessCell) total() uint64 {
	var n uint64
	for age := range guessSlots + 1 {
		n += c.counted(age)
	}
	return n
}

// at returns the cell as it is in a slot: what has left the window is gone.
func (c guessCell) at(slot uint64) guessCell {
	passed := (slot - uint64(c)>>countsBits) & slotMask
	switch {
	case passed > slotMask-guessSlots:
		return c // another goroutine has counted in a later slot
	case passed > guessSlots:
		return guessCell(slot << countsBits)
	}
	return guessCell(slot<<countsBits | uint64(c)<<(passed*countBits)&countsMask)
}

// add counts a failure in the current slot. If the cell is full, the failure takes the
// place of the oldest one: a full cell always holds the latest failures.
func (c guessCell) add(limit uint64) guessCell {
	if c.total() >= limit {
		for age := guessSlots; age >= 0; age-- {
			if c.counted(age) > 0 {
				c -= 1 << (age * countBits)
				break
			}
		}
	}
	return c + 1
}

// wait returns how long it takes, counted from the begin of the current slot, until
// the cell has room for one failure.
func (c guessCell) wait(limit uint64) time.Duration {
	left := c.total()
	age := guessSlots
	for ; age > 0; age-- {
		if left -= c.counted(age); left < limit {
			break
		}
	}
	return time.Duration(guessSlots+1-age) * slotWidth
}

// Guesses limits failures by address: within any minute it counts at most so many of
// one address, however many happen at the same time. It is safe for concurrent use.
// Wait takes no lock and allocates nothing.
type Guesses struct {
	limit uint64
	now   func() time.Time
	// made is when time began here. Only durations since then are used, and time.Now
	// measures those by the monotonic clock: setting the wall clock changes nothing.
	made  time.Time
	seed  maphash.Seed
	cells [guessRows][guessCells]atomic.Uint64 // of guessCell

	mu sync.Mutex // held to change cells: an address has several
}

// NewGuesses returns Guesses with a limit from 1 to 63 failures within a minute.
func NewGuesses(limit int, now func() time.Time) *Guesses {
	if limit < 1 || limit > maxCount {
		panic("gateway: a limit of failures that a cell cannot count")
	}
	return &Guesses{limit: uint64(limit), now: now, made: now(), seed: maphash.MakeSeed()}
}

// subject is what failures are counted of: an address, or an address and a link.
type subject [32]byte

// addressOf returns an address as a subject.
func addressOf(addr netip.Addr) (s subject) {
	raw := netOf(addr).As16()
	copy(s[:], raw[:])
	return s
}

// The refusals of a link and an address that are counted apart. A HEAD leaves no event,
// and must not use up the events of others; wrong passphrases must be seen whatever
// else was refused.
type refusalClass byte

const (
	refusalOfRequest refusalClass = iota
	refusalOfHead
	refusalOfPassphrase
)

// linkAndAddress returns a link together with an address, and a class, as a subject.
func linkAndAddress(id ID, addr netip.Addr, class refusalClass) subject {
	s := addressOf(addr)
	copy(s[len(s)/2:], id[:])
	s[0] ^= byte(class)
	return s
}

// cellsOf returns the cell of a subject in each row.
func (g *Guesses) cellsOf(s subject) (cells [guessRows]*atomic.Uint64) {
	hash := maphash.Bytes(g.seed, s[:])
	for row := range cells {
		cells[row] = &g.cells[row][hash%guessCells]
		hash /= guessCells
	}
	return cells
}

// slot returns the number of the current slot, and how long ago it began.
func (g *Guesses) slot() (uint64, time.Duration) {
	elapsed := max(g.now().Sub(g.made), 0)
	return uint64(elapsed / slotWidth), elapsed % slotWidth
}

// Wait returns how long an address must wait because it has reached the limit, 0 if it
// has not.
func (g *Guesses) Wait(addr netip.Addr) time.Duration {
	cells := g.cellsOf(addressOf(addr))
	for _, cell := range cells {
		if guessCell(cell.Load()).total() < g.limit {
			return 0 // Whatever the time is.
		}
	}
	slot, since := g.slot()
	return g.waitAt(&cells, slot, since)
}

// waitAt is Wait at a time since the begin of a slot.
func (g *Guesses) waitAt(cells *[guessRows]*atomic.Uint64, slot uint64, since time.Duration) time.Duration {
	wait := guessWindow + slotWidth
	for _, cell := range cells {
		c := guessCell(cell.Load()).at(slot)
		if c.total() < g.limit {
			return 0
		}
		wait = min(wait, c.wait(g.limit)-since)
	}
	return wait
}

// Failed counts one failure of an address and returns 0. If the address has reached
// the limit, Failed counts nothing and returns how long it must wait. The caller
// answers with the failure only if that is 0: then no more than the limit are
// answered, even if all of them happen at the same time.
func (g *Guesses) Failed(addr netip.Addr) time.Duration { return g.failed(addressOf(addr)) }

// failed is Failed for any subject.
func (g *Guesses) failed(s subject) time.Duration {
	cells := g.cellsOf(s)
	g.mu.Lock()
	defer g.mu.Unlock()
	slot, since := g.slot()
	if wait := g.waitAt(&cells, slot, since); wait > 0 {
		return wait
	}
	for _, cell := range cells {
		cell.Store(uint64(guessCell(cell.Load()).at(slot).add(g.limit)))
	}
	return 0
}
