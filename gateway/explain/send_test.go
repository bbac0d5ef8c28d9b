package explain

import (
	"strings"
	"testing"
	"time"

	"keyhole/gateway/api"
)

// The message hides what the page hides, and ends with the URL.
func TestMessageFor(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 12, 1, 22, 59, 0, 0, time.UTC)
	link := api.Link{URL: "https://dl.example.com/x", Filename: "q3.pdf", ExpiresAt: end, MaxClicks: new(int64(2))}
	if got, want := MessageFor(&link, time.UTC), "q3.pdf\nThe link works until 2026-12-01 22:59 UTC.\n"+
		"It can be used 2 times.\nhttps://dl.example.com/x\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	link.MaxClicks = new(int64(1))
	if got := MessageFor(&link, time.UTC); !strings.Contains(got, "\nIt can be used once.\n") {
		t.Errorf("a link for one download: %q", got)
	}
	link.NotBefore = new(link.CreatedAt)
	if got := MessageFor(&link, time.UTC); strings.Contains(got, "from") {
		t.Errorf("a link that works from its issue on names a start: %q", got)
	}
	link.Passphrase, link.Reveal, link.MaxClicks = true, "after", nil
	link.Language, link.NotBefore = "de", new(end.Add(-time.Hour))
	if got, want := MessageFor(&link, time.FixedZone("", 3600)), "Eine Datei für Sie\nDer Link ist gültig von "+
		"2026-12-01 22:59 (UTC+01:00) bis 2026-12-01 23:59 (UTC+01:00).\n"+
		"Sie benötigen ein Passwort, das Sie gesondert erhalten.\nhttps://dl.example.com/x\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if link.Reveal = "before"; HidesFile(&link) {
		t.Error("a page that reveals the file hides it")
	}
}
