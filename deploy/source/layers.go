package main

import (
	"errors"
	"fmt"
	"strings"
)

// layers orders packages: an import goes to a lower layer or stays in its own.
type layers struct {
	names []string // the lowest first
	rules []layerRule
	never [][2]string // directories; the first must not import the second
}

// layerRule puts a directory into a layer, and with below all directories below it.
type layerRule struct {
	dir   string
	below bool
	layer int
}

// parseLayers reads a list of layers. Each line names a layer and its directories;
// "DIR/..." stands for DIR and all below it. A line "never FROM TO" forbids one import
// that the layers would allow. A # begins a comment.
func parseLayers(text string) (*layers, error) {
	l := &layers{}
	for number, line := range splitLines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "never" {
			if len(words) != 3 {
				return nil, fmt.Errorf("line %d: write never FROM TO", number+1)
			}
			l.never = append(l.never, [2]string{words[1], words[2]})
			continue
		}
		// A layer without directories is a line that was not finished.
		if len(words) == 1 {
			return nil, fmt.Errorf("line %d: the layer %s has no directories", number+1, words[0])
		}
		for _, word := range words[1:] {
			dir, below := strings.CutSuffix(word, "/...")
			l.rules = append(l.rules, layerRule{dir, below, len(l.names)})
		}
		l.names = append(l.names, words[0])
	}
	if len(l.names) == 0 {
		return nil, errors.New("no layers")
	}
	return l, nil
}

// of returns the layer of a directory, as an index of names, or -1. A rule for exactly this
// directory counts more than one for all directories below another; of those, the longest
// counts.
func (l *layers) of(dir string) int {
	layer, longest := -1, -1
	for _, r := range l.rules {
		if r.dir == dir && !r.below {
			return r.layer
		}
		if r.below && within(dir, r.dir) && len(r.dir) > longest {
			layer, longest = r.layer, len(r.dir)
		}
	}
	return layer
}

// within reports whether a directory is top or below it.
func within(dir, top string) bool {
	return dir == top || strings.HasPrefix(dir, top+"/")
}

// forbids reports whether a never line matches. Such a line includes the directories
// below both.
func (l *layers) forbids(from, to string) bool {
	for _, pair := range l.never {
		if within(from, pair[0]) && within(to, pair[1]) {
			return true
		}
	}
	return false
}
