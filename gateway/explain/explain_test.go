package explain

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

func TestSize(t *testing.T) {
	t.Parallel()
	if got := Size(nil); got != "" {
		t.Errorf("unknown: got %q", got)
	}
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB (1024 bytes)", 1536: "1.5 KiB (1536 bytes)",
		5 << 30: "5.0 GiB (5368709120 bytes)", 1 << 62: "4.0 EiB (4611686018427387904 bytes)",
	} {
		if got := Size(&n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

func TestTimestampAndPlural(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)
	if got := Timestamp(&at); got != "2026-11-28T08:00:00Z" {
		t.Errorf("got %s", got)
	}
	// Every output rounds to the nearest second.
	for off, want := range map[time.Duration]string{
		-136 * time.Millisecond: "2026-11-28T08:00:00Z", 499 * time.Millisecond: "2026-11-28T08:00:00Z",
		500 * time.Millisecond: "2026-11-28T08:00:01Z",
	} {
		if got := Moment(at.Add(off)); got != want {
			t.Errorf("%v: got %s, want %s", off, got, want)
		}
	}
	if got := Timestamp(nil); got != "" {
		t.Errorf("unknown: got %s", got)
	}
	for n, want := range map[int]string{0: "0 links", 1: "1 link", 2: "2 links"} {
		if got := Plural(n, "link"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestLanguage names every language that a link can have, and passes on others.
func TestLanguage(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, tag := range gateway.Languages() {
		names[Language(tag)] = true
	}
	if len(names) != len(gateway.Languages()) || len(languageNames()) != len(names) {
		t.Errorf("the languages are %v", names)
	}
	for tag, want := range map[string]string{
		"en": "English (en)", "de": "German (de)", "ar": "Arabic (ar)", "xx": "xx", "": "",
	} {
		if got := Language(tag); got != want {
			t.Errorf("%s: got %q, want %q", tag, got, want)
		}
	}
}

func TestPin(t *testing.T) {
	t.Parallel()
	for pin, want := range map[string]string{
		gateway.PinVersion: "version v7", gateway.PinETag: `ETag "e"`,
		gateway.PinNone: "nothing: each download gets the object that has this key at that time",
	} {
		if got := Pin(&api.Link{Pin: pin, Object: api.Object{VersionID: "v7", ETag: `"e"`}}); got != want {
			t.Errorf("%s: got %q, want %q", pin, got, want)
		}
	}
}

func TestSensitivity(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		asked, decided *bool
		want           string
	}{
		{nil, nil, "not stated"},
		{new(true), new(true), "yes"},
		{new(false), new(false), "no"},
		{nil, new(true), "yes: the policy's sensitive_objects says so"},
	} {
		if got := SensitivityReason(&api.IssueRequest{Sensitive: tt.asked},
			&api.Link{Sensitive: tt.decided}); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestExpiryReason(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		asked     api.IssueRequest
		sensitive *bool
		want      string
	}{
		{api.IssueRequest{ExpiresIn: "1h"}, nil, "as requested"},
		{api.IssueRequest{Preset: "business"}, nil, "business"},
		{api.IssueRequest{}, nil, "business, because sensitivity was not stated"},
		{api.IssueRequest{}, new(true), "business, because the object is sensitive"},
		{api.IssueRequest{}, new(false), "business, because the object is not sensitive"},
	} {
		if got := ExpiryReason(&tt.asked, &api.Link{Preset: "business", Sensitive: tt.sensitive}); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestSensitivityReasonOfIssues covers what an operator stated and what the policy made of
// it: the policy is named only if the request did not state the sensitivity.
func TestSensitivityReasonOfIssues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ stated, decided *bool }{
		{new(true), new(true)}, {new(false), new(false)}, {new(false), new(true)}, {nil, nil},
	} {
		request, link := &api.IssueRequest{Sensitive: tt.stated}, &api.Link{Sensitive: tt.decided}
		if got := SensitivityReason(request, link); got != Sensitivity(tt.decided) {
			t.Errorf("got %q, want no reason", got)
		}
	}
}

// TestPinOfUnknown says the most careful text for a pin that this version does not know.
func TestPinOfUnknown(t *testing.T) {
	t.Parallel()
	none := Pin(&api.Link{Pin: gateway.PinNone})
	for _, pin := range []string{"", "checksum"} {
		if got := Pin(&api.Link{Pin: pin, Object: api.Object{VersionID: "v7", ETag: `"e"`}}); got != none {
			t.Errorf("%q: got %q", pin, got)
		}
	}
}

func TestAudienceAndUsable(t *testing.T) {
	t.Parallel()
	if got := Audience(&api.Link{}); got != "anyone with the link" {
		t.Errorf("got %q", got)
	}
	if got := Audience(&api.Link{Passphrase: true}); got != "anyone with the link and the passphrase" {
		t.Errorf("got %q", got)
	}
	for state, want := range map[gateway.State]bool{
		gateway.StateActive: true, gateway.StateNotYet: true, gateway.StatePaused: false, gateway.StateExpired: false,
		gateway.StateRevoked: false,
	} {
		if got := Usable(&api.Link{State: string(state)}); got != want {
			t.Errorf("%s: got %v", state, got)
		}
	}
}

func TestRestrictions(t *testing.T) {
	t.Parallel()
	if got := Restrictions(&api.Link{}); len(got) != 0 {
		t.Errorf("of an open link: %q", got)
	}
	at := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	link := &api.Link{
		MaxClicks: new(int64(3_000)), Passphrase: true, Reveal: gateway.RevealAfter, NotBefore: &at,
		Allow: []string{"192.0.2.0/24", "2001:db8::/32"},
	}
	want := [][]string{
		{"uses", "at most 3,000"},
		{"asks for", "a passphrase; until then the page shows nothing about the file"},
		{"shows", "a page first; only its button uses up the link"},
		{"begins", "2026-12-01T08:00:00Z"},
		{"only from", "192.0.2.0/24, 2001:db8::/32"},
	}
	if got := Restrictions(link); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Restrictions(&api.Link{Confirm: true}); len(got) != 1 || got[0][1] != "a page first" {
		t.Errorf("with confirmation: %q", got)
	}
}

// TestRestrictionsOneByOne covers each restriction without the others.
func TestRestrictionsOneByOne(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		link api.Link
		want [][]string
	}{
		"passphrase, revealed before": {
			api.Link{Passphrase: true, Reveal: gateway.RevealBefore},
			[][]string{{"asks for", "a passphrase"}, {"shows", "a page first"}},
		},
		"one use": {
			api.Link{MaxClicks: new(int64(1))},
			[][]string{{"uses", "at most 1"}, {"shows", "a page first; only its button uses up the link"}},
		},
		"one network": {
			api.Link{Allow: []string{"192.0.2.1/32"}}, [][]string{{"only from", "192.0.2.1/32"}},
		},
		"a label": {api.Link{Labels: map[string]string{"team": "audit"}}, nil},
	} {
		if got := Restrictions(&tt.link); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	problem := &api.Problem{Code: "out_of_scope", Errors: []api.FieldError{{Field: "expires_in", Code: "out_of_scope"}}}
	if got := RefusalCode(problem, "expires_in", "preset"); got != TooLong {
		t.Errorf("a life that is too long has the code %s", got)
	}
	if got := RefusalCode(problem, "--expires"); got != "out_of_scope" {
		t.Errorf("another field has the code %s", got)
	}
	seen := map[string]bool{}
	for _, code := range []string{
		"unauthorized", "forbidden", "out_of_scope", TooLong, StorageRefuses, "idempotency_conflict", "precondition_failed",
		"not_active", "ambiguous", "rate_limited", "not_found", "invalid", "not_confirmed", "unavailable",
	} {
		text := Refusal(code, false)
		if text == "" || seen[text] {
			t.Errorf("%s: %q", code, text)
		}
		seen[text] = true
	}
	for _, code := range []string{"unauthorized", "forbidden", "out_of_scope", TooLong} {
		if text := Refusal(code, true); text == "" || seen[text] {
			t.Errorf("%s of a token: %q", code, text)
		}
	}
	if text := Refusal("not_found", true); text != Refusal("not_found", false) {
		t.Errorf("not_found of a token: %q", text)
	}
	if text := Refusal("unheard_of", false); text != "" {
		t.Errorf("an unknown code: %q", text)
	}
}

// A page comes first if a click has to be confirmed, and says what its button uses up.
func TestRestrictionsOfPages(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		link api.Link
		want [][]string
	}{
		"a limit": {
			api.Link{MaxClicks: new(int64(1))},
			[][]string{{"uses", "at most 1"}, {"shows", "a page first; only its button uses up the link"}},
		},
		"a passphrase": {
			api.Link{Passphrase: true, Reveal: gateway.RevealBefore},
			[][]string{{"asks for", "a passphrase"}, {"shows", "a page first"}},
		},
		"one network": {api.Link{Allow: []string{"192.0.2.7/32"}}, [][]string{{"only from", "192.0.2.7/32"}}},
	} {
		if got := Restrictions(&tt.link); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// Only a refusal of the expiry is about the longest life, and only some are about the storage;
// other fields keep their code.
func TestRefusalCode(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		problem api.Problem
		want    string
	}{
		"no fields":     {api.Problem{Code: "forbidden"}, "forbidden"},
		"the bucket":    {problemOf("out_of_scope", "bucket"), "out_of_scope"},
		"the preset":    {problemOf("out_of_scope", "preset"), TooLong},
		"a wrong value": {problemOf("invalid", "expires_in"), "invalid"},
		"no such object": {
			api.Problem{Code: "invalid", Errors: []api.FieldError{{Field: "key", Code: "object_not_found"}}}, "invalid",
		},
		"the storage": {
			api.Problem{Code: "invalid", Errors: []api.FieldError{{Field: "key", Code: "object_not_readable"}}}, StorageRefuses,
		},
	} {
		if got := RefusalCode(&tt.problem, "expires_in", "preset"); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

// problemOf returns a refusal with one field.
func problemOf(code, field string) api.Problem {
	return api.Problem{Code: code, Errors: []api.FieldError{{Field: field, Code: code}}}
}

// Numbers below zero do not occur; one is the only singular.
func TestPluralOfMany(t *testing.T) {
	t.Parallel()
	if got := Plural(1000, "object"); got != "1000 objects" {
		t.Errorf("got %s", got)
	}
}

// Every outcome of a refused click has words and its code; an unknown one has its code.
func TestOutcome(t *testing.T) {
	t.Parallel()
	granted := []gateway.Outcome{gateway.OutcomeRedirected, gateway.OutcomePage, gateway.OutcomeResumed}
	for _, outcome := range gateway.Outcomes() {
		got := Outcome(string(outcome))
		if worded := strings.HasSuffix(got, " ("+string(outcome)+")"); worded == slices.Contains(granted, outcome) {
			t.Errorf("%s: %q", outcome, got)
		}
	}
	if got := Outcome("of_tomorrow"); got != "of_tomorrow" {
		t.Errorf("got %q", got)
	}
}
