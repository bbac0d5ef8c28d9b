package console

import (
	"crypto/sha256"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"keyhole/gateway"
)

// everyRight is the rights of an operator who may do everything.
func everyRight() []gateway.Action {
	return []gateway.Action{gateway.ActionIssue, gateway.ActionRead, gateway.ActionRevoke, gateway.ActionBrowse}
}

// admin is an operator who may do everything, outside the console.
func admin() *gateway.Actor {
	return &gateway.Actor{
		Name: "ops", DisplayName: "Olivia Ops", Can: everyRight(), Objects: []gateway.Pattern{"*"}, Address: "192.0.2.1",
	}
}

// issue makes a link outside the console.
func (b *bench) issue(t *testing.T, change func(*gateway.IssueRequest)) gateway.Issued {
	t.Helper()
	req := gateway.IssueRequest{Bucket: "reports", Key: "2026/q3.pdf", Preset: gateway.PresetBusiness}
	if change != nil {
		change(&req)
	}
	issued, err := b.service.Issue(t.Context(), admin(), &req)
	if err != nil {
		t.Fatalf("issue a link: %v", err)
	}
	return issued
}

// show returns a link.
func (b *bench) show(t *testing.T, id gateway.ID) gateway.Link {
	t.Helper()
	link, err := b.service.Show(t.Context(), admin(), id)
	if err != nil {
		t.Fatalf("show a link: %v", err)
	}
	return link
}

// click uses a link as a recipient's program does, and waits until the event is recorded.
func (b *bench) click(t *testing.T, token string) gateway.Answer {
	t.Helper()
	answer, err := b.service.Click(t.Context(), gateway.Attempt{
		ID: gateway.IDOf(token), Method: http.MethodGet, Address: "203.0.113.9", Client: netip.MustParseAddr("203.0.113.9"),
	})
	if err != nil {
		t.Fatalf("click: %v", err)
	}
	b.service.Wait()
	return answer
}

// links returns all links of the store, newest first.
func (b *bench) links(t *testing.T) []gateway.Link {
	t.Helper()
	page, err := b.service.List(t.Context(), admin(), gateway.ListQuery{Limit: 1000})
	if err != nil {
		t.Fatalf("list the links: %v", err)
	}
	return page.Links
}

// audit returns all events of the store, newest first.
func (b *bench) audit(t *testing.T) []gateway.AuditEvent {
	t.Helper()
	page, err := b.service.Audit(t.Context(), admin(), gateway.AuditQuery{Limit: 1000})
	if err != nil {
		t.Fatalf("read the audit: %v", err)
	}
	return page.Events
}

// keysOf returns a page of the storage with keys.
func keysOf(keys ...string) gateway.KeyPage {
	var page gateway.KeyPage
	for _, key := range keys {
		page.Objects = append(page.Objects, gateway.ObjectEntry{
			Key: key, Size: 2048, LastModified: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC),
		})
	}
	return page
}

// fields returns the values of the form with an action, as a browser without JavaScript
// would send them.
func (a *answer) fields(tb testing.TB, action string) url.Values {
	tb.Helper()
	for _, form := range a.all("form") {
		if attribute(form, "action") == action {
			return valuesOf(form)
		}
	}
	tb.Fatalf("no form for %s in: %s", action, words(a.page))
	return nil
}

// valuesOf returns the values of the successful controls of a form (HTML Standard,
// "constructing the entry list").
func valuesOf(form *html.Node) url.Values {
	v := url.Values{}
	for n := range form.Descendants() {
		name := attribute(n, "name")
		if n.Type != html.ElementNode || name == "" {
			continue
		}
		switch n.Data {
		case "input":
			kind := attribute(n, "type")
			if (kind == "checkbox" || kind == "radio") && !has(n, "checked") {
				continue
			}
			v.Add(name, attribute(n, "value"))
		case "textarea":
			v.Add(name, raw(n))
		case "select":
			v.Add(name, selected(n))
		}
	}
	return v
}

// selected returns the value of the chosen option of a select: the first one by default.
func selected(n *html.Node) string {
	value, found := "", false
	for option := range n.Descendants() {
		if option.Type == html.ElementNode && option.Data == "option" && (!found || has(option, "selected")) {
			value, found = attribute(option, "value"), true
		}
	}
	return value
}

// has reports whether an element has an attribute, also an empty one.
func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// raw returns the text of an element as it is.
func raw(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// shown returns the text of the main part of a page.
func (a *answer) shown() string { return words(a.byID("main")) }

// rows returns the texts of the rows in the tables of a page, without the heads.
func (a *answer) rows() []string {
	var rows []string
	for _, body := range a.all("tbody") {
		for n := range body.Descendants() {
			if n.Type == html.ElementNode && n.Data == "tr" {
				rows = append(rows, words(n))
			}
		}
	}
	return rows
}

// button returns the first button whose text is that one, or nil.
func (a *answer) button(text string) *html.Node {
	for _, n := range a.all("button") {
		if words(n) == text {
			return n
		}
	}
	return nil
}

// checkField checks that a page shows a refusal beside a field, and connects the two for
// screen readers.
func checkField(t *testing.T, a *answer, name, message string) {
	t.Helper()
	beside := a.byID(name + "-error")
	if beside == nil || !strings.Contains(words(beside), message) {
		t.Errorf("beside %s: %q, want %q", name, words(beside), message)
	}
	control := a.byID(name)
	if choice := a.byID(name + "-choice"); choice != nil {
		control = choice
	}
	described := strings.Fields(attribute(control, "aria-describedby"))
	if !slices.Contains(described, name+"-error") || attribute(control, "aria-invalid") != "true" {
		t.Errorf("%s is described by %q", name, described)
	}
	for _, n := range a.all("a") {
		if attribute(n, "href") == "#"+name && a.byID(name) != nil {
			return
		}
	}
	t.Errorf("the list of errors does not lead to %s", name)
}

// with returns a form with other values; a name without a value is removed.
func with(form url.Values, pairs ...string) url.Values {
	changed := maps.Clone(form)
	for i := 0; i+1 < len(pairs); i += 2 {
		changed[pairs[i]] = []string{pairs[i+1]}
		if pairs[i+1] == "" {
			delete(changed, pairs[i])
		}
	}
	return changed
}

// hashOf returns the hash of an operator key.
func hashOf(key string) [sha256.Size]byte { return sha256.Sum256([]byte(key)) }
