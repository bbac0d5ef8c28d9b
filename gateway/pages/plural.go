package pages

// pluralRule returns the plural category of a whole number: the ending of its text's key
// in the catalogues. The rules are those of Unicode CLDR 48 for integers ("Language Plural
// Rules", https://www.unicode.org/cldr/charts/48/supplemental/language_plural_rules.html).
// x/text has rules of 2017, without the category many of the Romance languages.
type pluralRule func(n int64) string

// The plural categories of CLDR.
const (
	pluralCategoryZero  = "zero"
	pluralCategoryOne   = "one"
	pluralCategoryTwo   = "two"
	pluralCategoryFew   = "few"
	pluralCategoryMany  = "many"
	pluralCategoryOther = "other"
)

// pluralNone is the rule of languages without plurals, such as Japanese.
func pluralNone(int64) string { return pluralCategoryOther }

// pluralOne is the rule of English, German and Dutch.
func pluralOne(n int64) string {
	if n == 1 {
		return pluralCategoryOne
	}
	return pluralCategoryOther
}

// pluralFrench is the rule of French and Portuguese: 0 is singular.
func pluralFrench(n int64) string {
	if n == 0 || n == 1 {
		return pluralCategoryOne
	}
	return pluralMillions(n)
}

// pluralSpanish is the rule of Spanish and Italian.
func pluralSpanish(n int64) string {
	if n == 1 {
		return pluralCategoryOne
	}
	return pluralMillions(n)
}

// pluralMillions returns the category of whole millions, which need a preposition before
// the noun, and of other numbers.
func pluralMillions(n int64) string {
	if n != 0 && n%1_000_000 == 0 {
		return pluralCategoryMany
	}
	return pluralCategoryOther
}

// pluralPolish is the rule of Polish.
func pluralPolish(n int64) string {
	switch units, tens := n%10, n%100; {
	case n == 1:
		return pluralCategoryOne
	case units >= 2 && units <= 4 && (tens < 12 || tens > 14):
		return pluralCategoryFew
	}
	return pluralCategoryMany
}

// pluralArabic is the rule of Arabic.
func pluralArabic(n int64) string {
	switch tens := n % 100; {
	case n == 0:
		return pluralCategoryZero
	case n == 1:
		return pluralCategoryOne
	case n == 2:
		return pluralCategoryTwo
	case tens >= 3 && tens <= 10:
		return pluralCategoryFew
	case tens >= 11:
		return pluralCategoryMany
	}
	return pluralCategoryOther
}
