package record

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// TestNumbers reads variable-length numbers, and refuses those that do not fit 63 bits.
func TestNumbers(t *testing.T) {
	for _, n := range []int64{0, 1, 127, 128, 1 << 14, 1 << 35, math.MaxInt64} {
		d := Decoder{Rest: string(binary.AppendUvarint(nil, uint64(n)))} //nolint:gosec // Never negative.
		if got := d.Number(); got != n || d.End() != nil {
			t.Errorf("%d is read as %d, %v", n, got, d.End())
		}
	}
	for name, packed := range map[string]string{
		"64 bits":        string(binary.AppendUvarint(nil, math.MaxInt64+1)),
		"all bits":       string(binary.AppendUvarint(nil, math.MaxUint64)),
		"no end":         strings.Repeat("\x80", 20),
		"an open end":    "\x80",
		"nothing at all": "",
	} {
		d := Decoder{Rest: packed}
		if got := d.Number(); got != 0 || !errors.Is(d.Err, gateway.ErrRecord) {
			t.Errorf("%s: read %d, %v", name, got, d.Err)
		}
	}
}

// TestFixed reads big-endian numbers of every width that records use.
func TestFixed(t *testing.T) {
	for width := 1; width <= 7; width++ {
		want := int64(1)<<(8*width) - 2
		d := Decoder{Rest: bigEndian(want, width)}
		if got := d.Fixed(width); got != want || d.End() != nil {
			t.Errorf("%d bytes: read %d, want %d, %v", width, got, want, d.End())
		}
		d = Decoder{Rest: bigEndian(want, width)[1:]}
		if got := d.Fixed(width); got != 0 || !errors.Is(d.Err, gateway.ErrRecord) {
			t.Errorf("%d bytes, truncated: read %d, %v", width, got, d.Err)
		}
	}
}

// TestTexts reads strings, one after the other, and keeps them apart.
func TestTexts(t *testing.T) {
	texts := []string{"", "a", "\x00", strings.Repeat("x", 127), strings.Repeat("y", 128), "été", "\xff\xfe"}
	var b []byte
	for _, s := range texts {
		b = AppendString(b, s)
	}
	d := Decoder{Rest: string(b)}
	for _, want := range texts {
		if got := d.Text(); got != want {
			t.Errorf("read %q, want %q", got, want)
		}
	}
	if err := d.End(); err != nil {
		t.Errorf("at the end: %v", err)
	}
}

// TestFirstError keeps the first error: later reads return zero values, and do not read on
// in bytes of another field.
func TestFirstError(t *testing.T) {
	d := Decoder{Rest: "\x05ab"}
	if got := d.Text(); got != "" || d.Err == nil {
		t.Fatalf("a truncated string: %q, %v", got, d.Err)
	}
	first := d.Err
	if d.Fixed(1) != 0 || d.Text() != "" || d.Number() != 0 || d.Take(0) != "" || !d.time().IsZero() {
		t.Error("a read after an error returned something")
	}
	if !errors.Is(d.End(), gateway.ErrRecord) || d.Err.Error() != first.Error() {
		t.Errorf("the error is now %v, and was %v", d.End(), first)
	}
	rest := Decoder{Rest: "x"}
	if err := rest.End(); !errors.Is(err, gateway.ErrRecord) || !strings.Contains(err.Error(), "1 byte") {
		t.Errorf("a byte too many: %v", err)
	}
}

// TestTimes keeps milliseconds, the zero time, and times within the years that RFC 3339
// can express.
func TestTimes(t *testing.T) {
	for _, want := range []time.Time{
		{},
		time.UnixMilli(1).UTC(),
		time.Date(2026, 3, 1, 12, 0, 0, 123_000_000, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC),
	} {
		d := Decoder{Rest: string(AppendTime(nil, want))}
		if got := d.time(); !got.Equal(want) || d.End() != nil {
			t.Errorf("%v is read as %v, %v", want, got, d.End())
		}
	}
	for ms, want := range map[int64]time.Time{
		0:                   {},
		lastMillisecond + 1: time.UnixMilli(lastMillisecond).UTC(),
		math.MaxInt64:       time.UnixMilli(lastMillisecond).UTC(),
	} {
		if got := Time(ms); !got.Equal(want) {
			t.Errorf("%d ms are %v, want %v", ms, got, want)
		}
	}
	for _, early := range []time.Time{time.Unix(-1, 0), time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)} {
		d := Decoder{Rest: string(AppendTime(nil, early))}
		if got := d.Number(); got != 0 || d.End() != nil {
			t.Errorf("a time before 1970 is kept as %d, %v", got, d.End())
		}
	}
	if _, err := Time(math.MaxInt64).MarshalJSON(); err != nil {
		t.Errorf("the last time cannot be written as JSON: %v", err)
	}
}

// TestDispositions reads what appendDisposition writes, and refuses unknown letters.
func TestDispositions(t *testing.T) {
	for _, want := range []string{"", gateway.DispositionAttachment, gateway.DispositionInline} {
		d := Decoder{Rest: string(appendDisposition(nil, want))}
		if got := d.disposition(); got != want || d.End() != nil {
			t.Errorf("%q is read as %q, %v", want, got, d.End())
		}
	}
	for _, unknown := range []string{"", "x", "\x00"} {
		d := Decoder{Rest: unknown}
		if got := d.disposition(); got != "" || !errors.Is(d.Err, gateway.ErrRecord) {
			t.Errorf("%q: read %q, %v", unknown, got, d.Err)
		}
	}
}

// TestMethodLetters has a letter for each method that a click can have, and for no other.
func TestMethodLetters(t *testing.T) {
	for method, want := range map[string]string{"GET": "g", "HEAD": "h", "POST": "p"} {
		if got, err := MethodLetter(method); got != want || err != nil {
			t.Errorf("%s: %q, %v", method, got, err)
		}
	}
	for _, other := range []string{"", "PUT", "get", "OPTIONS"} {
		if got, err := MethodLetter(other); err == nil {
			t.Errorf("%s has the letter %q", other, got)
		}
	}
}
