package record

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// testID returns the id of a link.
func testID() gateway.ID { return gateway.ID([]byte("0123456789abcdef")) }

// TestClicks reads every kind of click with every outcome, from a link's list and from a
// stream.
func TestClicks(t *testing.T) {
	kinds := []gateway.EventKind{
		gateway.EventRedirected, gateway.EventRefused, gateway.EventPage, gateway.EventFailed,
	}
	for _, kind := range kinds {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, outcome := range gateway.Outcomes() {
				letters, err := EventLetters(kind, method, outcome)
				if err != nil || len(letters) != 3 {
					t.Fatalf("%s %s %s: %q, %v", kind, method, outcome, letters, err)
				}
				want := gateway.Event{
					Link: testID(), Time: time.UnixMilli(now).UTC(), Kind: kind, Method: method, Outcome: outcome,
					Address: "192.0.2.1",
				}
				listed, err := ParseClick(testID(), element(letters, now, 77, want.Address))
				if err != nil || listed.Event != want || listed.Clicks != 77 {
					t.Errorf("in the list: %+v, %v; want %+v", listed, err, want)
				}
				id := testID()
				streamed, err := ParseStreamed(now, string(id[:])+letters+PackAddress(want.Address))
				if err != nil || streamed != want {
					t.Errorf("in the stream: %+v, %v; want %+v", streamed, err, want)
				}
			}
		}
	}
}

// TestUnknownClicks refuses events with a letter, a version or an address that this
// version does not know.
func TestUnknownClicks(t *testing.T) {
	id := testID()
	for name, record := range map[string]string{
		"version": "\x02" + element("dgd", now, 1, "")[1:],
		"kind":    element("?gd", now, 1, ""),
		"method":  element("d?d", now, 1, ""),
		"outcome": element("dg?", now, 1, ""),
		"address": element("dgd", now, 1, "") + "4abc",
		"empty":   "",
	} {
		if c, err := ParseClick(id, record); !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("%s in the list: %+v, %v", name, c, err)
		}
	}
	for name, record := range map[string]string{
		"kind":       string(id[:]) + "?gd",
		"method":     string(id[:]) + "d?d",
		"outcome":    string(id[:]) + "dg?",
		"address":    string(id[:]) + "dgd" + "9",
		"no letters": string(id[:]) + "dg",
		"no id":      "dgd",
	} {
		if e, err := ParseStreamed(now, record); !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("%s in the stream: %+v, %v", name, e, err)
		}
	}
}

// TestEventLettersUnknown names every word that has no letter.
func TestEventLettersUnknown(t *testing.T) {
	_, err := EventLetters("cloned", "PATCH", "teapot")
	for _, word := range []string{"cloned", "PATCH", "teapot"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not name %s: %v", word, err)
		}
	}
}

