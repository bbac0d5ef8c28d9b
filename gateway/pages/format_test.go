package pages

import (
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// catalogueOf returns the catalogue of a language.
func catalogueOf(t *testing.T, tag string) *catalogue {
	t.Helper()
	l, err := languageOf(tag)
	if err != nil {
		t.Fatal(err)
	}
	c, err := loadCatalogue(&l)
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// The table is from CLDR 48, "Language Plural Rules", integers only.
func TestPluralRules(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]map[string][]int64{
		"en": {"one": {1}, "other": {0, 2, 11, 21, 1_000_000}},
		"de": {"one": {1}, "other": {0, 2, 11, 101, 1_000_000}},
		"nl": {"one": {1}, "other": {0, 2, 11, 101, 1_000_000}},
		"fr": {"one": {0, 1}, "many": {1_000_000, 2_000_000}, "other": {2, 11, 999_999, 1_000_001}},
		"pt": {"one": {0, 1}, "many": {1_000_000, 3_000_000}, "other": {2, 11, 1_000_001}},
		"es": {"one": {1}, "many": {1_000_000, 2_000_000}, "other": {0, 2, 11, 1_000_001}},
		"it": {"one": {1}, "many": {1_000_000, 2_000_000}, "other": {0, 2, 8, 11, 1_000_001}},
		"pl": {
			"one": {1}, "few": {2, 3, 4, 22, 23, 24, 32, 102, 104, 1002},
			"many": {0, 5, 9, 10, 11, 12, 13, 14, 15, 19, 20, 21, 25, 31, 100, 112, 114, 121, 1_000_000},
		},
		"ja": {"other": {0, 1, 2, 100}},
		"zh": {"other": {0, 1, 2, 100}},
		"ar": {
			"zero": {0}, "one": {1}, "two": {2}, "few": {3, 10, 103, 110, 1003}, "many": {11, 26, 99, 111, 1011, 199},
			"other": {100, 101, 102, 200, 202, 1000, 10_000, 1_000_000},
		},
	} {
		l, err := languageOf(tag)
		if err != nil {
			t.Fatal(err)
		}
		for category, numbers := range want {
			for _, n := range numbers {
				if got := l.plural(n); got != category {
					t.Errorf("%s: %d is %s, want %s", tag, n, got, category)
				}
			}
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	afternoon := time.Date(2026, 3, 5, 14, 7, 0, 0, time.FixedZone("", -3600)) // 15:07 UTC
	first := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for tag, want := range map[string][2]string{
		"en": {"5 March 2026, 15:07 UTC", "1 January 2027, 00:00 UTC"},
		"de": {"5. März 2026, 15:07 UTC", "1. Januar 2027, 00:00 UTC"},
		"fr": {"5 mars 2026 à 15:07 UTC", "1er janvier 2027 à 00:00 UTC"},
		"es": {"5 de marzo de 2026, 15:07 UTC", "1 de enero de 2027, 00:00 UTC"},
		"pt": {"5 de março de 2026, 15:07 UTC", "1º de janeiro de 2027, 00:00 UTC"},
		"it": {"5 marzo 2026 alle ore 15:07 UTC", "1º gennaio 2027 alle ore 00:00 UTC"},
		"nl": {"5 maart 2026, 15:07 UTC", "1 januari 2027, 00:00 UTC"},
		"pl": {"5 marca 2026 r., 15:07 UTC", "1 stycznia 2027 r., 00:00 UTC"},
		"ja": {"2026年3月5日 15:07 UTC", "2027年1月1日 00:00 UTC"},
		"zh": {"2026年3月5日 15:07 UTC", "2027年1月1日 00:00 UTC"},
		"ar": {"5 مارس 2026، 15:07 بتوقيت UTC", "1 يناير 2027، 00:00 بتوقيت UTC"},
	} {
		c := catalogueOf(t, tag)
		if got := [2]string{string(c.appendDate(nil, afternoon)), string(c.appendDate(nil, first))}; got != want {
			t.Errorf("%s: got %q, want %q", tag, got, want)
		}
	}
}

// Recipients read the same second as operators, also if a link ends just before it.
func TestTimesAreRounded(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 3, 5, 15, 7, 0, 0, time.UTC)
	got := string(catalogueOf(t, "en").appendTime(nil, end.Add(-136*time.Millisecond), end))
	if !strings.Contains(got, `"2026-03-05T15:07:00Z">5 March 2026, 15:07 UTC<`) {
		t.Errorf("got %s", got)
	}
}

// Distances are rounded towards now, and each unit begins where the previous one ends.
func TestRelativeTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 5, 14, 7, 0, 0, time.UTC)
	c := catalogueOf(t, "en")
	for distance, want := range map[time.Duration]string{
		0: "in less than a minute", 59 * time.Second: "in less than a minute", -time.Second: "less than a minute ago",
		time.Minute: "in 1 minute", 119 * time.Second: "in 1 minute", 59*time.Minute + 59*time.Second: "in 59 minutes",
		time.Hour: "in 1 hour", 47*time.Hour + 59*time.Minute: "in 47 hours", 48 * time.Hour: "in 2 days",
		168 * time.Hour: "in 7 days", -time.Minute: "1 minute ago", -3 * time.Hour: "3 hours ago",
		-72 * time.Hour: "3 days ago",
	} {
		if got := string(c.appendRelative(nil, now.Add(distance), now)); got != want {
			t.Errorf("%s: got %q, want %q", distance, got, want)
		}
	}
	for tag, want := range map[string][2]string{
		"de": {"in 3 Stunden", "vor 2 Tagen"}, "fr": {"dans 3 heures", "il y a 2 jours"},
		"es": {"dentro de 3 horas", "hace 2 días"}, "pt": {"daqui a 3 horas", "há 2 dias"},
		"it": {"tra 3 ore", "2 giorni fa"},
		"nl": {"over 3 uur", "2 dagen geleden"}, "pl": {"za 3 godziny", "2 dni temu"}, "ja": {"3時間後", "2日前"},
		"zh": {"3 小时后", "2 天前"}, "ar": {"بعد 3 ساعات", "قبل يومين"},
	} {
		c := catalogueOf(t, tag)
		later, before := c.appendRelative(nil, now.Add(3*time.Hour), now), c.appendRelative(nil, now.Add(-48*time.Hour), now)
		if got := [2]string{string(later), string(before)}; got != want {
			t.Errorf("%s: got %q, want %q", tag, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	c := catalogueOf(t, "en")
	for n, want := range map[int64]string{
		gateway.UnknownSize: "", 0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 1_234_567: "1.2 MB",
		999_949: "999.9 kB", 999_950: "1.0 MB", 5 << 40: "5.5 TB", 1 << 62: "4611686.0 TB",
	} {
		if got := c.size(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	for tag, want := range map[string]string{
		"de": "1,2 MB", "fr": "1,2 Mo", "es": "1,2 MB", "pt": "1,2 MB", "it": "1,2 MB", "nl": "1,2 MB",
		"pl": "1,2 MB", "ja": "1.2 MB", "zh": "1.2 MB", "ar": "1.2 ميغابايت",
	} {
		// A space between number and unit does not break.
		if got := catalogueOf(t, tag).size(1_234_567); got != strings.Replace(want, " ", "\u00a0", 1) {
			t.Errorf("%s: got %q, want %q", tag, got, want)
		}
	}
}

// Counted texts have the form that the number needs, and the separators of the language.
func TestCounts(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]map[int64]string{
		"en": {1: "1 day ago", 12_345: "12,345 days ago", 9999: "9999 days ago"},
		"de": {1: "vor 1 Tag", 12_345: "vor 12.345 Tagen", 1_234_567: "vor 1.234.567 Tagen"},
		"pl": {2: "2 dni temu", 5: "5 dni temu"},
		"ar": {2: "قبل يومين", 3: "قبل 3 أيام", 11: "قبل 11 يومًا"},
	} {
		for n, text := range want {
			if got := catalogueOf(t, tag).count("days_ago", n); got != text {
				t.Errorf("%s %d: got %q, want %q", tag, n, got, text)
			}
		}
	}
}

// Each media type and each extension means one kind, and each kind has a text in every
// language, with a place for its format if it has one.
func TestFileKinds(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, kind := range fileKinds() {
		for _, name := range append(slices.Clone(kind.media), kind.extensions...) {
			if seen[name] || name != strings.ToLower(name) {
				t.Errorf("%s: %s is listed twice or has capitals", kind.key, name)
			}
			seen[name] = true
		}
		for _, tag := range gateway.Languages() {
			text := catalogueOf(t, tag)
			if got := text.text(kind.key); got == "" || strings.Contains(got, "{format}") != (kind.format != "") {
				t.Errorf("%s in %s: the text is %q, the format %q", kind.key, tag, got, kind.format)
			}
		}
	}
}

func TestFileTypes(t *testing.T) {
	t.Parallel()
	c := catalogueOf(t, "en")
	for _, tt := range []struct{ name, contentType, want string }{
		{"q3.pdf", "application/pdf", "PDF document"},
		{"q3", "application/pdf; charset=binary", "PDF document"},
		{"q3.pdf", "application/octet-stream", "PDF document"},
		{"q3.pdf", "", "PDF document"},
		{"a.PNG", "binary/octet-stream", "Image (PNG)"},
		{"a.jpg", "image/jpeg", "Image (JPEG)"},
		{"a", "image/x-unheard-of", "Image"},
		{"a.mp4", "video/mp4", "Video"},
		{"a.tar.gz", "application/gzip", "Archive (GZ)"},
		{"a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Document"},
		{"a.xyz", "application/x-unheard-of", "application/x-unheard-of"},
		{"a.xyz", "application/octet-stream", "XYZ file"},
		{"a.xyz", "no media type", "XYZ file"},
		{"a.<b>", "", ""},
		{"a.ABCDEF", "", ""},
		{"noextension", "", ""},
		// A device opens a program by its name, whatever the storage says.
		{"invoice.pdf.exe", "application/pdf", "Program"},
		{"setup.msi", "application/octet-stream", "Program"},
	} {
		if got := c.fileType(tt.name, tt.contentType); got != tt.want {
			t.Errorf("%s as %s: got %q, want %q", tt.name, tt.contentType, got, tt.want)
		}
	}
}
