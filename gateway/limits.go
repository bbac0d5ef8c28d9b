package gateway

import "time"

// Limits are the lives of the links that an operator can issue now.
type Limits struct {
	// Caps are the longest lives, within the policy and the actor's MaxExpiry.
	Caps Caps
	// Presets are all presets, the shortest by default first. A preset can be longer than
	// every cap; an issue with it is then refused.
	Presets []Preset
}

// Preset is a configured life of a link and its name.
type Preset struct {
	Name string
	Life time.Duration
}

// Limits returns the limits of an actor by the current policy. It needs no right: an
// operator may always know the limits that a refusal would name.
func (s *Service) Limits(actor *Actor) Limits {
	p := s.policy.Load()
	within := func(limit time.Duration) time.Duration {
		limit = min(limit, p.MaxExpiry)
		if actor.MaxExpiry > 0 {
			limit = min(limit, actor.MaxExpiry)
		}
		return limit
	}
	limits := Limits{Caps: Caps{
		Sensitive: within(p.Caps.Sensitive), NotStated: within(p.Caps.NotStated), NotSensitive: within(p.Caps.NotSensitive),
	}}
	for _, name := range Presets() {
		limits.Presets = append(limits.Presets, Preset{name, p.Presets[name]})
	}
	return limits
}
