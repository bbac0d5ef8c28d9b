package explain

import "keyhole/gateway"

// PresetChoice writes a preset with its life, and the reason if it is not allowed.
func PresetChoice(choice *gateway.PresetChoice) string {
	text := choice.Name + " (" + gateway.FormatLife(choice.Life) + ")"
	if choice.Refused != nil {
		text += ": " + choice.Refused.Message
	}
	return text
}

// LongestLife writes the longest life that a link can have, and the rule that limits it.
func LongestLife(longest *gateway.Longest) string {
	return "at most " + gateway.FormatLife(longest.Life) + " (" + longest.Rule + ")"
}

// DefaultLife writes the life of a link whose request states none.
func DefaultLife(lives *gateway.LifeChoices) string {
	why := ", because sensitivity was not stated"
	if lives.Sensitive != nil {
		why = ", because the object is not sensitive"
		if *lives.Sensitive {
			why = ", because the object is sensitive"
		}
	}
	return gateway.FormatLife(lives.Default.Life) + " (" + lives.Default.Name + why + ")"
}
