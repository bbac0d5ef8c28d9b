package redisstore

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// busyFeed returns a feed with the oldest event first that has examined events of n
// streams within spread, in order of time. Sequence numbers go up to most.
func busyFeed(random *rand.Rand, n int, spread time.Duration, most int64) *feed {
	f := &feed{query: &gateway.AuditQuery{Oldest: true}, floor: record.NoPlace, tie: streams}
	const start = 1_800_000_000_000
	for _, i := range random.Perm(streams)[:n] {
		place := record.Place(start+random.Int64N(spread.Milliseconds()+1), random.Int64N(most+1))
		f.places[i] = place
		if position := positionOf(place, i); position > f.last {
			f.last = position
		}
	}
	return f
}

// TestOldestPosition packs the places of many streams. Each stream continues at its own
// place, or, if the position has no room for it, at a floor that is not before its place
// and not after the last examined event.
func TestOldestPosition(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		n      int
		spread time.Duration
		most   int64
		exact  int // at least this many places are exact
	}{
		{0, 0, 0, 0},
		{1, 0, 0, 1},
		{streams, 0, 0, streams},
		{streams, 2 * time.Second, 0, streams},
		{streams, 2 * time.Second, 3, 120},
		{streams, time.Minute, 0, 140},
		{streams, 30 * 24 * time.Hour, 0, 70},
		{30, 365 * 24 * time.Hour, 100, 30},
		{streams, time.Hour, math.MaxUint32, 20},
	} {
		for range 50 {
			f := busyFeed(random, tt.n, tt.spread, tt.most)
			position := f.position()
			if len(position) > maxOldest {
				t.Fatalf("%+v: a position of %d bytes", tt, len(position))
			}
			again, err := newFeed(f.query, position, 0)
			if err != nil {
				t.Fatalf("%+v: %v", tt, err)
			}
			exact := 0
			for i, place := range f.places {
				switch {
				case again.places[i] == place && place != "":
					exact++
				case place > again.floor:
					t.Errorf("%+v: stream %d loses its place", tt, i)
				case again.places[i] != "" && positionOf(again.places[i], streams) > f.last && i <= int(f.last[record.PlaceWidth]):
					t.Errorf("%+v: stream %d continues after the last examined event", tt, i)
				case again.places[i] < place:
					t.Errorf("%+v: stream %d repeats events", tt, i)
				}
			}
			if exact < tt.exact {
				t.Errorf("%+v: %d places are exact", tt, exact)
			}
			third, err := newFeed(f.query, again.position(), 0) // again has examined no event
			if err != nil || third.places != again.places {
				t.Errorf("%+v: a page without events moves the feed: %v", tt, err)
			}
		}
	}
}

// TestPlacesInOneMillisecond fills a position with streams that share one place: the
// floor is the last examined place, and streams behind it keep their event there.
func TestPlacesInOneMillisecond(t *testing.T) {
	t.Parallel()
	f := &feed{query: &gateway.AuditQuery{Oldest: true}, floor: record.NoPlace, tie: streams}
	place := record.Place(1_800_000_000_000, math.MaxUint32-1)
	const examined = 150 // more than fit
	for i := range examined {
		f.examined(entry{position: positionOf(place, i)})
	}
	again, err := newFeed(f.query, f.position(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if again.floor != place {
		t.Fatal("the streams fit, so this tests nothing")
	}
	for range 2 { // also on the page after one that examined nothing
		for i := range streams {
			if passed := again.places[i] >= place; passed != (i < examined) {
				t.Errorf("stream %d has passed the place: %v", i, passed)
			}
		}
		if again, err = newFeed(f.query, again.position(), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNewestPosition continues just before the last examined event, in every stream.
func TestNewestPosition(t *testing.T) {
	t.Parallel()
	q := &gateway.AuditQuery{}
	for _, seq := range []int64{0, 7, math.MaxUint32} {
		f, err := newFeed(q, "", 1_800_000_000_000)
		if err != nil {
			t.Fatal(err)
		}
		place := record.Place(1_700_000_000_000, seq)
		f.examined(entry{position: positionOf(place, 5)})
		again, err := newFeed(q, f.position(), 0)
		if err != nil || again.until != f.until {
			t.Fatalf("until %d, %v", again.until, err)
		}
		for i, before := range again.places {
			// The place itself is left only in the streams that come later in this order.
			if left := before > place; left != (i < 5) {
				t.Errorf("sequence %d, stream %d: the place is left: %v", seq, i, left)
			}
		}
	}
}

// TestLongPosition reads the position of an earlier version.
func TestLongPosition(t *testing.T) {
	t.Parallel()
	for _, oldest := range []bool{false, true} {
		position := string(make([]byte, timeWidth))
		for i := range streams {
			place := record.NoPlace
			if i%2 == 1 {
				place = record.Place(int64(i), 1)
			}
			position += place
		}
		f, err := newFeed(&gateway.AuditQuery{Oldest: oldest}, position, 0)
		if err != nil || f.places[0] != "" || f.places[3] != record.Place(3, 1) {
			t.Fatalf("%q, %q, %v", f.places[0], f.places[3], err)
		}
		for _, damaged := range []string{position[1:], position + "x", position[:7]} {
			if _, err := newFeed(&gateway.AuditQuery{Oldest: oldest}, damaged, 0); err == nil {
				t.Errorf("a position of %d bytes is valid", len(damaged))
			}
		}
	}
}

// TestBits packs numbers of every width.
func TestBits(t *testing.T) {
	t.Parallel()
	var w bitWriter
	var numbers []uint64
	for shift := range 33 {
		numbers = append(numbers, 1<<shift, 1<<shift|1)
	}
	size := 0
	for _, n := range numbers {
		w.write(n, 34)
		w.gamma(int64(n))                //nolint:gosec // At most 33 bits.
		size += 34 + gammaBits(int64(n)) //nolint:gosec // At most 33 bits.
	}
	if len(w.bytes()) != (size+7)/8 {
		t.Errorf("%d bytes for %d bits", len(w.bytes()), size)
	}
	r := bitReader{data: string(w.bytes())}
	for _, n := range numbers {
		if fixed, gamma := r.read(34), r.gamma(); fixed != n || gamma != n || r.failed {
			t.Errorf("%d: read %d and %d", n, fixed, gamma)
		}
	}
	for _, data := range []string{"", "\x00", "\x00\x00\x00\x00\x00\xff\xff\xff"} {
		short := bitReader{data: data}
		if short.gamma(); !short.failed {
			t.Errorf("%q holds a number", data)
		}
	}
}
