package gateway

import (
	"errors"
	"time"
)

// LifeChoices are the lives that an operator can choose for a link to one object, for one
// answer to the question whether the object is sensitive.
type LifeChoices struct {
	// Sensitive is the answer that the policy decides by: an object of SensitiveObjects is
	// always sensitive. nil: not stated.
	Sensitive *bool
	// Refused is the error if the operator answered that the object is not sensitive and
	// the policy says otherwise; nil: the answer is accepted. The other fields are then
	// those of a sensitive object.
	Refused *FieldError
	// Default is the preset of a request that states no life, with the life that such a
	// request gets. A limit can make it shorter than the preset.
	Default Preset
	Longest Longest
	Presets []PresetChoice // in the order of Presets
	// PassphraseMin is the smallest number of characters of a passphrase.
	PassphraseMin int
}

// PresetChoice is a preset, and the error of a request with it.
type PresetChoice struct {
	Preset
	Refused *FieldError // nil: the preset is allowed
}

// Longest is the longest life that a request can have, and the rule that sets this limit.
type Longest struct {
	Life time.Duration
	Rule string
}

// LifeChoices returns the lives that the policy in force allows an actor for a link to
// ref. It decides with the code of an issue. sensitive is the answer of the operator; nil:
// not stated. Like an issue, it needs the right to issue, and ref must be in the scope.
func (s *Service) LifeChoices(actor *Actor, ref ObjectRef, sensitive *bool) (LifeChoices, error) {
	if err := actor.Allowed(ActionIssue); err != nil {
		return LifeChoices{}, err
	}
	if !actor.Sees(ref) {
		return LifeChoices{}, outOfScope(actor)
	}
	return s.policy.Load().lifeChoices(actor, ref, sensitive)
}

// lifeChoices returns the lives that the policy allows.
func (p *Policy) lifeChoices(actor *Actor, ref ObjectRef, sensitive *bool) (LifeChoices, error) {
	l := LifeChoices{PassphraseMin: p.PassphraseMin}
	terms, err := p.Decide(actor, ref, &IssueRequest{Sensitive: sensitive})
	if l.Refused = refusedField(err); l.Refused != nil {
		sensitive = new(true)
		terms, err = p.Decide(actor, ref, &IssueRequest{Sensitive: sensitive})
	}
	if err != nil {
		return LifeChoices{}, err
	}
	l.Sensitive, l.Default = terms.Sensitive, Preset{Name: terms.Preset, Life: terms.Life}
	limit, rule, _ := p.limitFor(actor, terms.Sensitive, otherRequest)
	if actor.MaxExpiry > 0 && actor.MaxExpiry < limit {
		limit, rule = actor.MaxExpiry, "max_expiry of "+actor.what()
	}
	l.Longest = Longest{limit, rule}
	for _, name := range Presets() {
		_, err := p.Decide(actor, ref, &IssueRequest{Preset: name, Sensitive: sensitive})
		refused := refusedField(err)
		if err != nil && refused == nil {
			return LifeChoices{}, err
		}
		l.Presets = append(l.Presets, PresetChoice{Preset{Name: name, Life: p.Presets[name]}, refused})
	}
	return l, nil
}

// refusedField returns the first wrong field of an error, or nil.
func refusedField(err error) *FieldError {
	if refused, ok := errors.AsType[*Error](err); ok && len(refused.Fields) > 0 {
		return &refused.Fields[0]
	}
	return nil
}
