package gateway

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// The limits of failures within failureWindow, for each client network.
const (
	failureWindow = time.Minute
	// maxMisses limits tokens of links that do not exist.
	maxMisses = 60
	// maxRefusals limits the recorded refusals of one link.
	maxRefusals = 60
	// MaxKeyFailures limits the wrong operator keys that one client network may present
	// within a minute.
	MaxKeyFailures = 30
)

// clientNetwork returns the network that counts as one client: an IPv4 address, or the
// /64 of an IPv6 address, because providers give each customer a /64. It drops the zone.
func clientNetwork(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		return netip.PrefixFrom(addr, 64).Masked().Addr()
	}
	return addr
}

// Each subject has one cell in each row of cells. A hash with a secret seed chooses
// the cells. A subject is over its limit only if all its cells are full, so a subject
// that shares one cell with an attacker is not limited. The memory does not grow with
// the number of subjects. If there are more attackers than cells, the limiter refuses
// other clients too; it does not admit attackers.
const (
	limiterRows  = 2
	limiterCells = 1 << 16
)

// A cell counts failures in time slots: the current slot and the windowSlots before
// it. Together they cover every window that ends now, so no window holds more
// failures than the limit. In return the limiter forgets a failure up to one slot late.
const (
	windowSlots = 6
	slotWidth   = failureWindow / windowSlots

	countBits  = 6 // of one slot's count, so a limit is at most maxCount
	maxCount   = 1<<countBits - 1
	countsBits = (windowSlots + 1) * countBits
	countsMask = 1<<countsBits - 1
	slotMask   = 1<<(64-countsBits) - 1
)

// failureCell holds the counts of the current slot (lowest bits) and of the slots
// before it. The bits above the counts hold the number of the current slot modulo
// slotMask+1. That number repeats after 485 days.
type failureCell uint64

// counted returns the failures of the slot that is age slots before the current one.
func (c failureCell) counted(age int) uint64 { return uint64(c) >> (age * countBits) & maxCount }

// total returns the failures of all slots.
func (c failureCell) total() uint64 {
	var n uint64
	for age := range windowSlots + 1 {
		n += c.counted(age)
	}
	return n
}

// at returns the cell as it is in a later slot, without the failures that have left
// the window.
func (c failureCell) at(slot uint64) failureCell {
	passed := (slot - uint64(c)>>countsBits) & slotMask
	switch {
	case passed > slotMask-windowSlots:
		return c // another goroutine has counted in a later slot
	case passed > windowSlots:
		return failureCell(slot << countsBits)
	}
	return failureCell(slot<<countsBits | uint64(c)<<(passed*countBits)&countsMask)
}

// add counts a failure in the current slot. In a full cell the failure replaces the
// oldest one, so that a full cell always holds the latest failures.
func (c failureCell) add(limit uint64) failureCell {
	if c.total() >= limit {
		for age := windowSlots; age >= 0; age-- {
			if c.counted(age) > 0 {
				c -= 1 << (age * countBits)
				break
			}
		}
	}
	return c + 1
}

// wait returns the time from the start of the current slot until the cell has room
// for one failure.
func (c failureCell) wait(limit uint64) time.Duration {
	left := c.total()
	age := windowSlots
	for ; age > 0; age-- {
		if left -= c.counted(age); left < limit {
			break
		}
	}
	return time.Duration(windowSlots+1-age) * slotWidth
}

// FailureLimiter limits failures by client network: it counts at most limit failures of
// one network within any minute, even if more happen at the same time. It is safe for
// concurrent use. Wait takes no lock and allocates nothing.
type FailureLimiter struct {
	limit uint64
	now   func() time.Time
	// start is the beginning of the first slot. The limiter uses only durations since
	// start. time.Now measures durations by the monotonic clock, so a change of the wall
	// clock has no effect.
	start time.Time
	seed  maphash.Seed
	cells [limiterRows][limiterCells]atomic.Uint64 // of failureCell

	mu sync.Mutex // held while cells change, because each subject has several cells
}

// NewFailureLimiter returns a FailureLimiter with a limit of 1 to 63 failures within a minute. It
// panics if the limit is outside that range.
func NewFailureLimiter(limit int, now func() time.Time) *FailureLimiter {
	if limit < 1 || limit > maxCount {
		panic("gateway: the limit of failures must be 1 to 63")
	}
	return &FailureLimiter{limit: uint64(limit), now: now, start: now(), seed: maphash.MakeSeed()}
}

// subject identifies a counter of failures: of a client network, or of a link and a
// client network.
type subject [32]byte

// addressSubject returns the subject for a client address.
func addressSubject(addr netip.Addr) (s subject) {
	raw := clientNetwork(addr).As16()
	copy(s[:], raw[:])
	return s
}

// refusalClass separates the refusals of one link and client network. A HEAD leaves no
// event, so HEADs must not use up the events of other requests. Wrong passphrases have
// their own class, so that other refusals cannot keep them out of the audit.
type refusalClass byte

const (
	refusalOfRequest refusalClass = iota
	refusalOfHead
	refusalOfPassphrase
)

// linkSubject returns the subject for a link, a client address and a class.
func linkSubject(id ID, addr netip.Addr, class refusalClass) subject {
	s := addressSubject(addr)
	copy(s[len(s)/2:], id[:])
	s[0] ^= byte(class)
	return s
}

// cellsOf returns the cell of a subject in each row.
func (g *FailureLimiter) cellsOf(s subject) (cells [limiterRows]*atomic.Uint64) {
	hash := maphash.Bytes(g.seed, s[:])
	for row := range cells {
		cells[row] = &g.cells[row][hash%limiterCells]
		hash /= limiterCells
	}
	return cells
}

// slot returns the number of the current slot and the time since its start.
func (g *FailureLimiter) slot() (uint64, time.Duration) {
	elapsed := max(g.now().Sub(g.start), 0)
	return uint64(elapsed / slotWidth), elapsed % slotWidth
}

// Wait returns the time until the network of an address is below the limit again, and 0
// if the network is below the limit now.
func (g *FailureLimiter) Wait(addr netip.Addr) time.Duration {
	cells := g.cellsOf(addressSubject(addr))
	for _, cell := range cells {
		if failureCell(cell.Load()).total() < g.limit {
			return 0 // Time only lowers the total.
		}
	}
	slot, since := g.slot()
	return g.waitAt(&cells, slot, since)
}

// waitAt is Wait at the time since the start of a slot.
func (g *FailureLimiter) waitAt(cells *[limiterRows]*atomic.Uint64, slot uint64, since time.Duration) time.Duration {
	wait := failureWindow + slotWidth
	for _, cell := range cells {
		c := failureCell(cell.Load()).at(slot)
		if c.total() < g.limit {
			return 0
		}
		wait = min(wait, c.wait(g.limit)-since)
	}
	return wait
}

// Failed counts one failure of an address and returns 0. If the network of the address
// has reached the limit, Failed counts nothing and returns the time to wait. Report a
// failure to the client only if Failed returns 0. Then clients learn of no more failures
// than the limit, even if all happen at the same time.
func (g *FailureLimiter) Failed(addr netip.Addr) time.Duration { return g.failed(addressSubject(addr)) }

// failed is Failed for any subject.
func (g *FailureLimiter) failed(s subject) time.Duration {
	cells := g.cellsOf(s)
	g.mu.Lock()
	defer g.mu.Unlock()
	slot, since := g.slot()
	if wait := g.waitAt(&cells, slot, since); wait > 0 {
		return wait
	}
	for _, cell := range cells {
		cell.Store(uint64(failureCell(cell.Load()).at(slot).add(g.limit)))
	}
	return 0
}
