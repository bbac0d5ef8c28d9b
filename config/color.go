package config

import (
	"encoding/hex"
	"errors"
	"math"
)

// Color is an opaque sRGB colour, as red, green and blue.
type Color [3]uint8

// ParseColor reads a colour of the form #rrggbb, with hexadecimal digits of either case.
func ParseColor(text string) (Color, error) {
	var c Color
	if len(text) == 7 && text[0] == '#' {
		if _, err := hex.Decode(c[:], []byte(text[1:])); err == nil {
			return c, nil
		}
	}
	return Color{}, errors.New("must be # and six hexadecimal digits, such as #1976d2")
}

// String returns the colour as #rrggbb in lower case.
func (c Color) String() string { return "#" + hex.EncodeToString(c[:]) }

// luminance returns the relative luminance of WCAG 2.2, from 0 for black to 1 for white:
// https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
func (c Color) luminance() float64 {
	var linear [3]float64
	for i, channel := range c {
		s := float64(channel) / 255
		if s <= 0.04045 {
			linear[i] = s / 12.92
		} else {
			linear[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*linear[0] + 0.7152*linear[1] + 0.0722*linear[2]
}

// Contrast returns the contrast ratio of WCAG 2.2 between two colours, from 1 to 21.
func Contrast(a, b Color) float64 {
	dark, light := a.luminance(), b.luminance()
	if dark > light {
		dark, light = light, dark
	}
	return (light + 0.05) / (dark + 0.05)
}

// TextOn returns black or white: the colour of text that has the better contrast on c. The
// contrast is at least 4.5:1 on every colour.
func TextOn(c Color) Color {
	black, white := Color{}, Color{0xff, 0xff, 0xff}
	if Contrast(c, white) > Contrast(c, black) {
		return white
	}
	return black
}

// minAccentContrast is the contrast that WCAG 2.2 requires of buttons and other parts of
// the interface: https://www.w3.org/TR/WCAG22/#non-text-contrast
const minAccentContrast = 3

// PageBackground is a colour of the recipients' pages that the accent colour appears on.
type PageBackground struct {
	Name  string
	Color Color
}

// PageBackgrounds returns the backgrounds in the style sheet of gateway/pages: a card on
// paper, in light and in dark mode.
func PageBackgrounds() []PageBackground {
	return []PageBackground{
		{"the card in light mode", Color{0xff, 0xff, 0xff}},
		{"the page in light mode", Color{0xf4, 0xf5, 0xf7}},
		{"the card in dark mode", Color{0x1d, 0x22, 0x2b}},
		{"the page in dark mode", Color{0x14, 0x17, 0x1d}},
	}
}
