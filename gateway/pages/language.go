package pages

import (
	"fmt"

	"keyhole/gateway"
)

// language is a language that has a catalogue.
type language struct {
	tag         string // BCP 47
	name        string // in the language itself
	rightToLeft bool
	plural      pluralRule
}

// languages returns every language, in the order of gateway.Languages.
func languages() []language {
	return []language{
		{tag: "en", name: "English", plural: pluralOne},
		{tag: "de", name: "Deutsch", plural: pluralOne},
		{tag: "fr", name: "Français", plural: pluralFrench},
		{tag: "es", name: "Español", plural: pluralSpanish},
		{tag: "pt", name: "Português", plural: pluralFrench},
		{tag: "it", name: "Italiano", plural: pluralSpanish},
		{tag: "nl", name: "Nederlands", plural: pluralOne},
		{tag: "pl", name: "Polski", plural: pluralPolish},
		{tag: "ja", name: "日本語", plural: pluralNone},
		{tag: "zh", name: "中文", plural: pluralNone},
		{tag: "ar", name: "العربية", rightToLeft: true, plural: pluralArabic},
	}
}

// languageOf returns the language of a tag.
func languageOf(tag string) (language, error) {
	for _, l := range languages() {
		if l.tag == tag {
			return l, nil
		}
	}
	return language{}, fmt.Errorf("unknown language %q; the languages are %v", tag, gateway.Languages())
}

// direction returns the value of the dir attribute.
func (l *language) direction() string {
	if l.rightToLeft {
		return "rtl"
	}
	return "ltr"
}
