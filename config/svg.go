package config

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The namespaces that a logo may use.
const (
	svgSpace   = "http://www.w3.org/2000/svg"
	xlinkSpace = "http://www.w3.org/1999/xlink"
	xmlSpace   = "http://www.w3.org/XML/1998/namespace"
)

// Limits of an SVG. A file of 32 KiB can refer to its own elements so that a browser draws
// billions of them.
const (
	maxSVGDepth = 64
	maxSVGDrawn = 10_000
)

// checkSVG refuses an SVG that contains anything besides shapes and their colours. Lists of
// what is allowed decide, because new elements and attributes of browsers can run scripts
// or load resources. The file is never repaired: two parsers may read a repaired file
// differently.
func checkSVG(data []byte) error {
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return errors.New("is not an SVG in UTF-8: save it in UTF-8")
	}
	c := &svgChecker{data: data, decoder: xml.NewDecoder(bytes.NewReader(data)), ids: map[string]*svgNode{}}
	for {
		c.start = c.decoder.InputOffset()
		c.line, _ = c.decoder.InputPos()
		token, err := c.decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c.syntaxError(err)
		}
		if err := c.token(token); err != nil {
			return err
		}
	}
	if c.root == nil {
		return errors.New("contains no <svg> element")
	}
	return c.checkDrawn()
}

// svgChecker is the state of checking one SVG.
type svgChecker struct {
	data    []byte
	decoder *xml.Decoder
	start   int64      // of the current token, as an offset in data
	line    int        // of the beginning of the current token
	open    []*svgNode // the elements around the current token
	root    *svgNode
	ids     map[string]*svgNode
}

// svgNode is an element, as far as the number of drawn elements depends on it.
type svgNode struct {
	children []*svgNode
	refs     []string // the ids that its attributes refer to
	line     int
	drawn    int  // the elements that a browser draws for it, once they are counted
	counting bool // its count is not yet complete
}

// syntaxError hides the text of the parser's errors, which can repeat parts of the file.
func (c *svgChecker) syntaxError(err error) error {
	line := c.line
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		line = syntax.Line
	}
	return fmt.Errorf("is not valid XML in UTF-8 (line %d): export it again as plain SVG", line)
}

func (c *svgChecker) token(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return c.element(t)
	case xml.EndElement:
		c.open = c.open[:len(c.open)-1]
	case xml.Directive:
		return c.refuse("a DOCTYPE or another <! declaration")
	case xml.ProcInst:
		if t.Target != "xml" || c.start != 0 {
			return c.refuse("the processing instruction <?%s", clip(t.Target))
		}
	case xml.CharData:
		if len(c.open) == 0 && len(bytes.Trim(t, " \t\r\n")) > 0 {
			return c.refuse("text outside of <svg>")
		}
	}
	return nil
}

// refuse returns the error of something that a logo must not contain.
func (c *svgChecker) refuse(format string, args ...any) error {
	return fmt.Errorf("contains %s in line %d, which is not allowed in a logo: remove it, or export the logo as plain "+
		"SVG or PNG", fmt.Sprintf(format, args...), c.line)
}

func (c *svgChecker) element(e xml.StartElement) error {
	name := clip(e.Name.Local)
	switch {
	case e.Name.Space != svgSpace:
		return c.refuse("the element <%s> outside of the SVG namespace (xmlns=%q)", name, svgSpace)
	case !isAllowedElement(e.Name.Local):
		return c.refuse("the element <%s>", name)
	case (len(c.open) == 0) != (e.Name.Local == "svg"):
		return c.refuse("the element <%s> in the place of another one (only the outermost element is <svg>)", name)
	case len(c.open) == 0 && c.root != nil:
		return c.refuse("a second outermost element")
	case len(c.open) == maxSVGDepth:
		return c.refuse("elements nested deeper than %d levels", maxSVGDepth)
	}
	node := &svgNode{line: c.line}
	if len(c.open) == 0 {
		c.root = node
	} else {
		around := c.open[len(c.open)-1]
		around.children = append(around.children, node)
	}
	c.open = append(c.open, node)
	seen := map[xml.Name]bool{}
	for _, a := range e.Attr {
		if seen[a.Name] {
			return c.refuse("the attribute %s of <%s> twice", clip(a.Name.Local), name)
		}
		seen[a.Name] = true
		if err := c.attribute(node, e.Name.Local, a); err != nil {
			return err
		}
	}
	return nil
}

