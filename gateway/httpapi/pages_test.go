package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"keyhole/gateway"
)

// elements returns every element of that name in the page, in order.
func elements(page *html.Node, name string) []*html.Node {
	var found []*html.Node
	for n := range page.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

// text returns the text below a node.
func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// attribute returns an attribute, or "".
func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// one returns the one element of that name.
func one(t *testing.T, page *html.Node, name string) *html.Node {
	t.Helper()
	found := elements(page, name)
	if len(found) != 1 {
		t.Fatalf("%d elements %s, want 1", len(found), name)
	}
	return found[0]
}

func TestRefusalPages(t *testing.T) {
	t.Parallel()
	p, err := newPages()
	if err != nil {
		t.Fatal(err)
	}
	for outcome, sentences := range refusals() {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			page, err := html.Parse(strings.NewReader(string(p.refused[outcome].forms[formHTML].content)))
			if err != nil {
				t.Fatal(err)
			}
			if lang := attribute(one(t, page, "html"), "lang"); lang != "en" {
				t.Errorf("the language is %q", lang)
			}
			// What a chat shows as a preview says nothing about the link.
			if title := text(one(t, page, "title")); title != "File link" {
				t.Errorf("the title is %q", title)
			}
			if h1 := text(one(t, page, "h1")); h1 != sentences.title {
				t.Errorf("the heading is %q, want %q", h1, sentences.title)
			}
			paragraphs := elements(page, "p")
			if len(paragraphs) != 2 || text(paragraphs[0]) != sentences.text || text(paragraphs[1]) != sentences.help {
				t.Errorf("%d paragraphs", len(paragraphs))
			}
			for _, meta := range elements(page, "meta") {
				if name := attribute(meta, "name"); strings.HasPrefix(attribute(meta, "property"), "og:") || attribute(meta, "http-equiv") != "" ||
					!slices.Contains([]string{"", "viewport", "robots", "color-scheme"}, name) {
					t.Errorf("there is a meta %v", meta.Attr)
				}
			}
			wantStaticPage(t, page, p.policy)
		})
	}
}

// wantStaticPage wants a page that runs nothing, loads nothing, leads nowhere
// and is styled by what the policy allows.
func wantStaticPage(t *testing.T, page *html.Node, policy string) {
	t.Helper()
	for _, name := range []string{"script", "link", "img", "iframe", "object", "embed", "base", "a", "video", "audio", "source"} {
		if found := elements(page, name); len(found) != 0 {
			t.Errorf("the page has %d elements %s", len(found), name)
		}
	}
	for n := range page.Descendants() {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || slices.Contains([]string{"style", "src", "href", "action", "srcset"}, a.Key) {
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
	// A browser hashes exactly the text of the element.
	style := text(one(t, page, "style"))
	digest := sha256.Sum256([]byte(style))
	if source := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"; !strings.Contains(policy, source) {
		t.Errorf("the style hashes to %s, the policy is %s", source, policy)
	}
	if strings.Contains(style, "url(") || strings.Contains(style, "@import") {
		t.Error("the style loads something")
	}
}

func TestPolicyOfPublicAnswers(t *testing.T) {
	t.Parallel()
	p, err := newPages()
	if err != nil {
		t.Fatal(err)
	}
	directives := map[string]string{}
	for directive := range strings.SplitSeq(p.policy, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
		directives[name] = value
	}
	for name, want := range map[string]string{
		"default-src": "'none'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
	} {
		if directives[name] != want {
			t.Errorf("%s is %q, want %q", name, directives[name], want)
		}
	}
	if len(directives) != 5 {
		t.Errorf("the directives are %v", directives)
	}
}

// Every outcome that is no answer of its own has its sentences, and there are
// sentences for nothing else.
func TestCatalogueCoversEveryOutcome(t *testing.T) {
	t.Parallel()
	answered := []gateway.Outcome{gateway.OutcomeRedirected, gateway.OutcomePage, gateway.OutcomeResumed}
	catalogue, status := refusals(), publicStatus()
	for _, outcome := range gateway.Outcomes() {
		r, ok := catalogue[outcome]
		if ok == slices.Contains(answered, outcome) {
			t.Errorf("%s: in the catalogue: %v", outcome, ok)
		}
		if r.status != status[outcome] {
			t.Errorf("%s: status %d, want %d", outcome, r.status, status[outcome])
		}
		delete(catalogue, outcome)
		if !ok {
			continue
		}
		for _, sentence := range []string{r.title, r.text, r.help} {
			if sentence == "" || strings.ContainsAny(sentence, "\n<>%") || strings.TrimSpace(sentence) != sentence {
				t.Errorf("%s: the sentence is %q", outcome, sentence)
			}
		}
		if !strings.HasSuffix(r.text, ".") || strings.HasSuffix(r.title, ".") {
			t.Errorf("%s: %q, %q", outcome, r.title, r.text)
		}
	}
	if len(catalogue) != 0 {
		t.Errorf("the catalogue has sentences for %v, which are no outcomes", catalogue)
	}
}

// The three forms say the same.
func TestFormsOfARefusalAgree(t *testing.T) {
	t.Parallel()
	p, err := newPages()
	if err != nil {
		t.Fatal(err)
	}
	for outcome, r := range p.refused {
		sentences := refusals()[outcome]
		for form, body := range map[string][]byte{"json": r.forms[formJSON].content, "text": r.forms[formText].content} {
			if !strings.Contains(string(body), sentences.text) || !strings.Contains(string(body), sentences.help) {
				t.Errorf("%s as %s says %s", outcome, form, body)
			}
		}
	}
}
