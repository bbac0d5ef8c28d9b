package config

import (
	"math"
	"strings"
	"testing"
)

func TestParseColor(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Color{
		"#000000": {}, "#ffffff": {255, 255, 255}, "#1976D2": {0x19, 0x76, 0xd2},
	} {
		if got, err := ParseColor(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "#", "#fff", "#ffff", "#fffffff", "#ffffffff", "ffffff", "1976d2f", "#gggggg", "red", " #ffffff", "#ffffff ",
		"#ffffff\n", "rgb(0,0,0)", "#12345\u00e9", "\uff03ffffff", "#ff ff0",
	} {
		if got, err := ParseColor(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// Ratios that other tools print for the same colours.
func TestContrast(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want float64
	}{
		{"#000000", "#ffffff", 21},
		{"#ffffff", "#ffffff", 1},
		{"#777777", "#ffffff", 4.48}, // the well-known grey that just fails 4.5
		{"#767676", "#ffffff", 4.54},
		{"#ff0000", "#ffffff", 4.00},
		{"#0000ff", "#ffffff", 8.59},
		{"#00ff00", "#000000", 15.30},
	} {
		a, errA := ParseColor(tt.a)
		b, errB := ParseColor(tt.b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		for _, got := range []float64{Contrast(a, b), Contrast(b, a)} {
			if math.Abs(got-tt.want) > 0.005 {
				t.Errorf("%s on %s: %.3f, want %.2f", tt.a, tt.b, got, tt.want)
			}
		}
	}
}

// Text on a colour has the better contrast of black and white, which is at least 4.5:1.
func TestTextOn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"#ffffff": "#000000", "#000000": "#ffffff", "#ffff00": "#000000", "#1976d2": "#ffffff", "#767676": "#000000",
	} {
		c, err := ParseColor(text)
		if err != nil || TextOn(c).String() != want {
			t.Errorf("on %s: %s, %v", text, TextOn(c), err)
		}
	}
	for r := 0; r < 256; r += 5 {
		for g := 0; g < 256; g += 5 {
			for b := 0; b < 256; b += 5 {
				c := Color{uint8(r), uint8(g), uint8(b)}
				if ratio := Contrast(c, TextOn(c)); ratio < 4.5 {
					t.Fatalf("text on %s has a contrast of %.2f", c, ratio)
				}
			}
		}
	}
	p := Pages{AccentColor: "#1976d2"}
	if got := p.AccentText(); got != "#ffffff" {
		t.Errorf("got %s", got)
	}
	if got := (&Pages{}).AccentText(); got != "" {
		t.Errorf("without a colour: %s", got)
	}
}

// The message about a colour has the measured ratios, the backgrounds and the remedy.
func TestAccentColor(t *testing.T) {
	t.Parallel()
	const needed = "; at least 3:1 is needed: choose "
	for text, want := range map[string]string{
		"#1976d2": "", "#1976D2": "", "#d32f2f": "",
		"#ffff00": "has a contrast of 1.07:1 against the card in light mode (#ffffff) and 1.01:1 against the page in " +
			"light mode (#f4f5f7)" + needed + "a darker colour",
		"#000080": "has a contrast of 1.00:1 against the card in dark mode (#1d222b) and 1.12:1 against the page in dark " +
			"mode (#14171d)" + needed + "a lighter colour",
		"#c2185b": "has a contrast of 2.71:1 against the card in dark mode (#1d222b)" + needed + "a lighter colour",
		"red":     "must be # and six hexadecimal digits, such as #1976d2",
	} {
		c, _, err := loadText(minimal, nil, "KEYHOLE_PAGES_ACCENT_COLOR="+text)
		if want != "" {
			wantLines(t, err, "KEYHOLE_PAGES_ACCENT_COLOR: pages.accent_color: "+want)
		} else if err != nil || c.Pages.AccentColor != strings.ToLower(text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A colour fails in one mode at most, so that the message can say what to change.
func TestAccentColorFailsInOneMode(t *testing.T) {
	t.Parallel()
	for r := 0; r < 256; r += 15 {
		for g := 0; g < 256; g += 15 {
			for b := 0; b < 256; b += 15 {
				c := Color{uint8(r), uint8(g), uint8(b)}
				low := map[string]bool{}
				for _, background := range PageBackgrounds() {
					if Contrast(c, background.Color) < minAccentContrast {
						low[background.Name[strings.LastIndex(background.Name, " in "):]] = true
					}
				}
				if len(low) > 1 {
					t.Fatalf("%s fails in both modes", c)
				}
			}
		}
	}
}
