package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"keyhole/gateway"
	"keyhole/gateway/admission"
)

// hostileTexts would add elements, attributes or scripts to a page that does not escape
// them in one of the places where pages show text.
func hostileTexts() []string {
	return []string{
		`<script>alert(1)</script>`,
		`"><img src=x onerror=alert(1)>`,
		`'><svg onload=alert(1)>`,
		`" onfocus="alert(1)" autofocus="`,
		`' onmouseover='alert(1)`,
		`</textarea></title></option></select><script>alert(1)</script>`,
		`javascript:alert(1)//`,
		`{{.}}${alert(1)}<%= 7*7 %>#{7*7}`,
		`--><!--<script>-->`,
		`&lt;script&gt;&#60;b&#62;&quot; onx=y`,
		"a\u2028\u2029\u202e<b>\ufeffz",
		`<a href="//evil.example" hx-get="/x" hx-trigger="load">x</a>`,
	}
}

// harmless returns a text of the same kind that means nothing in HTML.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '=' || r == ' ' || r == ':' {
			return r
		}
		return 'x'
	}, text)
}

// shape returns the elements of a page in their order, each with the names of its attributes,
// and checks that no attribute runs or loads anything.
func (a *answer) shape(t *testing.T) []string {
	t.Helper()
	var elements []string
	for n := range a.page.Descendants() {
		switch n.Type {
		case html.CommentNode:
			elements = append(elements, "comment")
		case html.ElementNode:
			names := []string{n.Data}
			for _, attr := range n.Attr {
				names = append(names, attr.Key)
				address := slices.Contains([]string{
					"href", "src", "action", "formaction", "hx-get", "hx-post",
					"xlink:href",
				}, attr.Key)
				if address && !strings.HasPrefix(attr.Val, "/console/") && !strings.HasPrefix(attr.Val, "#") {
					t.Errorf("%s leads to %q", n.Data, attr.Val)
				}
				if strings.HasPrefix(attr.Key, "on") || attr.Key == "style" || attr.Key == "srcdoc" {
					t.Errorf("%s has %s=%q", n.Data, attr.Key, attr.Val)
				}
			}
			elements = append(elements, strings.Join(names, " "))
		}
	}
	return elements
}

// xssBench is a bench that has one text in every place where a page may show it.
func xssBench(t *testing.T, text string) (c *client, link string) {
	t.Helper()
	b := newBench(t, nil)
	person := admission.Key{
		Name: text, DisplayName: text, SHA256: hashOf("person"), Can: everyRight(), Objects: []gateway.Pattern{"*"},
	}
	b.operators.SetKeys([]admission.Key{person})
	b.storage.keys = keysOf(text+"a", "plain")
	b.storage.keys.Folders = []string{text + "/"}
	b.storage.keys.Objects[1].StorageClass = text
	b.storage.kind = text
	actor := &gateway.Actor{
		Name: text, DisplayName: text, Can: everyRight(), Objects: []gateway.Pattern{"*"}, Address: text,
	}
	req := gateway.IssueRequest{
		Bucket: "reports", Key: text + "a", Note: text, Labels: map[string]string{"l": strings.Map(printable, text)},
		Preset: gateway.PresetBusiness, Filename: strings.ReplaceAll(strings.Map(printable, text), "/",
			""), Pin: gateway.PinNone,
	}
	issued, err := b.service.Issue(t.Context(), actor, &req)
	if err != nil {
		t.Fatalf("issue: %v", err)
	}
	req.Key = "revoked"
	revoked, err := b.service.Issue(t.Context(), actor, &req)
	if err == nil {
		_, err = b.service.Revoke(t.Context(), actor, revoked.Link.ID, text)
	}
	if err != nil {
		t.Fatalf("revoke: %v", err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		t.Logf("the text was %q", text)
	})
	c = b.signedIn(t, "person")
	return c, "/console/links/" + issued.Link.ID.String() + " " + "/console/links/" + revoked.Link.ID.String()
}

// printable removes what file names and labels may not have.
func printable(r rune) rune {
	if r == '\u2028' || r == '\u2029' || r == '\u202e' || r == '\ufeff' {
		return -1
	}
	return r
}

