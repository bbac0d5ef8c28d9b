package config

// isAllowedElement reports whether a logo may contain an element of the SVG namespace. The
// list has shapes, colours and cuts. It has no text, because its look depends on the fonts
// of the recipient.
func isAllowedElement(name string) bool {
	switch name {
	case "svg", "g", "defs", "title", "desc", "symbol", "use",
		"path", "rect", "circle", "ellipse", "line", "polyline", "polygon",
		"linearGradient", "radialGradient", "stop", "clipPath", "mask":
		return true
	}
	return false
}

// canRefer reports whether an element may refer to another one by href.
func canRefer(element string) bool {
	return element == "use" || element == "linearGradient" || element == "radialGradient"
}

// isFreeText reports whether an attribute has text that browsers do not interpret.
func isFreeText(attribute string) bool {
	switch attribute {
	case "aria-label", "class", "role":
		return true
	}
	return false
}

// isAllowedAttribute reports whether an element of a logo may have an attribute without a
// prefix. id and href have rules of their own. style is missing, because it can contain
// every CSS property.
func isAllowedAttribute(name string) bool {
	switch name {
	// Meaning.
	case "aria-hidden", "aria-label", "class", "focusable", "role", "version", "baseProfile",
		// Geometry.
		"viewBox", "preserveAspectRatio", "width", "height", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy",
		"r", "rx", "ry", "fx", "fy", "fr", "d", "points", "transform", "pathLength", "overflow",
		// Colours and lines.
		"color", "color-interpolation", "display", "fill", "fill-opacity", "fill-rule", "opacity", "paint-order",
		"shape-rendering", "stroke", "stroke-dasharray", "stroke-dashoffset", "stroke-linecap",
		"stroke-linejoin", "stroke-miterlimit", "stroke-opacity", "stroke-width", "vector-effect", "visibility",
		// Gradients.
		"gradientTransform", "gradientUnits", "offset", "spreadMethod", "stop-color", "stop-opacity",
		// Cuts.
		"clip-path", "clip-rule", "clipPathUnits", "mask", "mask-type", "maskContentUnits", "maskUnits":
		return true
	}
	return false
}
