package record

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"keyhole/gateway"
)

// TestLetters checks that each letter is unique and is read as the word that it was
// written for.
func TestLetters(t *testing.T) {
	for _, outcome := range gateway.Outcomes() {
		letter, err := letterFor(outcomeLetters, ParseOutcome, outcome)
		if err != nil {
			t.Errorf("outcome %s: %v", outcome, err)
			continue
		}
		if back, err := ParseOutcome(letter[0]); back != outcome || err != nil {
			t.Errorf("%s is read as %s, %v", outcome, back, err)
		}
	}
	for letters, of := range map[string]func(byte) error{
		kindLetters:        func(b byte) error { _, err := parseKind(b); return err },
		outcomeLetters:     func(b byte) error { _, err := ParseOutcome(b); return err },
		methodLetters:      func(b byte) error { _, err := parseMethod(b); return err },
		dispositionLetters: func(b byte) error { _, err := parseDisposition(b); return err },
	} {
		for i := range len(letters) {
			if strings.Count(letters, letters[i:i+1]) != 1 || of(letters[i]) != nil {
				t.Errorf("%q of %q is no letter", letters[i], letters)
			}
		}
		if err := of('?'); !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("? of %q: %v", letters, err)
		}
	}
}

// TestContentTypes keeps content types unchanged, and the known ones in the places of
// earlier releases.
func TestContentTypes(t *testing.T) {
	texts := append([]string{"", "application/PDF", "text/plain;charset=utf-8", "x", strings.Repeat("t", 8191)},
		knownTypes[:]...)
	for _, text := range texts {
		packed := appendContentType(nil, text)
		d := Decoder{Rest: string(packed)}
		if got := d.contentType(); got != text || d.End() != nil {
			t.Errorf("%.40q is read as %.40q, %v", text, got, d.End())
		}
	}
	for place, text := range map[int]string{
		0: "application/octet-stream", 2: "application/pdf",
		9: "text/plain; charset=utf-8", 31: "text/markdown",
	} {
		if knownTypes[place] != text {
			t.Errorf("place %d is %q now and was %q", place, knownTypes[place], text)
		}
		if n := len(appendContentType(nil, text)); n != 2 {
			t.Errorf("%q takes %d bytes", text, n)
		}
	}
	d := Decoder{Rest: string(binary.AppendUvarint(nil, firstKnownType+uint64(len(knownTypes))))}
	if d.contentType(); !errors.Is(d.Err, gateway.ErrRecord) {
		t.Errorf("a type of the future: %v", d.Err)
	}
}

func TestAddresses(t *testing.T) {
	for _, address := range []string{
		"", "192.0.2.1", "116.1.2.3", "2001:db8::1", "::ffff:1.2.3.4", "::1%eth0", "203.0.113.0/24", "t", "4abcd",
		"unknown", "\x00",
	} {
		got, err := unpackAddress(PackAddress(address))
		if got != address || err != nil {
			t.Errorf("%q is read as %q, %v", address, got, err)
		}
	}
	if n := len(PackAddress("255.255.255.255")); n != 5 {
		t.Errorf("an address takes %d bytes", n)
	}
	for _, packed := range []string{"4abc", "6abc", "x", "\x00\x00\x00\x00"} {
		if got, err := unpackAddress(packed); err == nil {
			t.Errorf("%q is read as %q", packed, got)
		}
	}
}

func TestETags(t *testing.T) {
	for etag, size := range map[string]int{
		`"d41d8cd98f00b204e9800998ecf8427e"`:   17,
		`"D41D8CD98F00B204E9800998ECF8427E"`:   36,
		`"d41d8cd98f00b204e9800998ecf8427e-9"`: 38,
		`d41d8cd98f00b204e9800998ecf8427eab`:   36,
		`W/"d41d8cd98f00b204e9800998ecf842"`:   36,
		``:                                     2,
		`"`:                                    3,
	} {
		packed := appendETag(nil, etag)
		d := Decoder{Rest: string(packed)}
		if got := d.etag(); got != etag || d.Err != nil || d.Rest != "" || len(packed) != size {
			t.Errorf("%s is read as %s of %d bytes, %v", etag, got, len(packed), d.Err)
		}
	}
}
