package gateway

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

func TestFailureLimiter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	g := NewFailureLimiter(3, func() time.Time { return now })
	guesser := netip.MustParseAddr("192.0.2.1")
	for range 3 {
		if wait := g.Wait(guesser); wait != 0 {
			t.Fatalf("held back for %v too early", wait)
		}
		if wait := g.Failed(guesser); wait != 0 {
			t.Fatalf("a failure within the limit is refused for %v", wait)
		}
		now = now.Add(10 * time.Second)
	}
	// The failure at 0 s is forgotten at the end of its slot and a minute: at 70 s.
	if wait := g.Wait(guesser); wait != 40*time.Second {
		t.Errorf("held back for %v, want 40s", wait)
	}
	if wait := g.Failed(guesser); wait != 40*time.Second {
		t.Errorf("a failure over the limit is refused for %v, want 40s", wait)
	}
	if wait := g.Wait(netip.MustParseAddr("::ffff:192.0.2.1")); wait == 0 {
		t.Error("the same address in IPv6 is not held back")
	}
	if wait := g.Wait(netip.MustParseAddr("192.0.2.2")); wait != 0 {
		t.Errorf("another address is held back for %v", wait)
	}
	now = now.Add(40*time.Second - 1)
	if wait := g.Wait(guesser); wait != 1 {
		t.Errorf("a nanosecond before the end: held back for %v", wait)
	}
	now = now.Add(1)
	if wait := g.Failed(guesser); wait != 0 {
		t.Errorf("held back for %v after what was said", wait)
	}
	// The window slides: the failures at 10 s and 20 s count still.
	if wait := g.Wait(guesser); wait != 10*time.Second {
		t.Errorf("held back for %v, want 10s until the next is forgotten", wait)
	}
	now = now.Add(2 * time.Minute)
	g.Failed(guesser)
	if wait := g.Wait(guesser); wait != 0 {
		t.Errorf("one failure after two quiet minutes holds back for %v", wait)
	}
}

// TestFailuresInAnyMinute lets addresses fail in bursts and at random for an hour, two
// of them at a time so that cells are shared, and slides a window of a minute over the
// failures that were counted.
func TestFailuresInAnyMinute(t *testing.T) {
	t.Parallel()
	const limit = 60
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	begun := now
	g := NewFailureLimiter(limit, func() time.Time { return now })
	// other fills one cell of guesser's at times.
	guesser, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	shared := g.cellsOf(addressSubject(guesser))[0]
	counted := map[netip.Addr][]time.Time{}
	for now.Sub(begun) < time.Hour {
		switch random.IntN(20) {
		case 0:
			now = now.Add(time.Duration(random.Int64N(int64(90 * time.Second))))
		case 1: // the end of a minute
			now = now.Truncate(time.Minute).Add(time.Minute - time.Millisecond)
		default:
			now = now.Add(time.Duration(random.Int64N(int64(time.Second))))
		}
		for range random.IntN(80) {
			addr := guesser
			if random.IntN(4) == 0 {
				addr = other
			}
			if g.Failed(addr) == 0 {
				counted[addr] = append(counted[addr], now)
			}
			if addr == other { // as if it were other's cell too
				slot, _ := g.slot()
				shared.Store(uint64(failureCell(shared.Load()).at(slot).add(limit)))
			}
		}
	}
	for addr, times := range counted {
		if len(times) < 1000 {
			t.Errorf("%v: only %d failures were counted in an hour", addr, len(times))
		}
		for i := limit; i < len(times); i++ {
			if apart := times[i].Sub(times[i-limit]); apart < time.Minute {
				t.Fatalf("%v: %d failures were counted within %v", addr, limit+1, apart)
			}
		}
	}
}

// TestFailuresAtOnce lets many goroutines fail from one address.
func TestFailuresAtOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	g := NewFailureLimiter(MaxKeyFailures, func() time.Time { return now })
	var counted atomic.Int64
	var running sync.WaitGroup
	for range 50 {
		running.Go(func() {
			for range 100 {
				if g.Failed(netip.MustParseAddr("192.0.2.1")) == 0 {
					counted.Add(1)
				}
			}
		})
	}
	running.Wait()
	if n := counted.Load(); n != MaxKeyFailures {
		t.Errorf("counted %d failures, want %d", n, MaxKeyFailures)
	}
}

// stepped returns t as the clock tells it after the wall clock was set by so many
// seconds: the monotonic reading, which is what durations are measured by, stays.
func stepped(t time.Time, seconds int64) time.Time {
	const nanoseconds = 30 // bits below the seconds of time.Time.wall
	fields := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t)) //nolint:gosec // There is no other way to make such a time.
	fields.wall += uint64(seconds) << nanoseconds //nolint:gosec // Two's complement subtracts.
	return t
}

