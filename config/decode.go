package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yamlLine finds the line of a syntax error, which the library gives only in the text of
// the error.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// decode reads the YAML of the file into c. It walks the nodes itself, because the
// library's strict mode stops at the first problem of some kinds and does not report
// paths. If the file is not YAML, decode returns that as the only problem.
func (f *findings) decode(data []byte, c *Config) *Problem {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return syntaxProblem(err)
	}
	switch err := dec.Decode(&next); {
	case err == nil:
		f.add("", source{line: next.Line}, "a second document begins here; the file may contain only one")
	case !errors.Is(err, io.EOF):
		return syntaxProblem(err)
	}
	if len(doc.Content) == 1 {
		f.section(doc.Content[0], reflect.ValueOf(c).Elem(), "")
	}
	return nil
}

func syntaxProblem(err error) *Problem {
	p := &Problem{Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Message = strings.TrimPrefix(err.Error(), m[0])
	}
	if strings.Contains(p.Message, "unknown anchor") {
		// The message would show a plain secret that begins with * as the anchor's name.
		p.Message = "an alias (*name) refers to no anchor (&name)"
	}
	p.Message = "not valid YAML: " + p.Message
	return p
}

// value reads n into v by the type of v. line is the line of the key, which problems
// report.
func (f *findings) value(n *yaml.Node, v reflect.Value, path string, line int) {
	f.sources[path] = source{line: line}
	if n.Kind == yaml.AliasNode {
		// Aliases are allowed everywhere. They cannot recurse without end, because
		// reading goes only as deep as the types of Config.
		n = n.Alias
	}
	switch v.Kind() {
	case reflect.Struct:
		f.section(n, v, path)
	case reflect.Slice:
		f.list(n, v, path)
	default:
		if err := setScalar(n, v); err != nil {
			v.SetZero()
			f.spoil(path, source{line: line}, "%s", err)
		}
	}
}

// section reads a mapping. An empty mapping keeps the defaults: the operator may have
// commented out all its keys.
func (f *findings) section(n *yaml.Node, v reflect.Value, path string) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		// The file as a whole has no key, so the problem has the line of the node.
		f.spoil(path, source{line: cmp.Or(f.locate(path).line, n.Line)}, "must be keys and values, not %s", describe(n))
		return
	}
	fields := yamlFields(v.Type())
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		at := source{line: n.Content[i].Line}
		name, known := key.Value, false
		var index int
		if key.Kind == yaml.ScalarNode {
			index, known = fields.index[name]
		}
		switch line, twice := first[name]; {
		case key.Kind != yaml.ScalarNode:
			f.add(path, at, "a key must be a name, not %s", describe(key))
		case key.ShortTag() == "!!merge":
			f.add(path, at, "merge keys (<<) are not supported; write the keys themselves")
		case !known:
			f.unknown(fields, v.Type(), path, name, at)
		case twice:
			f.add(join(path, name), at, "is given twice, first in line %d", line)
		default:
			first[name] = at.line
			f.value(value, v.Field(index), join(path, name), at.line)
		}
	}
}

func (f *findings) unknown(fields fieldNames, t reflect.Type, path, name string, at source) {
	full := join(path, shown(name))
	if isSecretKey(t, name) {
		// The operator meant the file or the variable, so do not report them as missing.
		f.meant[full+"_file"] = true
		f.add(full, at, "secrets are not allowed in this file: set %s_file to the path of a file with the secret, or "+
			"set the variable", name)
		return
	}
	if meant := Nearest(name, fields.names); meant != "" {
		f.meant[join(path, meant)] = true
		f.add(full, at, "unknown key; did you mean %s?", meant)
		return
	}
	f.add(full, at, "unknown key; the keys here are %s", strings.Join(fields.names, ", "))
}

// list reads a sequence of texts or of sections. It refuses a key without a value,
// because operator.keys[].objects without items would mean all objects.
func (f *findings) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if isNull(n) {
			hint = "; write [] for an empty list"
		}
		v.SetZero()
		f.spoil(path, f.locate(path), "must be a list, not %s%s", describe(n), hint)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		if v.Type().Elem().Kind() == reflect.Struct {
			v.Index(i).Set(newEntry(v.Type().Elem()))
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		f.value(item, v.Index(i), at, item.Line)
		if isNull(item) && v.Index(i).Kind() == reflect.Struct {
			f.spoil(at, source{line: item.Line}, "is empty: write the entry, or remove it")
		}
	}
}

// newEntry returns an entry of a list with its defaults.
func newEntry(t reflect.Type) reflect.Value {
	switch t {
	case reflect.TypeFor[Storage]():
		return reflect.ValueOf(DefaultStorage())
	case reflect.TypeFor[OIDCGrant]():
		return reflect.ValueOf(DefaultOIDCGrant())
	case reflect.TypeFor[PageLink]():
		return reflect.ValueOf(PageLink{})
	}
	return reflect.ValueOf(DefaultOperatorKey())
}

// setScalar reads one value. Its YAML type must be the type of the key: "5" is not a
// number and 5 is not a duration. A number is accepted as text and keeps its spelling.
func setScalar(n *yaml.Node, v reflect.Value) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("must be %s, not %s", typeText(v.Type()), describe(n))
	}
	tag := n.ShortTag()
	if tag == "!!null" {
		return errors.New("has no value: write one, or omit the key")
	}
	text, allowed := n.Value, false
	switch v.Kind() {
	case reflect.Bool:
		text, allowed = strings.ToLower(text), tag == "!!bool"
	case reflect.Int:
		allowed = tag == "!!int"
	default: // setText checks that a duration has a unit
		allowed = tag == "!!str" || tag == "!!int" || tag == "!!float"
	}
	if !allowed {
		return fmt.Errorf("must be %s, not %s", typeText(v.Type()), describe(n))
	}
	return setText(v, text)
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// describe names the type of a node. It never shows the value, which may be a secret.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	default:
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int":
		return "a number"
	case "!!float":
		return "a fraction"
	case "!!str":
		return "text"
	default:
		return "a value with a tag (!)" // the tag itself may be a plain secret that begins with !
	}
}
