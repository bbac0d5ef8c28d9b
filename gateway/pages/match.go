package pages

import (
	"strings"
	"sync"

	xlanguage "golang.org/x/text/language"
)

const (
	// maxAccept is the length in bytes of the longest Accept-Language that is parsed.
	// Browsers send less than 100 bytes.
	maxAccept = 256
	// maxMatches is the largest number of headers whose match is kept. Browsers send few
	// different ones, and an attacker must not fill the memory.
	maxMatches = 512
)

// matcher finds the offered language that fits an Accept-Language header best (RFC 9110
// section 12.5.4). It keeps the results, because a flood of requests must not cost more
// than a look into a map.
type matcher struct {
	languages xlanguage.Matcher
	mu        sync.RWMutex
	matches   map[string]int // by header: position of the language
}

// newMatcher returns a matcher for the tags of known languages.
func newMatcher(tags []string) *matcher {
	offered := make([]xlanguage.Tag, len(tags))
	for i, tag := range tags {
		offered[i] = xlanguage.Make(tag)
	}
	return &matcher{languages: xlanguage.NewMatcher(offered), matches: map[string]int{}}
}

// match returns the position of the best language, and 0 if none fits.
func (m *matcher) match(headers []string) int {
	if len(headers) == 0 {
		return 0
	}
	header := headers[0]
	if len(headers) > 1 {
		header = strings.Join(headers, ",") // RFC 9110 section 5.3
	}
	if header == "" || len(header) > maxAccept {
		return 0
	}
	m.mu.RLock()
	best, known := m.matches[header]
	m.mu.RUnlock()
	if known {
		return best
	}
	best = m.parse(header)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.matches) < maxMatches {
		m.matches[strings.Clone(header)] = best
	}
	return best
}

// parse finds the best language for a header that is not kept.
func (m *matcher) parse(header string) int {
	wanted, _, err := xlanguage.ParseAcceptLanguage(header)
	if err != nil || len(wanted) == 0 {
		return 0
	}
	_, best, confidence := m.languages.Match(wanted...)
	if confidence == xlanguage.No {
		return 0
	}
	return best
}