// hostilePages requests every page with the text in it.
func hostilePages(t *testing.T, c *client, links, text string) map[string]answer {
	t.Helper()
	live, revoked, _ := strings.Cut(links, " ")
	q := url.QueryEscape(text)
	pages := map[string]answer{}
	for name, path := range map[string]string{
		"objects": "/console/objects?bucket=reports", "folder": "/console/objects?bucket=reports&prefix=" + q,
		"search": "/console/objects?bucket=reports&search=" + q, "bucket": "/console/objects?bucket=" + q,
		"storage": "/console/objects?bucket=reports&storage=" + q, "cursor": "/console/objects?bucket=reports&cursor=" + q,
		"links": "/console/links?state=active,revoked", "view": "/console/links?created_by=" + q,
		"filters": "/console/links?bucket=reports&prefix=" + q + "&label=l%3D" +
			url.QueryEscape(strings.Map(printable, text)), "wrong state": "/console/links?state=" + q,
		"wrong label": "/console/links?label=" + q, "key": "/console/links?bucket=reports&key=" + q,
		"hidden": "/console/links?since=" + q + "&used=" + q + "&ends_within=" + q +
			"&ends_after=" + q, "find": "/console/links?q=0" + q,
		"link": live, "revoked": revoked, "done": live + "?done=" + q, "events": live + "?cursor=" + q,
		"share": "/console/share?bucket=reports&key=" + q + "a", "sign-in": "/console/sign-in?return=" + q + "&ended=" + q,
		"help": "/console/help?x=" + q, "not found": "/console/" + url.PathEscape(text), "no link": "/console/links/" +
			url.PathEscape(text),
		"filled form": "/console/share?bucket=reports&key=plain&note=" + q + "&labels=" + q + "&allow=" + q +
			"&filename=" + q +
			"&max_clicks=" + q + "&passphrase=" + q + "&expires_in=" + q + "&not_before=" + q + "&language=" + q +
			"&preset=" + q,
	} {
		pages[name] = c.get(path)
	}
	every := func(names ...string) url.Values {
		v := url.Values{"bucket": {"reports"}, "key": {"plain"}}
		for _, name := range names {
			v.Set(name, text)
		}
		return v
	}
	fields := every("expires_in", "max_clicks", "passphrase", "filename", "disposition", "reveal", "allow", "labels",
		"not_before",
		"pin", "note", "language", "sensitive")
	pages["refused share"] = c.post("/console/share", fields)
	pages["unknown bucket"] = c.post("/console/share", every("storage", "bucket"))
	pages["refused change"] = c.post(live+"/change", fields)
	pages["conflict"] = c.post(live+"/change",
		url.Values{"note": {text + "!"}, "allow": {"203.0.113.1"}, "revision": {text}})
	pages["refused reason"] = c.post(live+"/revoke",
		url.Values{"confirm": {"1"}, "reason": {strings.Repeat(text, 400)}})
	pages["question"] = c.post("/console/revocations", every("prefix", "label", "created_by"))
	pages["question of one"] = c.post(live+"/revoke", url.Values{"reason": {text}})
	pages["unknown filter"] = c.post("/console/revocations", url.Values{text: {text}})
	pages["shared"] = c.post("/console/share",
		url.Values{"bucket": {"reports"}, "key": {text + "a"}, "preset": {gateway.PresetHandoff}})
	pages["wrong key"] = c.b.visitor(t).post("/console/sign-in", url.Values{"key": {"x" + text}, "return": {text}})
	pages["wrong URL"] = c.post("/console/links", url.Values{"q": {"0" + text}})
	pages["repeat"] = c.b.visitor(t).post("/console/share", url.Values{text: {text}, "key": {text}})
	pages["theme"] = c.post("/console/theme", url.Values{"theme": {text}})
	c.b.storage.proofErr = fmt.Errorf("words of the storage: %s: %w", text, gateway.ErrObjectNotReadable)
	pages["storage refuses"] = c.get("/console/objects?bucket=reports")
	c.b.storage.proofErr = fmt.Errorf("words of the storage: %s: %w", text, gateway.ErrUnavailable)
	pages["storage away"] = c.get("/console/share?bucket=reports&key=plain")
	return pages
}

// No text changes the structure of a page, wherever the page shows it.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	for _, text := range hostileTexts() {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			c, links := xssBench(t, text)
			hostile := hostilePages(t, c, links, text)
			plain := harmless(text)
			c, links = xssBench(t, plain)
			normal := hostilePages(t, c, links, plain)
			for name, page := range hostile {
				usual := normal[name]
				if page.status != usual.status {
					t.Errorf("%s: %d, with a harmless text %d", name, page.status, usual.status)
				}
				got, want := page.shape(t), usual.shape(t)
				if !slices.Equal(got, want) {
					t.Errorf("%s: %d elements, with a harmless text %d; the first other one is %q", name, len(got),
						len(want),
						firstDifference(got, want))
				}
				if kind := page.header.Get("Content-Type"); kind != "text/html; charset=utf-8" {
					t.Errorf("%s is %q", name, kind)
				}
				if strings.HasPrefix(name, "storage ") && strings.Contains(page.text, "words of the storage") {
					t.Errorf("%s: the page has the words of the storage", name)
				}
			}
			checkShown(t, hostile, text)
		})
	}
}

// checkShown checks that the pages do show the text, as text.
func checkShown(t *testing.T, pages map[string]answer, text string) {
	t.Helper()
	for _, name := range []string{"objects", "links", "link", "revoked", "shared", "repeat"} {
		page := pages[name]
		if !strings.Contains(raw(page.byID("main")), text) && !strings.Contains(raw(page.byID("main")), text+"a") {
			t.Errorf("%s does not show the text", name)
		}
	}
	page := pages["filled form"]
	if page.status == http.StatusOK && attribute(page.byID("filename"), "value") != text {
		t.Errorf("the field has %q", attribute(page.byID("filename"), "value"))
	}
}

// firstDifference returns the first element that is not the same in both lists.
func firstDifference(got, want []string) string {
	for i, element := range got {
		if i >= len(want) || want[i] != element {
			return element
		}
	}
	return "the end"
}
