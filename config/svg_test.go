package config

import (
	"fmt"
	"strings"
	"testing"
)

// svgOf returns an SVG with a body.
func svgOf(body string) string {
	return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">` + body + `</svg>`
}

// Files that drawing programs export as plain SVG.
func TestSVGAllowed(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"minimal":     `<svg xmlns="http://www.w3.org/2000/svg"/>`,
		"declaration": "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n" + svgOf(`<path d="M0 0h1v1z"/>`),
		"BOM":         utf8BOM + svgOf(""),
		"line breaks": "\r\n" + svgOf("\n<g>\n</g>\n") + "\n",
		"a prefix":    `<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:path d="M0 0"/></s:svg>`,
		"a comment":   "<!-- by <script> hand -->" + svgOf("<!-- a -->") + "<!-- b -->",
		"text": svgOf(`<title>A &amp; B &#169; <![CDATA[<script>]]></title><desc>A logo</desc>`) +
			"\n",
		"presentation": svgOf(`<g fill="none" stroke="#1976d2" stroke-width=".5" stroke-dasharray="1, 2" opacity="50%"` +
			` transform="translate(1 2) rotate (45) scale(.5,-1) skewX(1) matrix(1 0 0 1 0 0)">` +
			`<circle cx="1" cy="1" r="1" fill="rgb(1, 2, 3)"/><ellipse cx="1" cy="1" rx="1" ry="2" fill="hsl(1 2% 3%)"/>` +
			`<line x1="0" y1="0" x2="1" y2="1"/><polyline points="0,0 1,1"/><polygon points="0 0 1 1"/>` +
			`<rect x="1" y="2" width="3" height="4" rx="1" fill="currentColor"/></g>`),
		"gradients": svgOf(`<defs><linearGradient id="a"><stop offset="0" stop-color="#fff" stop-opacity=".5"/>` +
			`</linearGradient><linearGradient id="b" xlink:href="#a" gradientTransform="rotate(90)"/>` +
			`<radialGradient id="c" href="#a" gradientUnits="userSpaceOnUse" fx="1"/></defs>` +
			`<path d="M0 0" fill="url(#b)" stroke="url('#c') red"/>`),
		"cuts": svgOf(`<clipPath id="a" clipPathUnits="userSpaceOnUse"><path d="M0 0" clip-rule="evenodd"/></clipPath>` +
			`<mask id="m-1.x" maskUnits="userSpaceOnUse"><path d="M0 0"/></mask><g clip-path="url( #a )" mask="url(#m-1.x)"/>`),
		"use": svgOf(`<symbol id="s" viewBox="0 0 1 1"><path d="M0 0"/></symbol><use href="#s"/>` +
			`<use xlink:href="#s" x="1"/><use href="#unknown"/>`),
		"accessible": svgOf(`<g role="img" aria-label="Example: &quot;A/B&quot;" aria-hidden="false" class="a b:c"/>`),
		"languages":  svgOf(`<title xml:lang="de" xml:space="preserve"> Logo </title>`),
		"nested":     svgOf(strings.Repeat("<g>", maxSVGDepth-1) + strings.Repeat("</g>", maxSVGDepth-1)),
		"many elements": `<svg xmlns="http://www.w3.org/2000/svg">` +
			strings.Repeat("<g/>", (maxLogo-100)/4) + "</svg>",
	} {
		logo, err := parseLogo([]byte(text))
		if err != nil || logo.MediaType != MediaTypeSVG || string(logo.Content) != text {
			t.Errorf("%s: %v, %q", name, err, logo.MediaType)
		}
	}
}

// useChain returns ten groups; each draws the previous one ten times. A browser would draw
// 10^10 elements.
func useChain() string {
	var b strings.Builder
	b.WriteString(`<g id="g0"><path d="M0 0"/></g>`)
	for i := range 10 {
		fmt.Fprintf(&b, `<g id="g%d">%s</g>`, i+1, strings.Repeat(fmt.Sprintf(`<use href="#g%d"/>`, i), 10))
	}
	return b.String()
}

// maskChain does the same with masks.
func maskChain() string {
	var b strings.Builder
	b.WriteString(`<mask id="m0"><path d="M0 0"/></mask>`)
	for i := range 10 {
		fmt.Fprintf(&b, `<mask id="m%d">%s</mask>`, i+1,
			strings.Repeat(fmt.Sprintf(`<path d="M0 0" mask="url(#m%d)"/>`, i), 10))
	}
	return b.String() + `<path d="M0 0" mask="url(#m10)"/>`
}

