package config

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The values of pages.sender.
const (
	SenderNone         = "none"
	SenderOrganization = "organization"
	SenderOperator     = "operator"
)

// The limits of the section pages. Names are counted in characters, URLs in bytes.
const (
	maxOrganization = 80
	maxLinkName     = 40
	maxLinks        = 8
	maxPageURL      = 2000
)

// PageLanguages returns the built-in languages of the recipients' pages, as BCP 47 tags. The
// first one is the fallback if the configuration names no languages.
func PageLanguages() []string {
	return []string{"en", "de", "fr", "es", "pt", "it", "nl", "pl", "ja", "zh", "ar"}
}

// AccentText returns the colour of text on AccentColor, #000000 or #ffffff, or "" if
// AccentColor is empty or invalid.
func (p *Pages) AccentText() string {
	c, err := ParseColor(p.AccentColor)
	if err != nil {
		return ""
	}
	return TextOn(c).String()
}

// pages checks everything except the logo, because validate reads no files.
func (k *checker) pages(p Pages) {
	known := k.oneOf("pages.sender", p.Sender, SenderNone, SenderOrganization, SenderOperator)
	switch {
	case p.Organization != "":
		k.visible("pages.organization", p.Organization, maxOrganization)
	case known && p.Sender != SenderNone:
		k.warn(WarnNoOrganization, "pages.organization",
			"is empty: recipients do not learn whose files these are; set the name of the organization, or "+
				"pages.sender: none")
	}
	k.accent(p.AccentColor)
	if why := contactProblem(p.Contact); why != "" {
		k.problem("pages.contact", "%s", why)
	}
	if len(p.Links) > maxLinks {
		k.problem("pages.links", "has %d links; the limit is %d", len(p.Links), maxLinks)
	}
	for i, l := range p.Links {
		path := fmt.Sprintf("pages.links[%d]", i)
		if l.Name == "" {
			k.problem(path+".name", "is missing: set the text of the link, such as Privacy")
		} else {
			k.visible(path+".name", l.Name, maxLinkName)
		}
		if why := pageLinkProblem(l.URL); why != "" {
			k.problem(path+".url", "%s", why)
		}
		if l.Language != "" && k.oneOf(path+".language", l.Language, PageLanguages()...) &&
			len(p.Languages) > 0 && !slices.Contains(p.Languages, l.Language) {
			k.warn(WarnUnusedLink, path+".language", "is %s, which is not in pages.languages, so no page shows the link; "+
				"offer the language, or remove the link", l.Language)
		}
	}
	for i, language := range p.Languages {
		path := fmt.Sprintf("pages.languages[%d]", i)
		if k.oneOf(path, language, PageLanguages()...) && slices.Index(p.Languages, language) < i {
			k.problem(path, "is listed twice")
		}
	}
}

// accent refuses a colour that is hard to see on the pages. No colour fails in both modes, so
// the advice is unambiguous.
func (k *checker) accent(text string) {
	const path = "pages.accent_color"
	if text == "" {
		return
	}
	c, err := ParseColor(text)
	if err != nil {
		k.problem(path, "%s", err)
		return
	}
	var low []string
	advice := "a darker"
	for _, background := range PageBackgrounds() {
		ratio := Contrast(c, background.Color)
		if ratio >= minAccentContrast {
			continue
		}
		if c.luminance() < 0.2 {
			advice = "a lighter"
		}
		// Rounding down never shows 3.00:1 for a colour that is refused.
		low = append(low, fmt.Sprintf("%.2f:1 against %s (%s)", math.Floor(ratio*100)/100, background.Name,
			background.Color))
	}
	if len(low) > 0 {
		k.problem(path, "has a contrast of %s; at least %d:1 is needed: choose %s colour", strings.Join(low, " and "),
			minAccentContrast, advice)
	}
}

// visible refuses text that could look like other text on a page, or like none.
func (k *checker) visible(path, text string, most int) {
	n := utf8.RuneCountInString(text)
	switch {
	case !utf8.ValidString(text):
		k.problem(path, "is not valid UTF-8")
	case n > most:
		k.problem(path, "has %d characters; the limit is %d", n, most)
	case strings.ContainsFunc(text, isHidden):
		k.problem(path, "contains a control, direction-changing or invisible character; remove it")
	case strings.TrimFunc(text, unicode.IsSpace) != text:
		k.problem(path, "begins or ends with a space; remove it")
	case !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsMark(r) }):
		k.problem(path, "consists only of combining marks; write a name")
	}
}

// isHidden reports whether a character has no visible form of its own. A space has a width,
// so that it counts as visible. The joiners of Persian and Indic scripts and the selectors
// of emoji count as hidden, because nobody sees them in another place.
func isHidden(r rune) bool {
	const brailleBlank = 0x2800
	return !unicode.IsGraphic(r) || r == brailleBlank ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
