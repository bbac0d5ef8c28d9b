package record

import (
	"errors"
	"fmt"

	"keyhole/gateway"
)

// The letters for the words of an event and of a disposition. Never give a letter another
// meaning, because records outlive releases. The scripts write d, g, x, i, c, s, w and v
// of the kinds, and d, w, g, c, e, r, u, s, y and a of the outcomes; callers of the
// scripts pass d, g, c, w, u and f.
const (
	kindLetters        = "icswvdgxf"
	outcomeLetters     = "dgcwnerusyapoxhl0mb"
	methodLetters      = "ghp"
	dispositionLetters = "-ai"
)

// parseKind reads the letter of an event's kind.
func parseKind(letter byte) (gateway.EventKind, error) {
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
	return "", fmt.Errorf("%w: unknown event kind %q", gateway.ErrRecord, letter)
}

// ParseOutcome reads the letter of an outcome.
func ParseOutcome(letter byte) (gateway.Outcome, error) {
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
	return "", fmt.Errorf("%w: unknown outcome %q", gateway.ErrRecord, letter)
}

// parseMethod reads the letter of an HTTP method.
func parseMethod(letter byte) (string, error) {
	switch letter {
	case 'g':
		return "GET", nil
	case 'h':
		return "HEAD", nil
	case 'p':
		return "POST", nil
	}
	return "", fmt.Errorf("%w: unknown method %q", gateway.ErrRecord, letter)
}

// parseDisposition reads the letter of a disposition.
func parseDisposition(letter byte) (string, error) {
	switch letter {
	case '-':
		return "", nil
	case 'a':
		return gateway.DispositionAttachment, nil
	case 'i':
		return gateway.DispositionInline, nil
	}
	return "", fmt.Errorf("%w: unknown disposition %q", gateway.ErrRecord, letter)
}

// letterFor returns the letter that parse reads as value.
func letterFor[V comparable](letters string, parse func(byte) (V, error), value V) (string, error) {
	for i := range len(letters) {
		if v, err := parse(letters[i]); err == nil && v == value {
			return letters[i : i+1], nil
		}
	}
	return "", fmt.Errorf("no letter stands for %v", value)
}

// MethodLetter returns the letter of an HTTP method: GET, HEAD or POST.
func MethodLetter(method string) (string, error) {
	return letterFor(methodLetters, parseMethod, method)
}

// EventLetters packs the kind, method and outcome of a click's event into 3 bytes,
// as the scripts do.
func EventLetters(k gateway.EventKind, m string, o gateway.Outcome) (string, error) {
	kind, kindErr := letterFor(kindLetters, parseKind, k)
	method, methodErr := MethodLetter(m)
	outcome, outcomeErr := letterFor(outcomeLetters, ParseOutcome, o)
	return kind + method + outcome, errors.Join(kindErr, methodErr, outcomeErr)
}

// appendDisposition appends the letter of a disposition that CheckLink accepts.
func appendDisposition(b []byte, disposition string) []byte {
	letter, _ := letterFor(dispositionLetters, parseDisposition, disposition)
	return append(b, letter...)
}

// disposition reads a disposition that appendDisposition wrote.
func (d *Decoder) disposition() string {
	letter := d.Take(1)
	if d.Err != nil {
		return ""
	}
	disposition, err := parseDisposition(letter[0])
	d.Err = err
	return disposition
}
