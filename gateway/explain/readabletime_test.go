package explain

import (
	"strings"
	"testing"
	"time"

	"keyhole/gateway/api"
)

// A zone that is at UTC is named, every other one is an offset with hours and minutes. The
// date is that of the zone.
func TestReadableTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 31, 23, 30, 59, 0, time.UTC)
	for want, offset := range map[string]int{ // in seconds east of UTC
		"2026-12-31 23:30 UTC":         0,
		"2027-01-01 00:30 (UTC+01:00)": 3600,
		"2026-12-31 20:00 (UTC-03:30)": -12600, // Newfoundland
		"2027-01-01 05:15 (UTC+05:45)": 20700,  // Nepal
		"2027-01-01 13:30 (UTC+14:00)": 50400,  // Kiribati
		"2026-12-31 11:30 (UTC-12:00)": -43200,
	} {
		// The name CST belongs to several zones, so it must not appear.
		if got := ReadableTime(at, time.FixedZone("CST", offset)); got != want {
			t.Errorf("offset %d: got %q, want %q", offset, got, want)
		}
	}
	// The zone of the argument decides, not the one that the time has.
	if got := ReadableTime(at.In(time.FixedZone("", 7200)), time.UTC); got != "2026-12-31 23:30 UTC" {
		t.Errorf("got %q", got)
	}
}

// In every language, a message has the offset of each time, the number of uses in digits,
// and no placeholder that was not filled in. The last line is the URL alone, so that
// programs find where it ends.
func TestMessageForLanguages(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 6, 1, 6, 0, 0, 0, time.UTC)
	link := api.Link{
		URL: "https://dl.example.com/x", Filename: "q3.pdf", CreatedAt: begin.Add(-time.Hour), NotBefore: &begin,
		ExpiresAt: begin.Add(48 * time.Hour), MaxClicks: new(int64(12)), Passphrase: true, Reveal: "before",
	}
	for _, tag := range []string{"", "en", "de", "fr", "pl", "ja", "zh", "ar"} {
		link.Language = tag
		got := MessageFor(&link, time.FixedZone("", 19800))
		for _, want := range []string{"2026-06-01 11:30 (UTC+05:30)", "2026-06-03 11:30 (UTC+05:30)", "12"} {
			if !strings.Contains(got, want) {
				t.Errorf("%q lacks %q: %q", tag, want, got)
			}
		}
		if strings.ContainsAny(got, "{}") || strings.Count(got, "\n") != 5 {
			t.Errorf("%q: %q", tag, got)
		}
		if !strings.HasPrefix(got, "q3.pdf\n") || !strings.HasSuffix(got, "\nhttps://dl.example.com/x\n") {
			t.Errorf("%q begins or ends with something else: %q", tag, got)
		}
	}
}