// Hostile files, and the part of the message that names the place.
func TestSVGHostile(t *testing.T) {
	t.Parallel()
	const notXML = "is not valid XML in UTF-8"
	const notUTF8 = "is not an SVG in UTF-8"
	const neither = "is neither PNG nor SVG in UTF-8"
	hostile := map[string]struct{ text, want string }{
		"a script":             {svgOf("\n<script>alert(1)</script>"), "the element <script> in line 2"},
		"a script in capitals": {svgOf("<SCRIPT>alert(1)</SCRIPT>"), "the element <SCRIPT> in line 1"},
		"a script with prefix": {svgOf(`<s:script xmlns:s="http://www.w3.org/2000/svg"/>`), "the element <script>"},
		"a script of XHTML": {
			svgOf(`<h:script xmlns:h="http://www.w3.org/1999/xhtml"/>`), "the element <script> outside of the SVG namespace",
		},
		"onload": {
			strings.Replace(svgOf(""), "<svg", "<svg\n\tonload=\"alert(1)\"", 1),
			"the attribute onload of <svg> in line 2",
		},
		"a late attribute": {
			svgOf("\n<path\n  d=\"M0\n0\"\n  x:href\n=\"#a\"/>"), "the attribute href of <path> with a prefix in line 5",
		},
		"ONLOAD":             {svgOf(`<g ONLOAD="alert(1)"/>`), "the attribute ONLOAD of <g>"},
		"onclick":            {svgOf("\n\n<path onclick='alert(1)'/>"), "the attribute onclick of <path> in line 3"},
		"onbegin":            {svgOf(`<animate onbegin="alert(1)"/>`), "the element <animate>"},
		"an anchor":          {svgOf(`<a href="javascript:alert(1)"/>`), "the element <a>"},
		"javascript: use":    {svgOf(`<use href="javascript:alert(1)"/>`), "the attribute href of <use>"},
		"escaped javascript": {svgOf(`<use href="&#106;avascript:alert(1)"/>`), "the attribute href of <use>"},
		"javascript: and #": {
			svgOf(`<linearGradient xlink:href=" javascript:alert(1)//#a"/>`), "the attribute href of <linearGradient>",
		},
		"data: use":         {svgOf(`<use href="data:image/svg+xml;base64,AAAA#a"/>`), "the attribute href of <use>"},
		"an external use":   {svgOf(`<use href="https://evil.test/a.svg#a"/>`), "the attribute href of <use>"},
		"a relative use":    {svgOf(`<use xlink:href="other.svg#a"/>`), "the attribute href of <use>"},
		"a network path":    {svgOf(`<use href="//evil.test/a.svg#a"/>`), "the attribute href of <use>"},
		"a space in a href": {svgOf(`<use href="# a"/>`), "the attribute href of <use>"},
		"href of a path":    {svgOf(`<path href="#a"/>`), "the attribute href of <path>"},
		"another prefix": {
			svgOf(`<use x:href="https://e.test" xmlns:x="http://www.w3.org/1999/xlink"/>`),
			"href of <use>",
		},
		"an undeclared prefix": {svgOf(`<use y:href="#a"/>`), "the attribute href of <use> with a prefix"},
		"other xlink":          {svgOf(`<use xlink:actuate="onLoad"/>`), "the attribute actuate of <use> with a prefix"},
		"xml:base":             {svgOf(`<g xml:base="https://evil.test/"/>`), "the attribute base of <g> with a prefix"},
		"foreignObject":        {svgOf(`<foreignObject><p>x</p></foreignObject>`), "the element <foreignObject>"},
		"iframe":               {svgOf(`<iframe xmlns="http://www.w3.org/1999/xhtml"/>`), "the element <iframe> outside"},
		"an image":             {svgOf(`<image href="https://evil.test/a.png"/>`), "the element <image>"},
		"feImage":              {svgOf(`<filter><feImage href="https://evil.test/a"/></filter>`), "the element <filter>"},
		"style element":        {svgOf(`<style>@import "https://evil.test/a.css";</style>`), "the element <style>"},
		"style attribute": {
			svgOf(`<g style="background:url(https://evil.test/a)"/>`), "the attribute style of <g>",
		},
		"animate href": {
			svgOf(`<animate attributeName="href" values="javascript:alert(1)"/>`), "the element <animate>",
		},
		"set":              {svgOf(`<use href="#a"><set attributeName="href" to="data:x"/></use>`), "the element <set>"},
		"animateTransform": {svgOf(`<animateTransform/>`), "the element <animateTransform>"},
		"text":             {svgOf(`<text>Sign in at evil.test</text>`), "the element <text>"},
		"switch":           {svgOf(`<switch/>`), "the element <switch>"},
		"pattern":          {svgOf(`<pattern/>`), "the element <pattern>"},
		"handler":          {svgOf(`<handler/>`), "the element <handler>"},
		"metadata":         {svgOf(`<metadata/>`), "the element <metadata>"},
		"an editor's data": {
			svgOf(`<g xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"/>`),
			"the attribute inkscape of <g> with another namespace",
		},
		"an unknown prefix": {svgOf(`<x:g/>`), "the element <g> outside of the SVG namespace"},
		"no namespace":      {`<svg/>`, "the element <svg> outside of the SVG namespace"},
		"HTML":              {`<!DOCTYPE html><html></html>`, "a DOCTYPE or another <! declaration in line 1"},
		"HTML only":         {`<html/>`, "the element <html> outside"},
		"nested svg":        {svgOf(`<svg/>`), "only the outermost element is <svg>"},
		"no outermost svg":  {`<g xmlns="http://www.w3.org/2000/svg"/>`, "only the outermost element is <svg>"},
		"two roots":         {svgOf("") + "\n" + svgOf(""), "a second outermost element in line 2"},
		"text around":       {svgOf("") + "x", "text outside of <svg>"},
		"no element":        {`<!-- a -->`, "contains no <svg> element"},

		"DOCTYPE": {
			"<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\"\n  \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">" +
				svgOf(""), "a DOCTYPE or another <! declaration in line 1",
		},
		"an XML bomb": {
			"<?xml version=\"1.0\"?>\n<!DOCTYPE svg [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;\">]>" + svgOf("<title>&b;</title>"),
			"a DOCTYPE or another <! declaration in line 2",
		},
		"an external entity": {
			`<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + svgOf("<title>&x;</title>"), "a DOCTYPE",
		},
		"an unknown entity":      {svgOf("<title>&nbsp;</title>"), notXML},
		"an entity in attribute": {svgOf(`<g fill="&x;"/>`), notXML},
		"a style sheet": {
			"<?xml-stylesheet href=\"https://evil.test/a.css\"?>" + svgOf(""),
			"<?xml-stylesheet in line 1",
		},
		"PHP":                 {svgOf("\n<?php system($_GET[0]); ?>"), "the processing instruction <?php in line 2"},
		"a late declaration":  {" <?xml version=\"1.0\"?>" + svgOf(""), "the processing instruction <?xml in line 1"},
		"UTF-7":               {`<?xml version="1.0" encoding="utf-7"?>` + svgOf("+ADw-script+AD4-"), notXML},
		"declared UTF-16":     {`<?xml version="1.0" encoding="UTF-16"?>` + svgOf(""), notXML},
		"ISO 8859-1":          {`<?xml version="1.0" encoding="iso-8859-1"?>` + svgOf("\xe9"), notUTF8},
		"XML 1.1":             {`<?xml version="1.1"?>` + svgOf(""), notXML},
		"UTF-16":              {"\xff\xfe<\x00s\x00v\x00g\x00", neither},
		"UTF-16 without BOM":  {"<\x00s\x00v\x00g\x00/\x00>\x00", notUTF8},
		"NUL":                 {svgOf("<title>\x00</title>"), notUTF8},
		"a form feed":         {svgOf("<title>\f</title>"), notXML},
		"invalid UTF-8":       {svgOf("<title>\xc0\xbc</title>"), notUTF8},
		"open elements":       {`<svg xmlns="http://www.w3.org/2000/svg"><g>`, notXML},
		"crossed elements":    {svgOf(`<g><defs></g></defs>`), notXML},
		"no quotes":           {svgOf(`<g fill=red />`), notXML},
		"CDATA with a script": {`<![CDATA[<script>]]>` + svgOf(""), "text outside of <svg>"},
		"empty":               {"", neither},
		"only space":          {" \n", neither},
		"text file":           {"password=hunter2", neither},
		"a GIF":               {"GIF89a", neither},
		"gzip (svgz)":         {"\x1f\x8b\x08", neither},

		"external fill": {svgOf(`<g fill="url(https://evil.test/a#b)"/>`), "the attribute fill of <g> with"},
		"relative fill": {
			svgOf(`<g fill="url(a.svg)"/>`),
			"the attribute fill of <g> with a url() other than url(#id)",
		},
		"open url":             {svgOf(`<g fill="url(#a"/>`), "the attribute fill of <g> with a url() other"},
		"a second url":         {svgOf(`<g mask="url(#a),url(b.svg)"/>`), "the attribute mask of <g> with a url() other"},
		"URL in capitals":      {svgOf(`<g mask="URL(#a)"/>`), "the attribute mask of <g> with a function"},
		"a CSS escape":         {svgOf(`<g fill="\75rl(a.svg)"/>`), "the attribute fill of <g> with a character"},
		"a CSS comment":        {svgOf(`<g fill="red/**/"/>`), "the attribute fill of <g> with a character"},
		"image-set":            {svgOf(`<g mask="image-set('a.svg' 1x)"/>`), "the attribute mask of <g> with a character"},
		"src()":                {svgOf(`<g mask="src(a.svg)"/>`), "the attribute mask of <g> with a function"},
		"var()":                {svgOf(`<g fill="var(--a)"/>`), "the attribute fill of <g> with a function"},
		"a second declaration": {svgOf(`<g fill="red;background:red"/>`), "the attribute fill of <g> with a character"},
		"filter attribute":     {svgOf(`<g filter="url(#a)"/>`), "the attribute filter of <g>"},
		"cursor":               {svgOf(`<g cursor="url(a.cur)"/>`), "the attribute cursor of <g>"},
		"marker":               {svgOf(`<g marker-start="url(#a)"/>`), "the attribute marker-start of <g>"},
		"data attribute":       {svgOf(`<g data-name="a"/>`), "the attribute data-name of <g>"},
		"tabindex":             {svgOf(`<g tabindex="0"/>`), "the attribute tabindex of <g>"},
		"an odd id":            {svgOf(`<g id="a)b"/>`), "the attribute id of <g> with characters other"},
		"an id twice":          {svgOf(`<g id="a"/><g id="a"/>`), "the attribute id of <g> with the value of another id"},
		"an attribute twice":   {svgOf(`<g fill="red" fill="blue"/>`), "the attribute fill of <g> twice"},
		"href twice": {
			svgOf(`<use href="#a" x:href="#a" xmlns:x="http://www.w3.org/1999/xlink" xlink:href="#b"/>`),
			"twice",
		},

		"10000 levels":    {svgOf(strings.Repeat("<g>", 4000)), "elements nested deeper than 64 levels"},
		"65 levels":       {svgOf(strings.Repeat("<g>", maxSVGDepth)), "elements nested deeper than 64 levels"},
		"a chain of uses": {svgOf(useChain()), "references that draw more than 10000 elements"},
		"a chain of masks": {
			svgOf(maskChain()), "references that draw more than 10000 elements",
		},
		"a circle":       {svgOf(`<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>`), "refers to itself"},
		"use of itself":  {svgOf(`<use id="a" href="#a"/>`), "refers to itself"},
		"use of the svg": {strings.Replace(svgOf(`<use href="#a"/>`), "<svg", `<svg id="a"`, 1), "refers to itself"},
	}
	if len(hostile) < 40 {
		t.Errorf("only %d files", len(hostile))
	}
	for name, tt := range hostile {
		_, err := parseLogo([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		} else if strings.ContainsAny(err.Error(), "\r\n\x00") || len(err.Error()) > 400 {
			t.Errorf("%s: not one short line: %q", name, err)
		}
	}
}

// Names from the file are shortened in messages.
func TestSVGLongNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1000)
	for _, body := range []string{"<" + long + "/>", "<g " + long + `=""/>`, "<?" + long + "?>"} {
		if err := checkSVG([]byte(svgOf(body))); err == nil || !strings.Contains(err.Error(), "é…") ||
			len(err.Error()) > 300 {
			t.Errorf("got %v", err)
		}
	}
}
