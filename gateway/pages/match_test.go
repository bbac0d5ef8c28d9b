package pages

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"keyhole/gateway"
)

// The language is that of the query, of the link, of the browser, or the fallback.
func TestChoiceOfLanguage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		offered             string
		query, link, accept string
		want                string
	}{
		{"", "", "", "", "en"},
		{"", "", "", "de", "de"},
		{"", "", "", "de-AT, en;q=0.9", "de"},
		{"", "", "", "de;q=0.2, fr;q=0.7", "fr"},
		{"", "", "", "fr;q=0, de;q=0.1", "de"},
		{"", "", "", "sv, da;q=0.8, it;q=0.1", "it"},
		{"", "", "", "pt-BR,pt;q=0.9,en-US;q=0.8", "pt"},
		{"", "", "", "zh-TW,zh;q=0.9,en;q=0.8", "zh"},
		{"", "", "", "zh-Hans-CN", "zh"},
		{"", "", "", "ar-EG", "ar"},
		{"", "", "", "*", "en"},
		{"", "", "", "xx", "en"},
		{"", "", "", "xx, de-AT;q=0.5, en;q=0.4", "de"}, // x/text does not know xx
		{"", "", "", "d@, ,, de;q=1.0, fr;q=2", "de"},
		{"", "", "", "en;q=0.4, i-klingon, fr;q=0.5;q=0.6, nl;q=0.5", "nl"},
		{"", "", "", "de;q=0", "en"},
		{"", "", "", strings.Repeat("sv,", maxItems-1) + "de", "de"},
		{"", "", "", strings.Repeat("sv,", maxItems) + "de", "en"},
		{"", "", "", ";;;=,,,", "en"},
		{"", "", "", strings.Repeat("de,", 100), "en"}, // longer than browsers send
		{"", "", "ja", "de", "ja"},
		{"", "fr", "ja", "de", "fr"},
		{"", "xx", "ja", "de", "ja"},
		{"", "FR", "ja", "de", "ja"},
		{"", "fr<script>", "", "de", "de"},
		{"", "", "xx", "de", "de"},
		{"de en", "", "", "", "de"},
		{"de en", "", "", "fr", "de"},
		{"de en", "fr", "ja", "en", "en"},
		{"nl", "en", "fr", "de", "nl"},
	} {
		r, err := New(Options{Languages: strings.Fields(tt.offered)})
		if err != nil {
			t.Fatal(err)
		}
		var accept []string
		if tt.accept != "" {
			accept = []string{tt.accept}
		}
		for range 2 { // the second answer is kept
			if got := r.Locale(tt.query, tt.link, accept); got.Tag != tt.want || r.Locales()[got.Index] != got {
				t.Errorf("%+v: got %s", tt, got.Tag)
			}
		}
	}
}

// Several header lines are one list (RFC 9110 section 5.3).
func TestLinesOfAcceptLanguage(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	if got := r.Locale("", "", []string{"de;q=0.1", "fr"}); got.Tag != "fr" {
		t.Errorf("got %s", got.Tag)
	}
}

// Different headers fill no memory: only a bounded number of matches is kept, and others
// are still answered.
func TestMatchesAreBounded(t *testing.T) {
	t.Parallel()
	m := newMatcher(gateway.Languages())
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range maxMatches {
				if got := m.match([]string{fmt.Sprintf("de;q=0.%d, x-%d", i+1, j)}); got != 1 {
					t.Errorf("got language %d", got)
				}
			}
		})
	}
	all.Wait()
	if len(m.matches) != maxMatches {
		t.Errorf("%d matches are kept, want %d", len(m.matches), maxMatches)
	}
}

// A header that was seen before costs no allocation.
func TestMatchOfAKnownHeader(t *testing.T) { // not parallel: it counts allocations
	r := newRenderer(t)
	accept := []string{"de-DE,de;q=0.9,en;q=0.8"}
	if n := testing.AllocsPerRun(100, func() { r.Locale("", "", accept) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Made-up headers do not keep out those of browsers.
func TestMatchesAfterAFlood(t *testing.T) {
	t.Parallel()
	m := newMatcher(gateway.Languages())
	for i := range maxMatches {
		m.match([]string{fmt.Sprintf("x-%d", i)})
	}
	const browser = "de-DE,de;q=0.9,en;q=0.8"
	if got := m.match([]string{browser}); got != 1 {
		t.Errorf("got language %d", got)
	}
	if _, kept := m.matches[browser]; !kept || len(m.matches) > maxMatches {
		t.Errorf("the match is not kept among %d", len(m.matches))
	}
}
