package config

import (
	"fmt"
	"strings"
)

// source is where the value of a key came from: a line of the file, a variable,
// or, with neither, an override.
type source struct {
	line     int
	variable string
}

// findings gathers what reading finds, so that one list can be made of it and
// of what validation finds later.
type findings struct {
	problems Problems
	sources  map[string]source
	// spoiled are keys whose value could not be read. Validation would only
	// complain of the zero value that stands in for it.
	spoiled map[string]bool
	// meant are keys that an unknown key was probably meant to be. That they are
	// missing is the same mistake, not a second one.
	meant map[string]bool
}

func newFindings() *findings {
	return &findings{
		sources: map[string]source{},
		spoiled: map[string]bool{},
		meant:   map[string]bool{},
	}
}

// stated tells whether anything set the key.
func (f *findings) stated(path string) bool {
	_, ok := f.sources[path]
	return ok
}

// set notes where a key's value came from, and forgets where its items did.
func (f *findings) set(path string, s source) {
	for p := range f.sources {
		if under(p, path) {
			delete(f.sources, p)
		}
	}
	f.sources[path] = s
}

// add reports a problem and keeps the key's value.
func (f *findings) add(path string, s source, format string, args ...any) {
	f.problems = append(f.problems, Problem{
		Path: path, Line: s.line, Variable: s.variable, Message: fmt.Sprintf(format, args...),
	})
}

// spoil reports a problem that leaves the key without a value.
func (f *findings) spoil(path string, s source, format string, args ...any) {
	f.spoiled[path] = true
	f.add(path, s, format, args...)
}

// locate finds where a key was set, or the nearest section around it that was.
func (f *findings) locate(path string) source {
	for p := path; p != ""; p = parent(p) {
		if s, ok := f.sources[p]; ok {
			return s
		}
	}
	return source{}
}

// judge adds what validation found, without what only repeats a problem of
// reading, and returns all problems in order.
func (f *findings) judge(found Problems) Problems {
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

// parent is the path without its last key or index.
func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return ""
}

// under tells whether path is inside of the section or list.
func under(path, section string) bool {
	rest, ok := strings.CutPrefix(path, section)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// join is the path of a key in a section, "" being the whole file.
func join(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}
