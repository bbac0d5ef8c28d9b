package redisstore

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strings"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// feed is the position of a page of the audit feed, and what the page selects.
//
// With the newest event first, the last examined event is the whole position: later events
// are not part of the listing. With the oldest first, a single event is not enough. One
// stream may get an event with a time up to which another stream was read already: in the
// same millisecond, or by the clock of another master. The position then holds a place in
// each stream, in the short form that oldestPosition describes.
type feed struct {
	query      *gateway.AuditQuery
	candidates map[gateway.ID]bool // the links whose events can be selected; nil: all
	since      int64               // Unix milliseconds
	until      int64               // Unix milliseconds; 0: no end
	places     [streams]string     // each a record.Place; empty: from since or until
	floor      string              // the place after which streams without a newer place continue
	// tie is the highest number of a stream whose event at the floor was examined. Streams
	// with a higher number continue with such an event.
	tie  int
	last string // position of the last examined event; empty: this page examined none
}

// newFeed returns the feed at a position; an empty position is the first page.
func newFeed(q *gateway.AuditQuery, position string, now int64) (*feed, error) {
	f := &feed{query: q, floor: record.NoPlace, tie: streams}
	if !q.Since.IsZero() {
		f.since = max(q.Since.UnixMilli(), 0)
	}
	if !q.Until.IsZero() {
		f.until = max(q.Until.UnixMilli(), 1)
	}
	if f.until == 0 && !q.Oldest {
		f.until = now + 1 // Events that happen between two pages would be out of order.
	}
	if position == "" {
		if q.FromNow {
			f.floor = record.Place(now-1, math.MaxUint32) // the last possible place before now
			f.startAt(f.floor)
		}
		return f, nil
	}
	d := &record.Decoder{Rest: position}
	f.until = d.Fixed(timeWidth)
	switch {
	case len(position) == timeWidth+streams*int(record.PlaceWidth):
		f.longPosition(d)
	case q.Oldest:
		f.oldestPosition(d)
	default:
		f.newestPosition(d)
	}
	if d.Err != nil || d.Rest != "" {
		return nil, gateway.ErrCursor
	}
	return f, nil
}

// timeWidth is the length of a time in milliseconds.
const timeWidth = 6

// longPosition reads the position that earlier versions wrote: a place for each stream.
func (f *feed) longPosition(d *record.Decoder) {
	for i := range f.places {
		if place := d.Take(record.PlaceWidth); place != record.NoPlace {
			f.places[i] = place
		}
	}
}

// startAt lets every stream begin after a place.
func (f *feed) startAt(place string) {
	for i := range f.places {
		f.places[i] = place
	}
}

// examined moves the feed after an event.
func (f *feed) examined(e entry) {
	f.last = e.position
	f.places[e.position[record.PlaceWidth]] = e.position[:record.PlaceWidth]
}

// position packs the position of the next page.
func (f *feed) position() string {
	until := binary.BigEndian.AppendUint64(nil, uint64(f.until)<<16)[:timeWidth] //nolint:gosec // 48 bits.
	if f.query.Oldest {
		return string(f.appendOldest(until))
	}
	return string(until) + f.last
}

// newestPosition reads the last examined event of a feed with the newest first. Streams
// with a lower number continue with events of the same place.
func (f *feed) newestPosition(d *record.Decoder) {
	ms, seq, number := d.Fixed(timeWidth), d.Fixed(4), int(d.Fixed(1))
	if d.Err != nil {
		return
	}
	f.last = positionOf(record.Place(ms, seq), number)
	after := record.Place(ms, seq+1)
	if seq == math.MaxUint32 {
		after = record.Place(ms+1, 0)
	}
	for i := range f.places {
		f.places[i] = record.Place(ms, seq)
		if i < number {
			f.places[i] = after
		}
	}
}

// maxOldest is the largest length of the position of a feed with the oldest first, so that
// its cursor has at most 512 characters: base64url turns 384 bytes into them, and 31 of
// these are the version, the nonce, the tag and the length.
const maxOldest = 384 - 31

// oldestHead is the length of the part of a position with the oldest first before the
// places: until, floor, the number of a stream, the width of a time, and a bit for each
// stream.
const oldestHead = timeWidth + int(record.PlaceWidth) + 1 + 1 + streams/8

