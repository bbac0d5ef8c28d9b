package pages

import (
	"testing"

	"keyhole/gateway"
)

func BenchmarkRefusalWithFacts(b *testing.B) {
	r, _ := New(Options{})
	view := &Refusal{Outcome: gateway.OutcomeRevoked, Facts: someFacts(), Now: now()}
	b.ReportAllocs()
	for b.Loop() {
		r.Locales()[0].Refusal(view)
	}
}
