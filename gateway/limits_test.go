package gateway

import (
	"slices"
	"testing"
	"time"
)

// The caps are within the policy and the operator's own limit; the presets are those of the
// policy, whatever the operator may issue.
func TestLimits(t *testing.T) {
	t.Parallel()
	policy := Policy{
		MaxExpiry: 48 * time.Hour,
		Caps:      Caps{Sensitive: time.Hour, NotStated: 24 * time.Hour, NotSensitive: 168 * time.Hour},
		Presets: map[string]time.Duration{
			PresetExtended: 168 * time.Hour, PresetHandoff: time.Minute, PresetBusiness: 24 * time.Hour,
			PresetTroubleshooting: time.Hour,
		},
	}
	s := New(Options{Policy: policy, Now: time.Now})
	for name, tt := range map[string]struct {
		own  time.Duration
		want Caps
	}{
		"no limit of its own": {0, Caps{time.Hour, 24 * time.Hour, 48 * time.Hour}},
		"a limit":             {2 * time.Hour, Caps{time.Hour, 2 * time.Hour, 2 * time.Hour}},
		"a limit above":       {96 * time.Hour, Caps{time.Hour, 24 * time.Hour, 48 * time.Hour}},
	} {
		got := s.Limits(&Actor{MaxExpiry: tt.own})
		if got.Caps != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, got.Caps, tt.want)
		}
		want := []Preset{
			{PresetHandoff, time.Minute},
			{PresetTroubleshooting, time.Hour},
			{PresetBusiness, 24 * time.Hour},
			{PresetExtended, 168 * time.Hour},
		}
		if !slices.Equal(got.Presets, want) {
			t.Errorf("%s: got %+v", name, got.Presets)
		}
	}
	policy.MaxExpiry = time.Minute
	s.SetPolicy(policy)
	if got := s.Limits(&Actor{}).Caps; got != (Caps{time.Minute, time.Minute, time.Minute}) {
		t.Errorf("after a change of the policy: %+v", got)
	}
}