// appendOldest packs the places of a feed with the oldest first. It writes the newest
// places exactly, as many as fit. The other streams continue after the floor, which is the
// newest of their places: they had no event between their place and the last examined
// event. Such a stream misses an event only if that is dated back before the floor. All
// places fit if they are within two seconds; with fewer events, the floor is minutes or
// days before the last examined event.
func (f *feed) appendOldest(b []byte) []byte {
	var newer []int // the streams with a place after the floor, newest first
	for i, place := range f.places {
		if place > f.floor {
			newer = append(newer, i)
		}
	}
	slices.SortFunc(newer, func(a, b int) int { return strings.Compare(f.places[b], f.places[a]) })
	n, floor := len(newer), f.floor
	for packedBits(f, newer[:n], floor) > 8*(maxOldest-oldestHead) {
		n--
		floor = f.places[newer[n]]
	}
	tie := streams
	switch {
	case f.last == "" && floor == f.floor:
		tie = f.tie
	case f.last != "" && f.last[:record.PlaceWidth] == floor:
		tie = int(f.last[record.PlaceWidth])
	}
	width := widthOf(f, newer[:n], floor)
	b = append(append(b, floor...), byte(tie), byte(width)) //nolint:gosec // At most 192 and 48.
	listed := newer[:n]
	slices.Sort(listed)
	marks := make([]byte, streams/8)
	var packed bitWriter
	base := placeTime(floor)
	for _, i := range listed {
		marks[i/8] |= 1 << (i % 8)
		packed.write(uint64(placeTime(f.places[i])-base), width) //nolint:gosec // Not negative: newer than the floor.
		packed.gamma(placeSequence(f.places[i]) + 1)
	}
	return append(append(b, marks...), packed.bytes()...)
}

// oldestPosition reads what appendOldest wrote.
func (f *feed) oldestPosition(d *record.Decoder) {
	f.floor = d.Take(record.PlaceWidth)
	tie, width := int(d.Fixed(1)), int(d.Fixed(1))
	f.tie = tie
	marks := d.Take(streams / 8)
	if d.Err != nil || width > 48 {
		d.Rest = "invalid"
		return
	}
	ms, seq := placeTime(f.floor), placeSequence(f.floor)
	if f.floor != record.NoPlace {
		f.startAt(f.floor)
		for i := tie + 1; i < streams; i++ {
			f.places[i] = placeBefore(ms, seq)
		}
	}
	packed := bitReader{data: d.Rest}
	d.Rest = ""
	for i := range f.places {
		if marks[i/8]>>(i%8)&1 == 0 {
			continue
		}
		at := ms + int64(packed.read(width))                    //nolint:gosec // At most 48 bits.
		f.places[i] = record.Place(at, int64(packed.gamma()-1)) //nolint:gosec // At most 32 bits.
	}
	if packed.failed {
		d.Rest = "invalid"
	}
}

// placeBefore returns the place just before a place.
func placeBefore(ms, seq int64) string {
	if seq == 0 {
		return record.Place(ms-1, math.MaxUint32)
	}
	return record.Place(ms, seq-1)
}

// placeTime returns the milliseconds of a place.
func placeTime(place string) int64 {
	d := record.Decoder{Rest: place}
	return d.Fixed(timeWidth)
}

// placeSequence returns the sequence number of a place.
func placeSequence(place string) int64 {
	d := record.Decoder{Rest: place[timeWidth:]}
	return d.Fixed(4)
}

// widthOf returns the number of bits for the times of streams after a floor. The streams
// are in the order of their places, newest first.
func widthOf(f *feed, listed []int, floor string) int {
	if len(listed) == 0 {
		return 0
	}
	return bits.Len64(uint64(placeTime(f.places[listed[0]]) - placeTime(floor))) //nolint:gosec // Not negative.
}

// packedBits returns the number of bits that the places of streams need.
func packedBits(f *feed, listed []int, floor string) int {
	n := len(listed) * widthOf(f, listed, floor)
	for _, i := range listed {
		n += gammaBits(placeSequence(f.places[i]) + 1)
	}
	return n
}
