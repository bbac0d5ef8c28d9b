package pages

import (
	"bytes"
	"fmt"
	"html/template"

	"keyhole/gateway"
)

// Refusal is the view of an answer without a file.
type Refusal struct {
	Outcome gateway.Outcome
	// Prefetched says that a browser loaded the link before the user opened it. It is
	// valid only with gateway.OutcomeBadRequest.
	Prefetched bool
}

// Rendered is a refusal in all forms. All answers share the bytes, so callers must not
// change them.
type Rendered struct {
	HTML   []byte // a page for people
	Text   []byte // one line for programs
	Detail string // the sentences of Text without its title, for problem+json
}

// Refusal returns the refusal for a view, and whether the renderer has one.
func (r *Renderer) Refusal(view Refusal) (Rendered, bool) {
	rendered, ok := r.refusals[view]
	return rendered, ok
}

// renderRefusals renders every refusal in one language.
func renderRefusals(page *template.Template, m *Messages) (map[Refusal]Rendered, error) {
	refusals := map[Refusal]Rendered{}
	render := func(view Refusal, message Message) error {
		rendered, err := renderRefusal(page, m, message)
		if err != nil {
			return fmt.Errorf("render the page for %s: %w", view.Outcome, err)
		}
		refusals[view] = rendered
		return nil
	}
	for outcome, message := range m.Refusals {
		if err := render(Refusal{Outcome: outcome}, message); err != nil {
			return nil, err
		}
	}
	err := render(Refusal{Outcome: gateway.OutcomeBadRequest, Prefetched: true}, m.Prefetched)
	return refusals, err
}

// renderRefusal renders one message in all forms.
func renderRefusal(page *template.Template, m *Messages, message Message) (Rendered, error) {
	var html bytes.Buffer
	values := struct {
		head
		Message
	}{headOf(m), message}
	if err := page.Execute(&html, values); err != nil {
		return Rendered{}, err
	}
	detail := message.Detail()
	return Rendered{HTML: html.Bytes(), Text: []byte(message.Title + ": " + detail + "\n"), Detail: detail}, nil
}
