package pages

import (
	"errors"
	"html/template"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/pages/pagetest"
)

// newEnglish returns a Renderer with the English messages.
func newEnglish(t *testing.T) *Renderer {
	t.Helper()
	r, err := New(Options{Messages: English()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRefusalPages(t *testing.T) {
	t.Parallel()
	r := newEnglish(t)
	for outcome, message := range English().Refusals {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			rendered, ok := r.Refusal(Refusal{Outcome: outcome})
			if !ok {
				t.Fatal("the refusal is not rendered")
			}
			page := pagetest.Parse(t, rendered.HTML)
			if lang := pagetest.Attribute(pagetest.One(t, page, "html"), "lang"); lang != "en" {
				t.Errorf("the language is %q", lang)
			}
			// What a chat shows as a preview says nothing about the link.
			if title := pagetest.Text(pagetest.One(t, page, "title")); title != "File link" {
				t.Errorf("the title is %q", title)
			}
			if h1 := pagetest.Text(pagetest.One(t, page, "h1")); h1 != message.Title {
				t.Errorf("the heading is %q, want %q", h1, message.Title)
			}
			paragraphs := pagetest.Elements(page, "p")
			if len(paragraphs) != 2 || pagetest.Text(paragraphs[0]) != message.Text ||
				pagetest.Text(paragraphs[1]) != message.Help {
				t.Errorf("%d paragraphs", len(paragraphs))
			}
			for _, meta := range pagetest.Elements(page, "meta") {
				name := pagetest.Attribute(meta, "name")
				if strings.HasPrefix(pagetest.Attribute(meta, "property"), "og:") || pagetest.Attribute(meta, "http-equiv") != "" ||
					!slices.Contains([]string{"", "viewport", "robots", "color-scheme"}, name) {
					t.Errorf("there is a meta %v", meta.Attr)
				}
			}
			pagetest.WantStatic(t, page, r.Policy(""))
		})
	}
}

func TestPolicyOfPublicAnswers(t *testing.T) {
	t.Parallel()
	r := newEnglish(t)
	for target, forms := range map[string]string{"": "'self'", "https://s3.example.com": "'self' https://s3.example.com"} {
		directives := map[string]string{}
		for directive := range strings.SplitSeq(r.Policy(target), ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
			directives[name] = value
		}
		for name, want := range map[string]string{
			"default-src": "'none'", "form-action": forms, "base-uri": "'none'", "frame-ancestors": "'none'",
		} {
			if directives[name] != want {
				t.Errorf("%s is %q, want %q", name, directives[name], want)
			}
		}
		if len(directives) != 5 {
			t.Errorf("the directives are %v", directives)
		}
	}
}

// Each outcome that gives recipients no file has a message, and no other outcome has one.
func TestMessagesCoverEveryOutcome(t *testing.T) {
	t.Parallel()
	answered := []gateway.Outcome{gateway.OutcomeRedirected, gateway.OutcomePage, gateway.OutcomeResumed}
	messages := English().Refusals
	for _, outcome := range gateway.Outcomes() {
		m, ok := messages[outcome]
		if ok == slices.Contains(answered, outcome) {
			t.Errorf("%s: has a message: %v", outcome, ok)
		}
		delete(messages, outcome)
		if !ok {
			continue
		}
		for _, sentence := range []string{m.Title, m.Text, m.Help} {
			if sentence == "" || strings.ContainsAny(sentence, "\n<>%") || strings.TrimSpace(sentence) != sentence {
				t.Errorf("%s: the sentence is %q", outcome, sentence)
			}
		}
		if !strings.HasSuffix(m.Text, ".") || strings.HasSuffix(m.Title, ".") {
			t.Errorf("%s: %q, %q", outcome, m.Title, m.Text)
		}
	}
	if len(messages) != 0 {
		t.Errorf("there are messages for %v, which are no outcomes", messages)
	}
}

// Recipients are laymen: what pages show has no word of HTTP or of Keyhole's own.
func TestPagesUseWordsOfLaymen(t *testing.T) {
	t.Parallel()
	m := English()
	texts := []string{m.Prefetched.Text, m.Prefetched.Help, m.Confirmation.Help(true, 0), m.Confirmation.Help(false, 0)}
	for _, message := range m.Refusals {
		texts = append(texts, message.Text, message.Help)
	}
	for _, text := range texts {
		lower := strings.ToLower(text)
		for _, word := range []string{"outcome", "issue", "object", "token", "presigned", "post", "curl", "http"} {
			if slices.Contains(strings.FieldsFunc(lower, func(r rune) bool { return r < 'a' || r > 'z' }), word) {
				t.Errorf("%q has the word %q", text, word)
			}
		}
	}
}

// Text and detail hold the sentences of the page. Only they tell programs what to do.
func TestFormsOfARefusalAgree(t *testing.T) {
	t.Parallel()
	r := newEnglish(t)
	for outcome, m := range English().Refusals {
		rendered, _ := r.Refusal(Refusal{Outcome: outcome})
		for form, text := range map[string]string{"detail": rendered.Detail, "text": string(rendered.Text)} {
			if !strings.Contains(text, m.Text) || !strings.Contains(text, m.Help) || !strings.Contains(text, m.Programs) {
				t.Errorf("%s as %s is %s", outcome, form, text)
			}
		}
		if text := string(rendered.Text); !strings.HasPrefix(text, m.Title+": ") || strings.Index(text, "\n") != len(text)-1 {
			t.Errorf("%s: the line is %q", outcome, text)
		}
		if m.Programs != "" && strings.Contains(string(rendered.HTML), template.HTMLEscapeString(m.Programs)) {
			t.Errorf("%s: the page tells people what programs do", outcome)
		}
	}
}

// A link that a browser loaded ahead of its user has its own text; other outcomes have none.
func TestPrefetchedRefusal(t *testing.T) {
	t.Parallel()
	r := newEnglish(t)
	for _, outcome := range gateway.Outcomes() {
		rendered, ok := r.Refusal(Refusal{Outcome: outcome, Prefetched: true})
		if ok != (outcome == gateway.OutcomeBadRequest) || ok && !strings.Contains(string(rendered.HTML), "ahead of time") {
			t.Errorf("%s: rendered: %v", outcome, ok)
		}
	}
}

// TestNoRefusal returns no page for outcomes that redirect and for unknown outcomes.
func TestNoRefusal(t *testing.T) {
	t.Parallel()
	r := newEnglish(t)
	for _, outcome := range []gateway.Outcome{gateway.OutcomeRedirected, gateway.OutcomeResumed, "", "unheard_of"} {
		if rendered, ok := r.Refusal(Refusal{Outcome: outcome}); ok || rendered.HTML != nil {
			t.Errorf("%q: %s", outcome, rendered.HTML)
		}
	}
}

// Refusals are rendered once: every caller gets the same bytes.
func TestRefusalsAreRenderedInAdvance(t *testing.T) { // not parallel: it counts allocations
	r := newEnglish(t)
	first, _ := r.Refusal(Refusal{Outcome: gateway.OutcomeNotFound})
	second, _ := r.Refusal(Refusal{Outcome: gateway.OutcomeNotFound})
	if &first.HTML[0] != &second.HTML[0] || &first.Text[0] != &second.Text[0] {
		t.Error("the refusal was rendered twice")
	}
	if n := testing.AllocsPerRun(10, func() { r.Refusal(Refusal{Outcome: gateway.OutcomeNotFound}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Messages are text: what looks like markup is shown as it stands.
func TestMessagesAreEscaped(t *testing.T) {
	t.Parallel()
	m := English()
	m.Language = `e"n`
	m.Refusals[gateway.OutcomeExpired] = Message{Title: "<b>", Text: "a & b", Help: "</p><script>"}
	r, err := New(Options{Messages: m})
	if err != nil {
		t.Fatal(err)
	}
	rendered, _ := r.Refusal(Refusal{Outcome: gateway.OutcomeExpired})
	page := pagetest.Parse(t, rendered.HTML)
	if h1 := pagetest.Text(pagetest.One(t, page, "h1")); h1 != "<b>" {
		t.Errorf("the heading is %q", h1)
	}
	if lang := pagetest.Attribute(pagetest.One(t, page, "html"), "lang"); lang != `e"n` {
		t.Errorf("the language is %q", lang)
	}
	pagetest.WantStatic(t, page, r.Policy(""))
}

// A template that fails is an error with the outcome, and no page.
func TestBrokenTemplate(t *testing.T) {
	t.Parallel()
	broken := template.Must(template.New("page").Parse("{{.NoSuchField}}"))
	m := English()
	if _, err := renderRefusals(broken, &m); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("refusals: %v", err)
	}
	r := newEnglish(t)
	r.confirmation = broken
	if html, err := r.Confirmation(Confirmation{Page: &gateway.Page{}}); err == nil || html != nil {
		t.Errorf("confirmation: %q, %v", html, err)
	}
}
