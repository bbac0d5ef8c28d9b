package pages

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	xlanguage "golang.org/x/text/language"
)

const (
	// maxAccept is the length in bytes of the longest Accept-Language that is parsed.
	// Browsers send less than 100 bytes.
	maxAccept = 256
	// maxItems is the largest number of languages in a header that are compared. Browsers
	// send fewer. Without a limit, a hostile header would cost more time than the page.
	maxItems = 16
	// maxMatches is the largest number of headers whose match is cached. Browsers send few
	// different headers. The limit prevents that an attacker fills the memory.
	maxMatches = 512
)

// matcher finds the offered language that matches an Accept-Language header best (RFC 9110
// section 12.5.4). It caches the results, so that a flood of requests costs only map lookups.
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

// match returns the position of the best language, or 0 if no language matches.
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
	if len(m.matches) >= maxMatches {
		clear(m.matches) // Otherwise hostile headers would fill the cache for ever.
	}
	m.matches[strings.Clone(header)] = best
	return best
}

// parse finds the best language for a header that is not cached. It parses each item
// separately, because x/text refuses the whole header if it does not know one language.
func (m *matcher) parse(header string) int {
	var wanted []weighted
	for i, item := range strings.SplitN(header, ",", maxItems+1) {
		if i == maxItems {
			break
		}
		tags, weights, err := xlanguage.ParseAcceptLanguage(item)
		if err == nil && len(tags) == 1 && weights[0] <= 1 {
			wanted = append(wanted, weighted{tags[0], weights[0]})
		}
	}
	if len(wanted) == 0 {
		return 0
	}
	slices.SortStableFunc(wanted, func(a, b weighted) int { return cmp.Compare(b.weight, a.weight) })
	tags := make([]xlanguage.Tag, len(wanted))
	for i := range wanted {
		tags[i] = wanted[i].tag
	}
	_, best, confidence := m.languages.Match(tags...)
	if confidence == xlanguage.No {
		return 0
	}
	return best
}

// weighted is one language of an Accept-Language header.
type weighted struct {
	tag    xlanguage.Tag
	weight float32
}
