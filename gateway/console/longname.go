package console

import (
	"unicode"
	"unicode/utf8"
)

// A name is shown whole up to nameLimit characters. Of a longer one, lists show the beginning
// as far as there is room, and the last nameEnd characters: names often differ only there.
const (
	nameLimit = 80
	nameEnd   = 24
)

// longName is a name in two parts, which a list may separate by an ellipsis.
type longName struct {
	Whole, Start, End string
}

// splitName returns the parts of a long name, nil for a name that is shown whole.
func splitName(name string) *longName {
	if utf8.RuneCountInString(name) <= nameLimit {
		return nil
	}
	at := len(name)
	for end := 0; at > 0 && (end < nameEnd || inside(name, at)); end++ {
		_, width := utf8.DecodeLastRuneInString(name[:at])
		at -= width
	}
	if at == 0 { // nothing but marks: there is no place for an ellipsis
		return nil
	}
	return &longName{Whole: name, Start: name[:at], End: name[at:]}
}

// zeroWidth is U+200D, which makes one character of those beside it, such as an emoji of a family.
const zeroWidth = '\u200d'

// inside reports whether the code points before and after a position make one character, which
// must stay whole (Unicode Standard Annex 29).
func inside(name string, at int) bool {
	before, _ := utf8.DecodeLastRuneInString(name[:at])
	after, _ := utf8.DecodeRuneInString(name[at:])
	return before == zeroWidth || after == zeroWidth || unicode.Is(unicode.M, after)
}