// TestFailuresIgnoreTheWallClock sets the wall clock while an address is held back.
func TestFailuresIgnoreTheWallClock(t *testing.T) {
	t.Parallel()
	for _, seconds := range []int64{-3600, 3600} {
		now := time.Now()
		if moved := stepped(now, seconds); moved.Sub(now) != 0 || moved.Unix()-now.Unix() != seconds {
			t.Fatalf("%v became %v", now, moved)
		}
		var step int64
		g := NewFailureLimiter(1, func() time.Time { return stepped(now, step) })
		guesser := netip.MustParseAddr("192.0.2.1")
		g.Failed(guesser)
		step = seconds
		if wait := g.Wait(guesser); wait != failureWindow+slotWidth {
			t.Errorf("%d s: held back for %v, want as before", seconds, wait)
		}
		now = now.Add(failureWindow + slotWidth)
		if wait := g.Wait(guesser); wait != 0 {
			t.Errorf("%d s: held back for %v after the window", seconds, wait)
		}
	}
}

// TestGuessCellLivesLong counts in cells that nobody has used for long, up to where the
// number of the slot begins anew.
func TestGuessCellLivesLong(t *testing.T) {
	t.Parallel()
	now := time.Now()
	g := NewFailureLimiter(1, func() time.Time { return now })
	guesser := netip.MustParseAddr("192.0.2.1")
	for _, quiet := range []time.Duration{
		slotMask / 2 * slotWidth, slotMask/2*slotWidth + slotWidth, (slotMask - windowSlots) * slotWidth,
	} {
		if wait := g.Failed(guesser); wait != 0 {
			t.Errorf("held back for %v", wait)
		}
		now = now.Add(quiet)
		if wait := g.Wait(guesser); wait != 0 {
			t.Errorf("after %v: held back for %v", quiet, wait)
		}
	}
}

func TestFailuresAllocateNothing(t *testing.T) {
	g := NewFailureLimiter(maxMisses, time.Now)
	addr := netip.MustParseAddr("2001:db8::1")
	if n := testing.AllocsPerRun(100, func() { g.Wait(addr); g.Failed(addr) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFailuresOfOneNetwork(t *testing.T) {
	t.Parallel()
	now := time.Now()
	g := NewFailureLimiter(3, func() time.Time { return now })
	for _, address := range []string{"2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::"} {
		g.Failed(netip.MustParseAddr(address))
	}
	for address, held := range map[string]bool{
		"2001:db8:1:2::9": true, "2001:db8:1:3::1": false, "2001:db8:1:2::1%eth0": true,
	} {
		if wait := g.Wait(netip.MustParseAddr(address)); (wait > 0) != held {
			t.Errorf("%s is held back for %v", address, wait)
		}
	}
}

// TestFailuresShareCells lets very many addresses guess: all of them are held back,
// and hardly anybody else is.
func TestFailuresShareCells(t *testing.T) {
	now := time.Now()
	g := NewFailureLimiter(3, func() time.Time { return now })
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

// together makes n clicks of which none is answered by the store before all of them
// have asked it, and counts their outcomes.
func together(t *testing.T, f *fixture, client netip.Addr, n int) map[Outcome]int {
	t.Helper()
	var asked, answered sync.WaitGroup
	asked.Add(n)
	f.clicks.wait = func() {
		asked.Done()
		asked.Wait()
	}
	var mu sync.Mutex
	outcomes := map[Outcome]int{}
	for range n {
		answered.Go(func() {
			answer, err := f.service.Click(t.Context(), Attempt{Method: http.MethodGet, Client: client})
			mu.Lock()
			defer mu.Unlock()
			outcomes[answer.Outcome]++
			if err != nil || (answer.Outcome == OutcomeRateLimited) != (answer.Wait > 0) {
				t.Errorf("%s, wait %v, %v", answer.Outcome, answer.Wait, err)
			}
		})
	}
	answered.Wait()
	f.clicks.wait = nil
	return outcomes
}

// TestMissesAtOnce lets one address guess 800 tokens at the same time: the limit of a
// minute holds for them as for guesses one after the other.
func TestMissesAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.clicks.admission = Admission{Outcome: OutcomeNotFound}
	got := together(t, f, netip.MustParseAddr("192.0.2.1"), 800)
	if want := (map[Outcome]int{OutcomeNotFound: 60, OutcomeRateLimited: 740}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := f.series(t)["keyhole_misses_total{}"]; n != 800 {
		t.Errorf("counted %v misses, want 800", n)
	}
}

// TestClicksAtOnce lets many people behind one address open links at the same time,
// after almost as many misses as the limit allows: none of them is refused.
func TestClicksAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	office := netip.MustParseAddr("192.0.2.1")
	f.clicks.admission = Admission{Outcome: OutcomeNotFound}
	together(t, f, office, maxMisses-1)
	f.clicks.admission = admitted(Permission{})
	got := together(t, f, office, 1000)
	if want := (map[Outcome]int{OutcomeRedirected: 1000}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	f.clicks.admission = Admission{Outcome: OutcomeNotFound}
	if got := together(t, f, office, 1); got[OutcomeNotFound] != 1 {
		t.Errorf("clicks were counted as misses: then %v", got)
	}
}