var (
	// svgID matches the ids that other elements can refer to without escapes.
	svgID = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	// svgFunction matches a function of CSS or of a transformation up to its parenthesis.
	svgFunction = regexp.MustCompile(`([A-Za-z-]*)[ \t\r\n]*\(`)
	// svgURL matches a reference to an element of the same file.
	svgURL = regexp.MustCompile(`url\([ \t\r\n]*["']?#([A-Za-z_][A-Za-z0-9_.-]*)["']?[ \t\r\n]*\)`)
)

func (c *svgChecker) attribute(node *svgNode, element string, a xml.Attr) error {
	name, value := a.Name.Local, a.Value
	bad := func(why string) error {
		c.line = c.attributeLine(name)
		return c.refuse("the attribute %s of <%s>%s", clip(name), element, why)
	}
	switch {
	case a.Name.Space == "" && name == "xmlns" || a.Name.Space == "xmlns":
		if value != svgSpace && value != xlinkSpace {
			return bad(" with another namespace than SVG and xlink")
		}
	case a.Name.Space == xmlSpace && (name == "space" || name == "lang"):
	case a.Name.Space != "" && (a.Name.Space != xlinkSpace || name != "href"):
		return bad(" with a prefix")
	case name == "href":
		target, ok := strings.CutPrefix(value, "#")
		if !canRefer(element) || !ok || !svgID.MatchString(target) {
			return bad(` (a reference is allowed in <use> and gradients, only as href="#id")`)
		}
		node.refs = append(node.refs, target)
	case name == "id":
		if !svgID.MatchString(value) {
			return bad(" with characters other than letters, digits, dots, underscores and hyphens")
		}
		if c.ids[value] != nil {
			return bad(" with the value of another id")
		}
		c.ids[value] = node
	case !isAllowedAttribute(name):
		return bad("")
	case isFreeText(name):
	default:
		return c.value(node, value, bad)
	}
	return nil
}

// attributeLine returns the line of an attribute of the current token. Drawing programs
// write one attribute a line.
func (c *svgChecker) attributeLine(name string) int {
	tag := c.data[c.start:c.decoder.InputOffset()]
	at := regexp.MustCompile(`[ \t\r\n:]` + regexp.QuoteMeta(name) + `[ \t\r\n]*=`).FindIndex(tag)
	if at == nil {
		return c.line
	}
	return c.line + bytes.Count(tag[:at[0]+1], []byte("\n"))
}

// value checks an attribute that browsers may parse as CSS. It refuses escapes, comments,
// strings, and functions that can load something, such as url(), image-set() and src().
func (c *svgChecker) value(node *svgNode, value string, bad func(string) error) error {
	for _, m := range svgURL.FindAllStringSubmatch(value, -1) {
		node.refs = append(node.refs, m[1])
	}
	rest := svgURL.ReplaceAllString(value, "")
	if strings.ContainsAny(rest, "\\:;@{}<>\"'") || strings.Contains(rest, "/*") {
		return bad(" with a character that its value does not need")
	}
	for _, m := range svgFunction.FindAllStringSubmatch(rest, -1) {
		switch m[1] {
		case "matrix", "translate", "scale", "rotate", "skewX", "skewY", "rgb", "rgba", "hsl", "hsla":
		case "url":
			return bad(" with a url() other than url(#id)")
		default:
			return bad(" with a function other than url(#id), colours and transformations")
		}
	}
	return nil
}

// checkDrawn refuses references that run in circles or draw too much.
func (c *svgChecker) checkDrawn() error {
	_, err := c.count(c.root)
	return err
}

// count returns the number of elements that a browser draws for a node, with those that it
// refers to.
func (c *svgChecker) count(n *svgNode) (int, error) {
	c.line = n.line
	if n.counting {
		return 0, c.refuse("an element that refers to itself")
	}
	if n.drawn > 0 {
		return n.drawn, nil
	}
	n.counting = true
	parts := n.children
	for _, id := range n.refs {
		if target := c.ids[id]; target != nil {
			parts = append(parts[:len(parts):len(parts)], target)
		}
	}
	total := 1
	for _, part := range parts {
		drawn, err := c.count(part)
		if err != nil {
			return 0, err
		}
		if total += drawn; total > maxSVGDrawn {
			c.line = n.line
			return 0, c.refuse("references that draw more than %d elements", maxSVGDrawn)
		}
	}
	n.drawn, n.counting = total, false
	return total, nil
}

// clip shortens a name in a file for a message.
func clip(name string) string {
	if r := []rune(name); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return name
}
