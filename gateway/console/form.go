package console

import (
	"fmt"
	"slices"

	"keyhole/gateway"
)

// fieldView is a field of a form with its value and what is wrong with it.
type fieldView struct {
	Name, Label, Value, Help string
	Message                  string // why the service refused the value; empty: it did not
}

// refusals is a view with the refusals of a form's fields.
type refusals interface {
	refusal(field string) string
}

// refusalOf returns the message about a field, or "".
func refusalOf(refused []gateway.FieldError, field string) string {
	for _, r := range refused {
		if r.Field == field {
			return r.Message
		}
	}
	return ""
}

// problem is an entry of the list of refused fields at the top of a form.
type problem struct {
	Field, Message string
	Anchor         bool // the page has an element with the ID Field
}

// problems returns the list of refused fields. ids are the fields that the page shows: a link
// to any other field would lead nowhere.
func problems(refused []gateway.FieldError, ids ...string) []problem {
	list := make([]problem, len(refused))
	for i, r := range refused {
		list[i] = problem{r.Field, r.Message, slices.Contains(ids, r.Field)}
	}
	return list
}

// Problems returns the list of refused fields.
func (v shareView) Problems() []problem {
	if v.Object == nil && v.Shareable == 0 {
		return problems(v.Errors) // without a form
	}
	return problems(v.Errors, "form", "sensitive", "preset", "expires_in", "max_clicks", "passphrase", "reveal", "allow",
		"not_before", "filename", "disposition", "pin", "language", "note", "labels")
}

// refusal implements refusals.
func (v shareView) refusal(field string) string { return refusalOf(v.Errors, field) }

// field returns a field without a value, for groups of choices.
func field(v refusals, name string) fieldView { return fieldView{Name: name, Message: v.refusal(name)} }

// input returns a field of a form.
func input(v refusals, name, label string, value any, help string) fieldView {
	return fieldView{Name: name, Label: label, Value: fmt.Sprint(value), Help: help, Message: v.refusal(name)}
}

// choiceView is a field whose values are listed.
type choiceView struct {
	fieldView
	Choices []stateChoice
}

// choice returns a field of a form whose values are listed.
func choice(v refusals, name, label, value string, choices []stateChoice) choiceView {
	return choiceView{fieldView{Name: name, Label: label, Value: value, Message: v.refusal(name)}, choices}
}
