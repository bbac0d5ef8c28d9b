package cli

import (
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// The message for the recipient has the file name, the end with its zone and, as its last
// line, the URL.
func TestMessageOf(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	end := time.Date(2026, 12, 1, 22, 59, 0, 0, time.UTC)
	base := api.Link{
		URL: "https://dl.example.com/x", Filename: "q3.pdf", CreatedAt: end.Add(-24 * time.Hour), ExpiresAt: end,
	}
	for name, tt := range map[string]struct {
		change func(*api.Link)
		want   string
	}{
		"plain": {func(*api.Link) {}, "q3.pdf\nThe link works until 2026-12-01 23:59 (UTC+01:00).\n"},
		"once": {
			func(l *api.Link) { l.MaxClicks = new(int64(1)) },
			"q3.pdf\nThe link works until 2026-12-01 23:59 (UTC+01:00).\nIt can be used once.\n",
		},
		"later": {
			func(l *api.Link) { l.NotBefore, l.MaxClicks = new(end.Add(-time.Hour)), new(int64(3)) },
			"q3.pdf\nThe link works from 2026-12-01 22:59 (UTC+01:00) until 2026-12-01 23:59 (UTC+01:00).\n" +
				"It can be used 3 times.\n",
		},
		"since before": {
			func(l *api.Link) { l.NotBefore = new(end.Add(-48 * time.Hour)) },
			"q3.pdf\nThe link works until 2026-12-01 23:59 (UTC+01:00).\n",
		},
		"a passphrase": {
			func(l *api.Link) { l.Passphrase, l.Reveal = true, gateway.RevealBefore },
			"q3.pdf\nThe link works until 2026-12-01 23:59 (UTC+01:00).\nYou need a passphrase, which you get separately.\n",
		},
		"a hidden file": {
			func(l *api.Link) { l.Passphrase, l.Reveal = true, gateway.RevealAfter },
			"A file for you\nThe link works until 2026-12-01 23:59 (UTC+01:00).\n" +
				"You need a passphrase, which you get separately.\n",
		},
		"an unprintable name": {
			func(l *api.Link) { l.Filename = "a\x1b[2Jb" },
			`a\x1b[2Jb` + "\nThe link works until 2026-12-01 23:59 (UTC+01:00).\n",
		},
	} {
		link := base
		tt.change(&link)
		if got := messageOf(&link, zone); got != tt.want+"https://dl.example.com/x\n" {
			t.Errorf("%s: got\n%s", name, got)
		}
	}
	almost := base
	almost.ExpiresAt = base.ExpiresAt.Truncate(time.Minute).Add(-136 * time.Millisecond)
	if got := messageOf(&almost, time.UTC); !strings.Contains(got, "until 2026-12-01 22:59 UTC.\n") {
		t.Errorf("an end just before the minute: %s", got)
	}
	if got := messageOf(&base, time.UTC); !strings.Contains(got, "until 2026-12-01 22:59 UTC.\n") {
		t.Errorf("in UTC: %s", got)
	}
}

// share --message prints the message instead of the URL, and never the passphrase.
func TestShareMessage(t *testing.T) {
	t.Parallel()
	locked := testLink()
	locked.Passphrase, locked.Reveal = true, gateway.RevealAfter
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": locked}}
	got := runOver(t, f, "share", "s3://reports/q3.pdf", "--message", "--make-passphrase")
	passphrase, _ := f.requests[0].body["passphrase"].(string)
	if got.code != command.ExitOK || passphrase == "" || strings.Contains(got.stdout, passphrase) ||
		!strings.HasPrefix(got.stdout, "A file for you\n") || !strings.HasSuffix(got.stdout, "\n"+testLink().URL+"\n") {
		t.Errorf("got %+v", got)
	}
	has(t, got.stderr, "note      the message omits the file name", "Passphrase: "+passphrase)
	several := runOver(t, batchAPI(nil, nil), "share", "s3://reports/a.pdf", "s3://reports/b.pdf", "--message", "--quiet")
	has(t, several.stdout, "a.pdf\nThe link works until ", "https://dl.example.com/1\n\nb.pdf\n")
	if !strings.HasSuffix(several.stdout, "\nhttps://dl.example.com/2\n") || several.stderr != "" {
		t.Errorf("several: %+v", several)
	}
	got = runOver(t, f, "share", "s3://reports/q3.pdf", "--message", "--json")
	if got.code != command.ExitUsage {
		t.Errorf("--json: %+v", got)
	}
}

// If the clock of this machine is wrong, the end is another one than was asked for, and the
// command says so.
func TestShareTellsTheClock(t *testing.T) {
	t.Parallel()
	link := testLink()
	for shift, want := range map[time.Duration]bool{0: false, 10 * time.Second: false, -5 * time.Minute: true} {
		until := time.Now().Add(2 * time.Hour).Truncate(time.Second)
		link.ExpiresAt = until.Add(shift)
		f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": link}}
		got := runOver(t, f, "share", "s3://reports/q3.pdf", "--expires", until.Format(time.RFC3339))
		if said := strings.Contains(got.stderr, "the clocks of this machine and the service differ by 5m"); said != want {
			t.Errorf("%s: %s", shift, got.stderr)
		}
	}
}

// A time means another request with each call, so a command that is repeated after a lost
// answer states the duration.
func TestShareRepeatsATime(t *testing.T) {
	t.Parallel()
	failed := api.Problem{Status: 503, Code: "not_confirmed", Detail: "d"}
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": failed}}
	got := runOver(t, f, "share", "s3://reports/q3.pdf", "--expires", "2099-01-01", "--not-before", "2h")
	sent := f.requests[0].body
	has(t, got.stderr, " and with --expires "+sent["expires_in"].(string)+" --not-before "+sent["not_before"].(string)+
		": this issues no second link")
	for _, flags := range []string{"--expires 2099-01-01", "--not-before 2h"} {
		args := append([]string{"share", "s3://reports/q3.pdf", "--idempotency-key", "k"}, strings.Fields(flags)...)
		got = runOver(t, f, args...)
		if got.code != command.ExitUsage {
			t.Errorf("%s: %+v", flags, got)
		}
		has(t, got.stderr, flags+" and --idempotency-key cannot be combined")
	}
}

// The message states offsets that are no whole hours, and the one of each time. A name or URL
// with a line break cannot forge a line.
func TestMessageOfOtherZones(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	link := api.Link{
		URL: "https://dl.example.com/x\nhttps://evil.example", Filename: "a\nThe passphrase is b", CreatedAt: start,
		NotBefore: new(start.Add(time.Minute)), ExpiresAt: start.Add(48 * time.Hour), MaxClicks: new(int64(2)),
		Passphrase: true, Reveal: gateway.RevealBefore,
	}
	const rest = "It can be used 2 times.\nYou need a passphrase, which you get separately.\n" +
		`https://dl.example.com/x\nhttps://evil.example` + "\n"
	for zone, want := range map[*time.Location]string{
		berlin(t):                          "from 2026-03-28 13:01 (UTC+01:00) until 2026-03-30 14:00 (UTC+02:00).\n",
		time.FixedZone("IST", 5*3600+1800): "from 2026-03-28 17:31 (UTC+05:30) until 2026-03-30 17:30 (UTC+05:30).\n",
		time.FixedZone("CST", -6*3600):     "from 2026-03-28 06:01 (UTC-06:00) until 2026-03-30 06:00 (UTC-06:00).\n",
		time.FixedZone("GMT", 0):           "from 2026-03-28 12:01 UTC until 2026-03-30 12:00 UTC.\n",
	} {
		if got := messageOf(&link, zone); got != `a\nThe passphrase is b`+"\nThe link works "+want+rest {
			t.Errorf("%s: got\n%s", zone, got)
		}
	}
}

// The message is in the language of the link; only the names of texts differ from English.
func TestMessageInTheLanguageOfTheLink(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	link := api.Link{
		URL: "https://dl.example.com/x", Filename: "q3.pdf", CreatedAt: start, ExpiresAt: start.Add(24 * time.Hour),
		MaxClicks: new(int64(3)), Passphrase: true, Language: "de", Reveal: gateway.RevealBefore,
	}
	const german = "q3.pdf\nDer Link ist gültig bis 2026-12-02 08:00 UTC.\nEr kann 3-mal verwendet werden.\n" +
		"Sie benötigen ein Passwort, das Sie gesondert erhalten.\nhttps://dl.example.com/x\n"
	if got := messageOf(&link, time.UTC); got != german {
		t.Errorf("got\n%s\nwant\n%s", got, german)
	}
	link.Language, link.NotBefore, link.MaxClicks = "pl", new(start.Add(time.Hour)), new(int64(1))
	link.Reveal = gateway.RevealAfter
	const polish = "Plik dla Państwa\nLink działa od 2026-12-01 09:00 UTC do 2026-12-02 08:00 UTC.\n" +
		"Linku można użyć tylko raz.\nPotrzebne jest hasło, które otrzymają Państwo osobno.\nhttps://dl.example.com/x\n"
	if got := messageOf(&link, time.UTC); got != polish {
		t.Errorf("got\n%s\nwant\n%s", got, polish)
	}
	for _, tag := range gateway.Languages() {
		link.Language = tag
		got := messageOf(&link, time.UTC)
		if strings.ContainsAny(got, "{}") || strings.Count(got, "\n") != 5 || strings.Contains(got, "q3.pdf") ||
			!strings.HasSuffix(got, "\nhttps://dl.example.com/x\n") {
			t.Errorf("%s: %s", tag, got)
		}
	}
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": link}} // Arabic
	got := runOver(t, f, "share", "s3://reports/q3.pdf", "--message", "--language", "ar", "--quiet")
	has(t, got.stdout, "الرابط صالح من \u2066", "\u2069.\n")
}
