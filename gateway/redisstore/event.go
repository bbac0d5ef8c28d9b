package redisstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"keyhole/gateway"
)

// The letters that events are kept with. A letter is never given to another
// meaning: records outlive releases. The scripts write d, g, x, i, c, s,
// w and v of the kinds, and d, w, g, c, e, r, u, s, y and a of the outcomes; d, g,
// c, w, u and f too as their callers say.
const (
	kindLetters    = "icswvdgxf"
	outcomeLetters = "dgcwnerusyapoxhl0mb"
	methodLetters  = "ghp"
)

// kindOf reads the letter of a kind of event.
func kindOf(letter byte) (gateway.EventKind, error) {
	switch letter {
	case 'i':
		return gateway.EventIssued, nil
	case 'c':
		return gateway.EventChanged, nil
	case 's':
		return gateway.EventPaused, nil
	case 'w':
		return gateway.EventResumed, nil
	case 'v':
		return gateway.EventRevoked, nil
	case 'd':
		return gateway.EventRedirected, nil
	case 'g':
		return gateway.EventPage, nil
	case 'x':
		return gateway.EventRefused, nil
	case 'f':
		return gateway.EventFailed, nil
	}
	return "", fmt.Errorf("%w: kind %q", gateway.ErrRecord, letter)
}

// outcomeOf reads the letter of an outcome.
func outcomeOf(letter byte) (gateway.Outcome, error) {
	switch letter {
	case 'd':
		return gateway.OutcomeRedirected, nil
	case 'g':
		return gateway.OutcomePage, nil
	case 'c':
		return gateway.OutcomeConfirmationRequired, nil
	case 'w':
		return gateway.OutcomeResumed, nil
	case 'n':
		return gateway.OutcomeNotFound, nil
	case 'e':
		return gateway.OutcomeExpired, nil
	case 'r':
		return gateway.OutcomeRevoked, nil
	case 'u':
		return gateway.OutcomeUsedUp, nil
	case 's':
		return gateway.OutcomePaused, nil
	case 'y':
		return gateway.OutcomeNotYet, nil
	case 'a':
		return gateway.OutcomeAddressNotAllowed, nil
	case 'p':
		return gateway.OutcomeWrongPassphrase, nil
	case 'o':
		return gateway.OutcomeObjectChanged, nil
	case 'x':
		return gateway.OutcomeObjectGone, nil
	case 'h':
		return gateway.OutcomeObjectArchived, nil
	case 'l':
		return gateway.OutcomeRateLimited, nil
	case '0':
		return gateway.OutcomeUnavailable, nil
	case 'm':
		return gateway.OutcomeMethodNotAllowed, nil
	case 'b':
		return gateway.OutcomeBadRequest, nil
	}
	return "", fmt.Errorf("%w: outcome %q", gateway.ErrRecord, letter)
}

// methodOf reads the letter of a method.
func methodOf(letter byte) (string, error) {
	switch letter {
	case 'g':
		return "GET", nil
	case 'h':
		return "HEAD", nil
	case 'p':
		return "POST", nil
	}
	return "", fmt.Errorf("%w: method %q", gateway.ErrRecord, letter)
}

// letterOf finds the letter that of reads as value.
func letterOf[V comparable](letters string, of func(byte) (V, error), value V) (string, error) {
	for i := range len(letters) {
		if v, err := of(letters[i]); err == nil && v == value {
			return letters[i : i+1], nil
		}
	}
	return "", fmt.Errorf("%v cannot be kept", value)
}

// whatOf packs what a click came to, as the scripts do: kind, method, outcome.
func whatOf(k gateway.EventKind, m string, o gateway.Outcome) (string, error) {
	kind, unkept := letterOf(kindLetters, kindOf, k)
	method, strange := letterOf(methodLetters, methodOf, m)
	outcome, unknown := letterOf(outcomeLetters, outcomeOf, o)
	return kind + method + outcome, errors.Join(unkept, strange, unknown)
}

// click is a click's event with the clicks that the link had counted by then.
type click struct {
	gateway.Event
	clicks int64
}

