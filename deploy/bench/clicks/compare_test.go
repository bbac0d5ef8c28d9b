package main

import (
	"strings"
	"testing"
	"time"
)

// TestCompare prints the median of the ratios of the rounds, not the ratio of the medians.
func TestCompare(t *testing.T) {
	now := measured("Keyhole, pin none", inMemory, "", 10, 30, 40)
	before := measured("Keyhole, pin none, before", inMemory, "", 20, 30, 10)
	before.before = true
	for i := range now.rounds {
		now.rounds[i].RateCPU, before.rounds[i].RateCPU = float64(i+1), 2
	}
	var b strings.Builder
	compare(&b, []*subject{measured("echo + GET", inMemory, floorGet, 1, 1, 1), now, before})
	const want = "Keyhole, pin none, in memory 1.000 of before at full load (0.50 to 4.00), 1.000 at a rate"
	if got := strings.Join(strings.Fields(b.String()), " "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Reset()
	compare(&b, []*subject{now})
	if b.Len() > 0 {
		t.Errorf("without an earlier commit: %q", b.String())
	}
}

// TestCompareConsoles divides each figure beside consoles by the one without, round by round.
func TestCompareConsoles(t *testing.T) {
	without, beside := measured("Keyhole", inMemory, "", 10, 20, 40), measured("Keyhole, beside", inMemory, "", 11, 22, 40)
	beside.consoles = 20
	for i := range without.rounds {
		without.rounds[i].RateP99, beside.rounds[i].RateP99 = 4*time.Millisecond, time.Duration(4+i)*time.Millisecond
	}
	var b strings.Builder
	compareConsoles(&b, []*subject{without, beside})
	for _, want := range []string{
		"Keyhole, beside, in memory: CPU a click at full load 1.100 of the same without (1.00 to 1.10)\n",
		"Keyhole, beside, in memory: p99 at a rate 1.250 of the same without (1.00 to 1.50)\n",
		// Not measured, so not divided by zero.
		"Keyhole, beside, in memory: p99 at full load 0.000 of the same without (0.00 to 0.00)\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in:\n%s", want, b.String())
		}
	}
	b.Reset()
	if compareConsoles(&b, []*subject{without}); b.Len() > 0 {
		t.Errorf("without consoles: %q", b.String())
	}
}
