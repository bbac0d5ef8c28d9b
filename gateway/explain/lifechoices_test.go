package explain

import (
	"testing"
	"time"

	"keyhole/gateway"
)

// A preset that is refused says why; its life has the form that a request accepts.
func TestPresetChoice(t *testing.T) {
	t.Parallel()
	choice := gateway.PresetChoice{Preset: gateway.Preset{Name: "extended", Life: 168 * time.Hour}}
	if got := PresetChoice(&choice); got != "extended (7d)" {
		t.Errorf("got %q", got)
	}
	choice.Refused = &gateway.FieldError{Message: "7d is over the limit of 24h (policy.max_expiry)"}
	if got := PresetChoice(&choice); got != "extended (7d): 7d is over the limit of 24h (policy.max_expiry)" {
		t.Errorf("got %q", got)
	}
}

func TestLongestAndDefaultLife(t *testing.T) {
	t.Parallel()
	lives := gateway.LifeChoices{
		Default: gateway.Preset{Name: "business", Life: 24 * time.Hour},
		Longest: gateway.Longest{Life: 36 * time.Hour, Rule: "policy.max_expiry"},
	}
	if got := LongestLife(&lives.Longest); got != "at most 36h (policy.max_expiry)" {
		t.Errorf("got %q", got)
	}
	for want, sensitive := range map[string]*bool{
		"24h (business, because sensitivity was not stated)":  nil,
		"24h (business, because the object is sensitive)":     new(true),
		"24h (business, because the object is not sensitive)": new(false),
	} {
		lives.Sensitive = sensitive
		if got := DefaultLife(&lives); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
