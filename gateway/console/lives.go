package console

import (
	"strings"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/explain"
)

// livesView is the part of the share form about the life of the link. Its arrays have an
// entry for each answer to the question whether the content is sensitive: yes, not stated
// and no, as in answers.
type livesView struct {
	Presets  []presetChoice
	Longest  [3]string // the longest life, with the rule that limits it
	Defaults [3]string // the preset of a request that states no life
	// NotSensitive says why the answer no is refused; empty: it is accepted.
	NotSensitive string
}

// presetChoice is a life that the form offers.
type presetChoice struct {
	Name string
	Life string // in words
	Ends moment
	// Sensitive, NotStated and NotSensitive say for which answers about the content the
	// policy allows this life.
	Sensitive, NotStated, NotSensitive bool
	Why                                string // not for all answers; empty: it is
}

// answers returns the answers to the question whether the content is sensitive.
func answers() [3]*bool { return [3]*bool{new(true), nil, new(false)} }

// answerIndex returns the position in answers of a value of the field sensitive.
func answerIndex(value string) int {
	switch value {
	case "true":
		return 0
	case "false":
		return 2
	}
	return 1
}

// lives returns the lives that the policy allows for links to all of the objects. A life is
// not allowed if one of the objects must not have it.
func (c *Console) lives(actor *gateway.Actor, refs []gateway.ObjectRef, now time.Time) (view livesView, err error) {
	refusedAs := 0
	var reasons [][3]string // of the presets
	for i, sensitive := range answers() {
		var least gateway.LifeChoices
		for n, ref := range refs {
			lives, err := c.o.Service.LifeChoices(actor, ref, sensitive)
			if err != nil {
				return view, err
			}
			if n == 0 {
				least = lives
			}
			// One form has one life for all objects, so the strictest object decides.
			if lives.Longest.Life < least.Longest.Life {
				least.Longest, least.Default = lives.Longest, lives.Default
			}
			if lives.Refused != nil {
				refusedAs++
			}
			if reasons == nil {
				reasons = make([][3]string, len(lives.Presets))
			}
			for p := range lives.Presets {
				if refused := lives.Presets[p].Refused; refused != nil && reasons[p][i] == "" {
					reasons[p][i] = plainRule(refused.Message)
				}
			}
		}
		if view.Presets == nil {
			for _, p := range least.Presets {
				view.Presets = append(view.Presets, presetChoice{
					Name: p.Name, Life: roughly(p.Life), Ends: newMoment(now.Add(p.Life), now),
				})
			}
		}
		// The rule also says how another request could live longer; the form shows that.
		least.Longest.Rule, _, _ = strings.Cut(least.Longest.Rule, ";")
		view.Longest[i], view.Defaults[i] = plainRule(explain.LongestLife(&least.Longest)), least.Default.Name
	}
	for p := range view.Presets {
		view.Presets[p].explain(reasons[p])
	}
	if refusedAs > 0 {
		view.NotSensitive = "the policy marks this object as sensitive"
		if len(refs) > 1 {
			view.NotSensitive = "the policy marks " + plural(refusedAs, "object") + " of these as sensitive"
		}
	}
	return view, nil
}

// plainRule writes the names of settings in a text about a life in plain words: an operator
// cannot see the configuration. The API and the logs name the settings.
func plainRule(text string) string {
	return strings.NewReplacer("policy.caps.not_sensitive", "the object is not sensitive",
		"policy.max_expiry", "the policy allows no more").Replace(text)
}

// explain fills in for which answers the policy allows a life, and why not for the others.
func (p *presetChoice) explain(reasons [3]string) {
	p.Sensitive, p.NotStated, p.NotSensitive = reasons[0] == "", reasons[1] == "", reasons[2] == ""
	switch {
	case !p.NotSensitive:
		p.Why = "not allowed: " + reasons[2]
	case !p.NotStated:
		p.Why = "only if the content is not sensitive"
	case !p.Sensitive:
		p.Why = "not for sensitive content: " + reasons[0]
	}
}

// preselect returns the preset that the form selects at first for an answer: the one of a
// request that states no life. It is empty if the policy makes that life shorter than the
// preset, because a request that names the preset is refused.
func (v *livesView) preselect(answer int) string {
	for _, p := range v.Presets {
		if p.Name == v.Defaults[answer] && [3]bool{p.Sensitive, p.NotStated, p.NotSensitive}[answer] {
			return p.Name
		}
	}
	return ""
}