// parseClick reads an element of a history's list.
func parseClick(id gateway.ID, record string) (click, error) {
	d := decoder{rest: record}
	if n := d.fixed(1); n != version {
		return click{}, fmt.Errorf("%w: event of version %d", gateway.ErrRecord, n)
	}
	what := d.take(3)
	c := click{Event: gateway.Event{Link: id, Time: moment(d.fixed(6))}, clicks: d.fixed(5)}
	if d.err != nil {
		return click{}, d.err
	}
	err := readClick(&c.Event, what, d.rest)
	return c, err
}

// parseStreamed reads an entry of a stream of clicks: the milliseconds of its ID
// and its value.
func parseStreamed(ms int64, record string) (gateway.Event, error) {
	d := decoder{rest: record}
	raw, what := d.take(16), d.take(3)
	if d.err != nil {
		return gateway.Event{}, d.err
	}
	event := gateway.Event{Link: gateway.ID([]byte(raw)), Time: moment(ms)}
	err := readClick(&event, what, d.rest)
	return event, err
}

// readClick reads what an event of a click came to, and from where.
func readClick(e *gateway.Event, what, address string) error {
	var errs [4]error
	e.Kind, errs[0] = kindOf(what[0])
	e.Method, errs[1] = methodOf(what[1])
	e.Outcome, errs[2] = outcomeOf(what[2])
	e.Address, errs[3] = unpackAddress(address)
	return errors.Join(errs[:]...)
}

// operation is an operators' event with its place in the stream and that of
// the link's event before it, 10 bytes each.
type operation struct {
	gateway.Event
	at     string
	before string
}

// noOperation is what stands where there is no operators' event before.
const noOperation = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// operationBody packs the fields of an operators' event.
func operationBody(by gateway.Origin, reason string) []byte {
	b := appendString(nil, by.Actor)
	b = appendString(b, packAddress(by.Address))
	return appendString(b, reason)
}

// parseOperation reads an entry of the operators' stream: the two numbers of
// its ID and its value.
func parseOperation(ms, seq int64, record string) (operation, error) {
	d := decoder{rest: record}
	raw, code, before := d.take(16), d.take(1), d.take(10)
	actor, address, reason := d.text(), d.text(), d.text()
	if d.err != nil {
		return operation{}, d.err
	}
	kind, err := kindOf(code[0])
	if err != nil {
		return operation{}, err
	}
	address, err = unpackAddress(address)
	return operation{
		Event: gateway.Event{
			Time: moment(ms), Kind: kind, Link: gateway.ID([]byte(raw)),
			Actor: actor, Address: address, Reason: reason,
		},
		at:     string(operationAt(ms, seq)),
		before: before,
	}, err
}

// operationAt packs the ID of an entry as the scripts do: 6 and 4 bytes.
func operationAt(ms, seq int64) []byte {
	at := binary.BigEndian.AppendUint64(nil, uint64(ms)<<16)  //nolint:gosec // 48 bits of milliseconds.
	return binary.BigEndian.AppendUint32(at[:6], uint32(seq)) //nolint:gosec // The scripts keep 32 bits.
}

// packAddress keeps an IP address as its bytes and anything else, such as a
// prefix or a hash, as text. A letter before says which.
func packAddress(s string) string { return string(appendAddress(nil, s)) }

// appendAddress appends what packAddress packs.
func appendAddress(b []byte, s string) []byte {
	if s == "" {
		return b
	}
	a, err := netip.ParseAddr(s)
	var space [64]byte
	if err != nil || string(a.AppendTo(space[:0])) != s || a.Zone() != "" || a.Is4In6() {
		return append(append(b, 't'), s...)
	}
	return appendClient(b, a)
}

// unpackAddress reads what packAddress wrote.
func unpackAddress(s string) (string, error) {
	switch {
	case s == "":
		return "", nil
	case s[0] == 't':
		return s[1:], nil
	case s[0] == '4' && len(s) == 5, s[0] == '6' && len(s) == 17:
		a, _ := netip.AddrFromSlice([]byte(s[1:]))
		return a.String(), nil
	}
	return "", fmt.Errorf("%w: address", gateway.ErrRecord)
}
