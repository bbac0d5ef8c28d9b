package config

import (
	"fmt"
	"strings"
)

// source is the origin of a key's value: a line of the file, a variable, or an override
// if both fields are empty.
type source struct {
	line     int
	variable string
}

// findings collects the problems of reading. merge adds the problems of validation.
type findings struct {
	problems Problems
	sources  map[string]source
	// spoiled has the keys whose values could not be read. merge ignores problems of
	// validation with their zero values.
	spoiled map[string]bool
	// meant has the keys that the operator probably meant with an unknown key. merge does
	// not report them as missing.
	meant map[string]bool
}

func newFindings() *findings {
	return &findings{
		sources: map[string]source{},
		spoiled: map[string]bool{},
		meant:   map[string]bool{},
	}
}

// stated reports whether the file, a variable or an override set the key.
func (f *findings) stated(path string) bool {
	_, ok := f.sources[path]
	return ok
}

// set records the source of a key's value and removes the sources of its items.
func (f *findings) set(path string, s source) {
	for p := range f.sources {
		if under(p, path) {
			delete(f.sources, p)
		}
	}
	f.sources[path] = s
}

// add records a problem of a key whose value can still be checked.
func (f *findings) add(path string, s source, format string, args ...any) {
	f.problems = append(f.problems, Problem{
		Path: path, Line: s.line, Variable: s.variable, Message: fmt.Sprintf(format, args...),
	})
}

// spoil records a problem that leaves the key without a value.
func (f *findings) spoil(path string, s source, format string, args ...any) {
	f.spoiled[path] = true
	f.add(path, s, format, args...)
}

// locate returns the source of a key, or of the nearest surrounding section that has a
// source.
func (f *findings) locate(path string) source {
	for p := path; p != ""; p = parent(p) {
		if s, ok := f.sources[p]; ok {
			return s
		}
	}
	return source{}
}

// merge adds the problems of validation to those of reading and returns all of them in
// order. It omits a problem of validation that follows from a problem of reading.
func (f *findings) merge(found Problems) Problems {
	all := f.problems
	for _, p := range found {
		if f.repeats(p.Path) {
			continue
		}
		s := f.locate(p.Path)
		p.Line, p.Variable = s.line, s.variable
		all = append(all, p)
	}
	all.sort()
	return all
}

// repeats reports whether a problem of a key follows from a problem of reading.
func (f *findings) repeats(path string) bool {
	if f.spoiled[""] || f.meant[path] && !f.stated(path) {
		return true
	}
	for p := path; p != ""; p = parent(p) {
		if f.spoiled[p] {
			return true
		}
	}
	return false
}

// parent returns a path without its last key or index.
func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return ""
}

// under reports whether path is inside of the section or list.
func under(path, section string) bool {
	rest, ok := strings.CutPrefix(path, section)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// join returns the path of a key in a section; the section "" is the whole file.
func join(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}
