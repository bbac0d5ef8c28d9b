package record

import (
	"encoding/binary"
	"errors"
	"fmt"

	"keyhole/gateway"
)

// Click is the event of a click, with the number of counted clicks of the link after the
// event.
type Click struct {
	gateway.Event
	Clicks int64
}

// idWidth is the length of a link's id in a record.
const idWidth = uint64(len(gateway.ID{}))

// ParseClick reads one click of the link's own list. Only the list stores the time
// and the count; see ParseStreamed for the stream.
func ParseClick(id gateway.ID, record string) (Click, error) {
	d := Decoder{Rest: record}
	if n := d.Fixed(1); n != Plain {
		return Click{}, fmt.Errorf("%w: unknown event version %d", gateway.ErrRecord, n)
	}
	letters := d.Take(3)
	c := Click{Event: gateway.Event{Link: id, Time: Time(d.Fixed(6))}, Clicks: d.Fixed(5)}
	if d.Err != nil {
		return Click{}, d.Err
	}
	err := parseLetters(&c.Event, letters, d.Rest)
	return c, err
}

// ParseStreamed reads the value of an entry in a stream of clicks. ms is the time
// of the entry, which its stream ID holds.
func ParseStreamed(ms int64, record string) (gateway.Event, error) {
	d := Decoder{Rest: record}
	raw, letters := d.Take(idWidth), d.Take(3)
	if d.Err != nil {
		return gateway.Event{}, d.Err
	}
	event := gateway.Event{Link: gateway.ID([]byte(raw)), Time: Time(ms)}
	err := parseLetters(&event, letters, d.Rest)
	return event, err
}

// parseLetters reads the kind, method, outcome and address of a click's event.
func parseLetters(e *gateway.Event, letters, address string) error {
	var errs [4]error
	e.Kind, errs[0] = parseKind(letters[0])
	e.Method, errs[1] = parseMethod(letters[1])
	e.Outcome, errs[2] = ParseOutcome(letters[2])
	e.Address, errs[3] = unpackAddress(address)
	return errors.Join(errs[:]...)
}

// Operation is an operators' event. Place is the place of the event in the operators'
// stream. Previous is the place of the link's previous operation, or NoPlace.
type Operation struct {
	gateway.Event
	Place    string
	Previous string
}

// NoPlace means that a link has no previous operation.
const NoPlace = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// PlaceWidth is the length of a place in a stream.
const PlaceWidth = uint64(len(NoPlace))

// Place packs the two numbers of a stream ID as the scripts do: Unix milliseconds
// in 6 bytes, the sequence number in 4. Places sort like stream IDs.
func Place(ms, seq int64) string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], uint64(ms)<<16) //nolint:gosec // 48 bits of milliseconds.
	binary.BigEndian.PutUint32(b[6:], uint32(seq))   //nolint:gosec // The scripts keep 32 bits.
	return string(b[:PlaceWidth])
}

// OperationFields packs the fields of an operators' event: operator, address and reason.
// The script adds the others.
func OperationFields(by gateway.Origin, reason string) []byte {
	b := AppendString(nil, by.Actor)
	b = AppendString(b, PackAddress(by.Address))
	return AppendString(b, reason)
}

// The marks that follow the fields of operators' events that change no link. Their kind
// letter is that of a change, because earlier versions know it and ignore what follows the
// fields: they show an erasure as a change with its reason, and a sign-in as a change.
const (
	erasure   = "e"
	signedIn  = "i"
	signedOut = "o"
)

// ErasureFields packs the fields of the event of an erasure, which has no address.
func ErasureFields(actor, reason string) []byte {
	return append(OperationFields(gateway.Origin{Actor: actor}, reason), erasure...)
}

// SignInFields packs the fields of the event of a sign-in or sign-out. The error is
// another kind.
func SignInFields(kind gateway.EventKind, by gateway.Origin) ([]byte, error) {
	switch kind {
	case gateway.EventSignedIn:
		return append(OperationFields(by, ""), signedIn...), nil
	case gateway.EventSignedOut:
		return append(OperationFields(by, ""), signedOut...), nil
	}
	return nil, fmt.Errorf("%q is not the kind of a sign-in", kind)
}

// ParseOperation reads an entry of the operators' stream: the two numbers of its
// stream ID, and its value.
func ParseOperation(ms, seq int64, record string) (Operation, error) {
	d := Decoder{Rest: record}
	raw, kindLetter, previous := d.Take(idWidth), d.Take(1), d.Take(PlaceWidth)
	actor, address, reason := d.Text(), d.Text(), d.Text()
	if d.Err != nil {
		return Operation{}, d.Err
	}
	kind, err := parseKind(kindLetter[0])
	if err != nil {
		return Operation{}, err
	}
	switch d.Rest {
	case erasure:
		kind = gateway.EventErased
	case signedIn:
		kind = gateway.EventSignedIn
	case signedOut:
		kind = gateway.EventSignedOut
	}
	address, err = unpackAddress(address)
	return Operation{
		Event: gateway.Event{
			Time: Time(ms), Kind: kind, Link: gateway.ID([]byte(raw)),
			Actor: actor, Address: address, Reason: reason,
		},
		Place:    Place(ms, seq),
		Previous: previous,
	}, err
}
