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
			return plainRule(r.Message)
		}
	}
	return ""
}

// problem is an entry of the list of refused fields at the top of a form.
type problem struct {
	Field, Message string
	Label          string // of the field on the page; empty: the page does not have the field
}

// labelled is a field of a page with its label.
type labelled struct {
	id, label string
}

// problems returns the list of refused fields. fields are the fields that the page shows, in
// its order: a link to any other field would lead nowhere.
func problems(refused []gateway.FieldError, fields ...labelled) []problem {
	var list []problem
	for _, field := range fields {
		for _, r := range refused {
			if r.Field == field.id {
				list = append(list, problem{r.Field, plainRule(r.Message), field.label})
			}
		}
	}
	for _, r := range refused {
		if !slices.ContainsFunc(fields, func(f labelled) bool { return f.id == r.Field }) {
			list = append(list, problem{Field: r.Field, Message: plainRule(r.Message)})
		}
	}
	return list
}

// Problems returns the list of refused fields.
func (v shareView) Problems() []problem {
	if v.Object == nil && v.Shareable == 0 {
		return problems(v.Errors) // without a form
	}
	return problems(v.Errors, labelled{"form", "Form"}, labelled{"sensitive", "Is the content sensitive?"},
		labelled{"preset", "How long does the link live?"}, labelled{"expires_in", "Another time"},
		labelled{"max_clicks", "Number of downloads"}, labelled{"passphrase", "Passphrase"},
		labelled{"reveal", "Facts about the file"}, labelled{"allow", "Only from these networks"},
		labelled{"not_before", "Works from (UTC)"}, labelled{"filename", "Name of the downloaded file"},
		labelled{"disposition", "In the browser"}, labelled{"pin", "If the object changes"},
		labelled{"language", "Language of the recipient"}, labelled{"note", "Note for the recipient"},
		labelled{"labels", "Labels"})
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
