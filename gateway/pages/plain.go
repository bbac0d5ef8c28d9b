package pages

import (
	"strings"

	"keyhole/gateway"
)

// Plain is a refusal for programs, in English.
type Plain struct {
	Text   []byte // one line
	Detail string // the sentences of Text without its title, for problem+json
}

// Plain returns a refusal for programs, and whether the outcome has one. It uses only the
// Outcome and Prefetched of the view: programs read the code of an answer, so the text is
// the same for all links and languages.
func (r *Renderer) Plain(view *Refusal) (Plain, bool) {
	plain, ok := r.plain[(&Refusal{Outcome: view.Outcome, Prefetched: view.Prefetched}).kind()]
	return plain, ok
}

// renderPlain renders every refusal for programs.
func renderPlain() (map[refusalKind]Plain, error) {
	english, err := languageOf("en")
	if err != nil {
		return nil, err
	}
	c, err := loadCatalogue(&english)
	if err != nil {
		return nil, err
	}
	all := map[refusalKind]Plain{}
	for _, kind := range refusalKinds() {
		text := func(part string) string { return c.text(string(kind) + "." + part) }
		sentences := []string{text("text"), text("help")}
		switch hint := programHint(kind); {
		case kind == refusalKind(gateway.OutcomeRateLimited): // The help refers to a time that only the page shows.
			sentences[1] = hint
		case hint != "":
			sentences = append(sentences, hint)
		}
		detail := strings.Join(sentences, " ")
		all[kind] = Plain{Text: []byte(text("title") + ": " + detail + "\n"), Detail: detail}
	}
	return all, nil
}

// programHint returns what a program can do, or "". Pages do not show it.
func programHint(kind refusalKind) string {
	switch gateway.Outcome(kind) {
	case gateway.OutcomeConfirmationRequired:
		return "A program sends a POST: curl -fL -d confirm=1 with the link's address, " +
			"and --data-urlencode passphrase=... if the link has a passphrase."
	case gateway.OutcomeMethodNotAllowed:
		return "A link accepts GET, HEAD and POST."
	case gateway.OutcomeBadRequest:
		return "A program sends confirm=1 as application/x-www-form-urlencoded: " +
			"curl -fL -d confirm=1 with the link's address."
	case gateway.OutcomeRateLimited:
		return "Try again in a minute (15 minutes after wrong passphrases)."
	}
	return ""
}
