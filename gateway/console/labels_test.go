package console

import (
	"strings"
	"testing"

	"keyhole/gateway"
)

// The list of refused fields names each field as its page does.
func TestRefusedFieldsHaveTheLabelsOfTheirPage(t *testing.T) {
	t.Parallel()
	refused := func(fields string) []gateway.FieldError {
		var all []gateway.FieldError
		for _, field := range strings.Fields(fields) {
			all = append(all, gateway.FieldError{Field: field, Message: "is wrong"})
		}
		return all
	}
	for page, list := range map[string][]problem{
		"share": shareView{Shareable: 1, Errors: refused("sensitive preset expires_in max_clicks passphrase reveal allow " +
			"not_before filename disposition pin language note labels")}.Problems(),
		"link": linkView{CanChange: true, Errors: refused("expires_in max_clicks note labels allow not_before language " +
			"passphrase")}.Problems(),
		"links": linksView{Errors: refused("state bucket prefix created_by label used since ends_within " +
			"ends_after")}.Problems(),
		"audit": auditView{Errors: refused("range since until kind outcome actor link bucket prefix key label " +
			"address")}.Problems(),
		"revocations": revocationsView{Errors: refused("reason")}.Problems(),
	} {
		text, err := templateDir.ReadFile("templates/" + page + ".html")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			if p.Label == "" || !strings.Contains(string(text), p.Label) {
				t.Errorf("%s: the field %s has the label %q", page, p.Field, p.Label)
			}
		}
	}
}
