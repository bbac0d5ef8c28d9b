package gateway

import "time"

// Limits are the longest lives of links, and the presets, for one operator now.
type Limits struct {
	// Caps are the longest lives, within the policy and the actor's MaxExpiry.
	Caps Caps
	// Presets are all presets, in the order of their default lives, shortest first. An issue
	// with a preset that is longer than the cap is refused.
	Presets []Preset
	// PassphraseMin is the number of characters that a passphrase needs at least.
	PassphraseMin int
}

// Preset is a configured life of a link and its name.
type Preset struct {
	Name string
	Life time.Duration
}

// Limits returns the limits of an actor under the current policy. The actor needs no right,
// because every refusal names the limits too.
func (s *Service) Limits(actor *Actor) Limits {
	p := s.policy.Load()
	within := func(limit time.Duration) time.Duration {
		limit = min(limit, p.MaxExpiry)
		if actor.MaxExpiry > 0 {
			limit = min(limit, actor.MaxExpiry)
		}
		return limit
	}
	limits := Limits{PassphraseMin: p.PassphraseMin, Caps: Caps{
		Sensitive: within(p.Caps.Sensitive), NotStated: within(p.Caps.NotStated), NotSensitive: within(p.Caps.NotSensitive),
	}}
	for _, name := range Presets() {
		limits.Presets = append(limits.Presets, Preset{name, p.Presets[name]})
	}
	return limits
}
