package config

import (
	"net/url"
	"strings"
	"testing"
)

// allowedContacts returns values of pages.contact, of all three kinds.
func allowedContacts() []string {
	return []string{
		"",
		"mailto:help@example.com", "mailto:first.last+tag@mail.example.com", "mailto:help@localhost",
		"mailto:o'brien@xn--bcher-kva.example",
		"tel:112", "tel:+4930901820", "tel:+49-30-901820", "tel:+49.30.901820", "tel:+49%2030%20901820",
		"https://example.com", "https://example.com/", "https://example.com:8443/help/desk", "https://192.0.2.1/help",
		"https://[2001:db8::1]/help", "https://example.com/help?form=1&lang=de", "https://example.com/%E2%9C%93",
		"https://example.com/?", "https://example.com/a;b=c,d",
	}
}

// refusedContacts returns values that are no contact. Some are misread by browsers.
func refusedContacts() []string {
	return []string{
		"help@example.com", "example.com", "//example.com", "/help", "?", "#", " ", "http://example.com",
		"ftp://example.com",
		"javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,x",
		"vbscript:x", "file:///etc/passwd", "blob:https://example.com/x", "sms:+4930901820", "MAILTO:help@example.com",
		"HTTPS://example.com", "view-source:https://example.com",
		"mailto:", "mailto:help", "mailto:@example.com", "mailto:help@", "mailto:a@b@example.com",
		"mailto:a@b.test,c@d.test",
		"mailto:help@example.com?subject=x", "mailto:?to=help@example.com", "mailto:help@example.com&cc=x@y.test",
		"mailto:he%0d%0alp@example.com", "mailto:he lp@example.com", "mailto:.a@example.com", "mailto:a..b@example.com",
		"mailto:Help <help@example.com>", "mailto://help@example.com", "mailto:help@exa mple.com", "mailto:help@example.com/",
		"mailto:help@-example.com", "mailto:hélp@example.com", "mailto:" + strings.Repeat("a", 65) + "@example.com",
		"mailto:help@example.com#x", "mailto:help@127.1",
		"tel:", "tel:+", "tel:12", "tel:abc", "tel:+49 30 901820", "tel:++4930", "tel:49+30", "tel:+49--30", "tel:+49-",
		"tel:*#06#", "tel:+4930;ext=1", "tel:123456789012345678901", "tel:+49(30)901820", "tel:٠١٢٣",
		"https:", "https://", "https:///help", "https:example.com", "https:/example.com", "https:\\\\example.com",
		"https://example.com\\@evil.test", "https://user@example.com", "https://user:pass@example.com",
		"https://@example.com",
		"https://example.com#x", "https://example.com/#", "https://exa mple.com", "https://example.com/a b", "https://127.1",
		"https://example.com/\x00", "https://example.com/\n", "https://example.com/é", "https://bücher.example",
		"https://example.com/%", "https://example.com/%zz", "https://example.com:0", "https://example.com:99999",
		"https://example.com:x", "https://[::1%25eth0]/", "https://[::1", "https://example.com/\"onclick=\"x",
		"https://example.com/<script>", "https://?a", "https://-a.test", "https://example.com/\u202e", "https://.test",
		"https://example.com/" + strings.Repeat("a", maxPageURL),
	}
}

func TestContact(t *testing.T) {
	t.Parallel()
	for _, raw := range allowedContacts() {
		if why := contactProblem(raw); why != "" {
			t.Errorf("%q %s", raw, why)
		}
	}
	for _, raw := range refusedContacts() {
		if contactProblem(raw) == "" {
			t.Errorf("%q is allowed", raw)
		}
	}
}

// Footer links may have a fragment, and must not be numbers.
func TestPageLinkURL(t *testing.T) {
	t.Parallel()
	fragments := []string{"https://example.com#x", "https://example.com/#"}
	for _, raw := range append(fragments, "https://example.com/privacy?a#b", "mailto:privacy@example.com") {
		if why := pageLinkProblem(raw); why != "" {
			t.Errorf("%q %s", raw, why)
		}
	}
	for _, raw := range append(refusedContacts(), "", "tel:112") {
		if pageLinkProblem(raw) == "" && raw != fragments[0] && raw != fragments[1] {
			t.Errorf("%q is allowed", raw)
		}
	}
}

// FuzzContact: a contact that is allowed is one plain ASCII URL of an allowed scheme, for
// net/url too, and stays one if the reference is added.
func FuzzContact(f *testing.F) {
	for _, raw := range append(allowedContacts(), refusedContacts()...) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		link, contact := pageLinkProblem(raw), contactProblem(raw)
		if strings.Contains(link+contact, "\n") {
			t.Errorf("not one line: %q", link+contact)
		}
		if raw == "" || link != "" && contact != "" {
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.User != nil || len(raw) > maxPageURL {
			t.Fatalf("%q is allowed: %v", raw, err)
		}
		if u.Scheme != "https" && u.Scheme != "mailto" && u.Scheme != "tel" || u.Scheme == "https" && u.Hostname() == "" {
			t.Fatalf("%q is allowed", raw)
		}
		for _, c := range []byte(raw) {
			if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 && u.Scheme == "https" {
				t.Fatalf("%q has %q", raw, c)
			}
		}
		if contact == "" && (u.Fragment != "" || strings.Contains(raw, "#") ||
			u.Scheme != "https" && strings.ContainsAny(raw, "?&")) {
			t.Fatalf("the reference cannot be added to %q", raw)
		}
	})
}

// FuzzColor: a colour that is allowed is written in one form, and text on it is readable.
func FuzzColor(f *testing.F) {
	for _, text := range []string{"#1976d2", "#FFFFFF", "#000", "red", "#00000g", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseColor(text)
		if err != nil {
			return
		}
		again, err := ParseColor(c.String())
		if err != nil || again != c || !strings.EqualFold(c.String(), text) {
			t.Fatalf("%q becomes %s: %v", text, c, err)
		}
		if Contrast(c, TextOn(c)) < 4.5 {
			t.Fatalf("text on %s is hard to read", c)
		}
	})
}