// TestOperations writes operators' events as the scripts do and reads them back.
func TestOperations(t *testing.T) {
	id := testID()
	for _, tt := range []struct {
		letter string
		kind   gateway.EventKind
	}{
		{"i", gateway.EventIssued},
		{"c", gateway.EventChanged},
		{"s", gateway.EventPaused},
		{"w", gateway.EventResumed},
		{"v", gateway.EventRevoked},
	} {
		for _, by := range []gateway.Origin{
			{Actor: "alice", Address: "2001:db8::1"}, {Actor: "", Address: ""}, {Actor: "ci\x00", Address: "203.0.113.0/24"},
		} {
			previous := Place(now-1, 3)
			value := string(id[:]) + tt.letter + previous + string(OperationFields(by, "why not"))
			got, err := ParseOperation(now, 4, value)
			want := Operation{
				Event: gateway.Event{
					Link: id, Time: time.UnixMilli(now).UTC(), Kind: tt.kind, Actor: by.Actor, Address: by.Address,
					Reason: "why not",
				},
				Place: Place(now, 4), Previous: previous,
			}
			if err != nil || got != want {
				t.Errorf("read %+v, %v; want %+v", got, err, want)
			}
		}
	}
	for name, value := range map[string]string{
		"an unknown kind":    string(id[:]) + "?" + NoPlace + string(OperationFields(gateway.Origin{}, "")),
		"an unknown address": string(id[:]) + "i" + NoPlace + "\x00\x01z\x00",
		"no fields":          string(id[:]) + "i" + NoPlace,
		"nothing":            "",
	} {
		if o, err := ParseOperation(now, 1, value); !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

// TestPlaces keeps places in the order of stream IDs.
func TestPlaces(t *testing.T) {
	var places []string
	for _, ms := range []int64{0, 1, 255, 256, now, 1<<48 - 1} {
		for _, seq := range []int64{0, 1, 256, 1<<32 - 1} {
			places = append(places, Place(ms, seq))
		}
	}
	if !slices.IsSorted(places) || len(slices.Compact(slices.Clone(places))) != len(places) {
		t.Errorf("the places are not in order, or not unique: %q", places)
	}
	if Place(0, 0) != NoPlace || uint64(len(places[0])) != PlaceWidth {
		t.Errorf("the place of nothing is %q", Place(0, 0))
	}
	d := Decoder{Rest: Place(now, 42)}
	if ms, seq := d.Fixed(6), d.Fixed(4); ms != now || seq != 42 || d.End() != nil {
		t.Errorf("read %d-%d, %v", ms, seq, d.End())
	}
}

// TestPrefixes packs prefixes and refuses damaged ones.
func TestPrefixes(t *testing.T) {
	all := prefixes("0.0.0.0/0", "192.0.2.128/25", "198.51.100.7/32", "::/0", "2001:db8::/33", "::1/128")
	packed := PackPrefixes(all)
	got, err := unpackPrefixes(packed)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(all) {
		t.Errorf("read %v, %v; want %v", got, err, all)
	}
	if none, err := unpackPrefixes(""); err != nil || none != nil {
		t.Errorf("no prefixes: %v, %v", none, err)
	}
	for name, damaged := range map[string]string{
		"cut short":          packed[:len(packed)-1],
		"only a letter":      "4",
		"too many bits of 4": "4\x21abcd",
		"too many bits of 6": "6\x81abcdefghijklmnop",
	} {
		if got, err := unpackPrefixes(damaged); !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// A sign-in has the letter of a change, too, and its address is where an erasure finds it.
func TestSignInEvent(t *testing.T) {
	t.Parallel()
	by := gateway.Origin{Actor: "alice", Address: "192.0.2.7"}
	for _, kind := range []gateway.EventKind{gateway.EventSignedIn, gateway.EventSignedOut} {
		fields, err := SignInFields(kind, by)
		if err != nil {
			t.Fatal(err)
		}
		value := string(make([]byte, idWidth)) + "c" + NoPlace + string(fields)
		o, err := ParseOperation(7, 1, value)
		if err != nil || o.Kind != kind || o.Actor != "alice" || o.Address != "192.0.2.7" || o.Link != (gateway.ID{}) {
			t.Errorf("got %+v, %v", o, err)
		}
		if o, err := ParseOperation(7, 1, value[:len(value)-1]); err != nil || o.Kind != gateway.EventChanged {
			t.Errorf("without the mark: %+v, %v", o, err)
		}
	}
	if _, err := SignInFields(gateway.EventErased, by); err == nil {
		t.Error("an erasure is a sign-in")
	}
}

// An erasure has the letter of a change, so that earlier versions can read it: they ignore
// what follows the fields.
func TestErasureEvent(t *testing.T) {
	t.Parallel()
	id := gateway.IDOf("x")
	value := string(id[:]) + "c" + NoPlace + string(ErasureFields("dpo", "asked"))
	o, err := ParseOperation(7, 1, value)
	if err != nil || o.Kind != gateway.EventErased || o.Actor != "dpo" || o.Reason != "asked" || o.Address != "" ||
		o.Link != id {
		t.Errorf("got %+v, %v", o, err)
	}
	before := value[:len(value)-len(erasure)] // what earlier versions read
	if o, err := ParseOperation(7, 1, before); err != nil || o.Kind != gateway.EventChanged || o.Reason != "asked" {
		t.Errorf("without the mark: %+v, %v", o, err)
	}
}
