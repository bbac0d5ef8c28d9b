package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// strictPolicy is the policy of the bench with sensitive objects and a short life for them.
func strictPolicy() gateway.Policy {
	return gateway.Policy{
		MaxExpiry: 168 * time.Hour, PassphraseMin: 8,
		Caps: gateway.Caps{Sensitive: 30 * time.Minute, NotStated: 2 * time.Hour, NotSensitive: 100 * time.Hour},
		Presets: map[string]time.Duration{
			gateway.PresetHandoff: 15 * time.Minute, gateway.PresetTroubleshooting: time.Hour,
			gateway.PresetBusiness: 24 * time.Hour, gateway.PresetExtended: 168 * time.Hour,
		},
		SensitiveObjects: []gateway.Pattern{"reports/hr/*"},
	}
}

// presetLine returns the words of a preset of the form, and whether it is selected.
func presetLine(a *answer, name string) (text string, selected bool) {
	for _, n := range a.all("label") {
		if input := n.FirstChild; attribute(input, "name") == "preset" && attribute(input, "value") == name {
			for _, attr := range input.Attr {
				selected = selected || attr.Key == "checked"
			}
			return words(n), selected
		}
	}
	return "", false
}

// Each life that the policy does not allow says why, and the selected life fits the answer.
func TestPresetsSayWhyNot(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.service.SetPolicy(strictPolicy())
	c := b.signedIn(t, opsKey)
	for _, tt := range []struct {
		answer, selected string
	}{{"", "troubleshooting"}, {"true", "handoff"}, {"false", "business"}} {
		a := c.get("/console/share?bucket=reports&key=q3.pdf&sensitive=" + tt.answer)
		if a.status != http.StatusOK {
			t.Fatalf("the form: %d", a.status)
		}
		for name, why := range map[string]string{
			"handoff":         "UTC",
			"troubleshooting": "not for sensitive content: 1h is over the limit of 30m (the object is sensitive)",
			"business":        "only if the content is not sensitive",
			"extended":        "not allowed: 7d is over the limit of 100h (the object is not sensitive)",
		} {
			text, selected := presetLine(&a, name)
			if !strings.HasSuffix(text, why) || selected != (name == tt.selected) {
				t.Errorf("answer %q: %s is %q, selected %t", tt.answer, name, text, selected)
			}
		}
		if got := attribute(a.byID("preset"), "data-defaults"); got != "handoff troubleshooting business" {
			t.Errorf("the defaults are %q", got)
		}
		for _, longest := range []string{
			"at most 30m (the object is sensitive)", "at most 2h (sensitivity was not stated)",
			"at most 100h (the object is not sensitive)",
		} {
			if !strings.Contains(words(a.byID("sensitive")), longest) {
				t.Errorf("%q lacks %q", words(a.byID("sensitive")), longest)
			}
		}
	}
}

// The form says that the policy marks an object as sensitive, also for one of several.
func TestPolicyMarksSensitive(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.service.SetPolicy(strictPolicy())
	c := b.signedIn(t, opsKey)
	a := c.get("/console/share?bucket=reports&key=hr/pay.csv")
	if got := words(a.byID("sensitive")); !strings.Contains(got, "No the policy marks this object as sensitive") {
		t.Errorf("the question: %q", got)
	}
	if text, _ := presetLine(&a, "business"); !strings.Contains(text, "not allowed: 24h is over the limit of 30m") {
		t.Errorf("business is %q", text)
	}
	a = c.post("/console/share/selection", url.Values{"bucket": {"reports"}, "key": {"a.txt", "hr/pay.csv"}})
	if got := words(a.byID("sensitive")); !strings.Contains(got, "marks 1 object of these as sensitive") {
		t.Errorf("the question about several: %q", got)
	}
	if text, _ := presetLine(&a, "troubleshooting"); !strings.Contains(text, "not allowed: 1h is over the limit of 30m") {
		t.Errorf("a life that one of several must not have is %q", text)
	}
}

// If the policy makes the usual life shorter than its preset, the form selects the longest
// allowed life, so that the form can be sent as it is.
func TestPresetShorterThanUsual(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	policy := strictPolicy()
	policy.Caps.NotStated = 20 * time.Minute
	b.service.SetPolicy(policy)
	c := b.signedIn(t, opsKey)
	a := c.get("/console/share?bucket=reports&key=q3.pdf")
	if text, selected := presetLine(&a, ""); !selected || !strings.HasPrefix(text, "As long as the policy allows") {
		t.Errorf("%q, selected %t", text, selected)
	}
	form := filledForm(t, &a, "/console/share")
	if a = c.post("/console/share", form); a.status != http.StatusOK || a.byID("link-url") == nil {
		t.Errorf("%d: %s", a.status, words(a.page))
	}
}

// The message for the recipient has the end of the link and the words of its language.
func TestSharedMessage(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	for language, want := range map[string]string{"": "The link works until ", "de": "Der Link ist gültig bis "} {
		a := c.post("/console/share", url.Values{
			"bucket": {"reports"}, "key": {"q3.pdf"}, "preset": {"handoff"}, "language": {language}, "nonce": {"m" + language},
		})
		message := a.byID("message")
		if message == nil || !strings.HasPrefix(message.FirstChild.Data, "q3.pdf\n"+want) ||
			!strings.HasSuffix(message.FirstChild.Data, " UTC.\n"+attribute(a.byID("link-url"), "value")+"\n") {
			t.Errorf("language %q: %d: %q", language, a.status, words(message))
		}
	}
	b.issuedLink(t, "q4.pdf", nil)
	a := c.get("/console/share?bucket=reports&key=q4.pdf")
	notice, object := strings.Index(a.text, "already shared"), strings.Index(a.text, "This is what you share")
	if notice < 0 || notice > object {
		t.Errorf("the notice is at %d, the object at %d", notice, object)
	}
}
