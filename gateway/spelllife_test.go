package gateway

import (
	"testing"
	"time"
)

// TestSpellLife writes durations in at most two units, rounded to the smaller one.
func TestSpellLife(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 400 * time.Millisecond: "0s", 600 * time.Millisecond: "1s", 45 * time.Second: "45s",
		59*time.Second + 600*time.Millisecond: "1m", 90 * time.Second: "1m 30s", 15 * time.Minute: "15m",
		59*time.Minute + 59*time.Second + 900*time.Millisecond: "1h", 90 * time.Minute: "1h 30m", 25 * time.Hour: "25h",
		24 * time.Hour: "24h", 47*time.Hour + 59*time.Minute + 50*time.Second: "2d", 48 * time.Hour: "2d",
		136*time.Hour + 32*time.Minute + 20*time.Second: "5d 17h", 168*time.Hour - 2*time.Second: "7d",
		63 * 24 * time.Hour: "63d",
	} {
		if got := SpellLife(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	const day = 24 * time.Hour
	for life, want := range map[time.Duration]string{
		day + time.Second: "24h0m1s", 2 * day: "2d", 25*time.Hour + 1: "25h",
	} {
		if got := spellOver(life, day); got != want {
			t.Errorf("%v over a day: got %q, want %q", life, got, want)
		}
	}
}
