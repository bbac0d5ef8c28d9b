package config

import (
	"fmt"
	"strings"
)

// source says where the value of a key came from: a line of the file, a variable or, with
// neither of them, an override.
type source struct {
	line     int
	variable string
}

// findings collects the problems of reading, so that one list can contain them and the
// problems that validation finds later.
type findings struct {
	problems Problems
	sources  map[string]source
	// spoiled has the keys whose value could not be read. Validation would only report
	// their zero value as a second problem.
	spoiled map[string]bool
	// meant has the keys that an unknown key was probably meant to be. Their absence is
	// the same mistake and not reported again.
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

// locate returns the source of a key, or of the nearest section around it that has one.
func (f *findings) locate(path string) source {
	for p := path; p != ""; p = parent(p) {
		if s, ok := f.sources[p]; ok {
			return s
		}
	}
	return source{}
}

// merge adds the problems of validation to those of reading and returns all of them in
// order. It leaves out a problem that only repeats one of reading.
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

// repeats reports whether a problem of a key follows from one that reading found.
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

// join returns the path of a key in a section; "" is the file as a whole.
func join(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}
