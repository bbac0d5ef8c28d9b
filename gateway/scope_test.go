package gateway

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestPatternMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern string
		ref     ObjectRef
		want    bool
	}{
		{"*", ObjectRef{"main", "reports", "a"}, true},
		{"reports/*", ObjectRef{"main", "reports", "a/b"}, true},
		{"reports/*", ObjectRef{"main", "reports2", "a"}, false},
		{"reports/a", ObjectRef{"main", "reports", "a"}, true},
		{"reports/a", ObjectRef{"main", "reports", "ab"}, false},
		{"team/a*", ObjectRef{"main", "team", "ab/x"}, true},
		{"team/a/*", ObjectRef{"main", "team", "ab/x"}, false},
		{"team/a/*", ObjectRef{"main", "team", "a/x"}, true},
		{"team/a/*", ObjectRef{"main", "team", "a/"}, true},
		{"main:reports/*", ObjectRef{"main", "reports", "a"}, true},
		{"main:reports/*", ObjectRef{"other", "reports", "a"}, false},
		{"*:reports/*", ObjectRef{"other", "reports", "a"}, true},
		{"reports/a:b", ObjectRef{"main", "reports", "a:b"}, true}, // a colon of the key names no storage
		{"*/invoices/*", ObjectRef{"main", "reports", "2026/invoices/1"}, true},
		{"*/invoices/*", ObjectRef{"main", "reports", "invoices/1"}, true},
		{"*/invoices/*", ObjectRef{"main", "reports", "my-invoices/1"}, false},
		{"reports/[a]?", ObjectRef{"main", "reports", "a1"}, false}, // all but * is literal
		{"reports/[a]?", ObjectRef{"main", "reports", "[a]?"}, true},
		{"reports/*.csv", ObjectRef{"main", "reports", "a.csv.exe"}, false},
		{"reports/*a*b*c", ObjectRef{"main", "reports", "xaxbxc"}, true},
		{"reports/*a*b*c", ObjectRef{"main", "reports", "xbxaxc"}, false},
		{"", ObjectRef{"main", "reports", "a"}, false},
	}
	for _, tt := range tests {
		if got := Pattern(tt.pattern).Match(tt.ref); got != tt.want {
			t.Errorf("%q matches %s: got %v, want %v", tt.pattern, tt.ref, got, tt.want)
		}
	}
}

// A pattern of many stars against a long key must not take exponential time.
func TestPatternIsBounded(t *testing.T) {
	t.Parallel()
	ref := ObjectRef{"main", "b", strings.Repeat("a", 1024)}
	if Pattern("b/" + strings.Repeat("*a", 200) + "b").Match(ref) {
		t.Error("matched a key without the last letter")
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	actor := Actor{Can: []Action{ActionRead}}
	if err := actor.Allowed(ActionRead); err != nil {
		t.Errorf("read: %v", err)
	}
	for _, action := range []Action{ActionIssue, ActionRevoke, ActionBrowse} {
		var refused *Error
		if err := actor.Allowed(action); !errors.As(err, &refused) || refused.Code != CodeForbidden {
			t.Errorf("%s: got %v, want %s", action, err, CodeForbidden)
		}
	}
}

func TestActorWithoutObjectsSeesNothing(t *testing.T) {
	t.Parallel()
	if (&Actor{}).Sees(ObjectRef{"main", "reports", "a"}) {
		t.Error("an actor without patterns sees an object")
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	policy := Policy{
		MaxExpiry: 7 * day,
		Caps:      Caps{Sensitive: day, NotStated: day, NotSensitive: 7 * day},
		Presets: map[string]time.Duration{
			PresetHandoff: 15 * time.Minute, PresetTroubleshooting: time.Hour, PresetBusiness: day, PresetExtended: 7 * day,
		},
		SensitiveObjects: []Pattern{"*/invoices/*"},
	}
	short := policy
	short.MaxExpiry = 30 * time.Minute
	long := policy
	long.MaxExpiry, long.Caps = 30*day, Caps{Sensitive: 2 * day, NotStated: 3 * day, NotSensitive: 30 * day}
	plain, invoice := ObjectRef{"main", "reports", "q3.pdf"}, ObjectRef{"main", "reports", "invoices/1.pdf"}
	yes, no := new(true), new(false)
	tests := []struct {
		name      string
		policy    Policy
		actor     Actor
		ref       ObjectRef
		request   IssueRequest
		life      time.Duration
		preset    string
		sensitive *bool
		field     string // of the refusal
		code      string
	}{
		{name: "nothing stated", policy: policy, ref: plain, life: time.Hour, preset: PresetTroubleshooting},
		{
			name: "sensitive", policy: policy, ref: plain, request: IssueRequest{Sensitive: yes}, life: 15 * time.Minute,
			preset: PresetHandoff, sensitive: yes,
		},
		{
			name: "not sensitive", policy: policy, ref: plain, request: IssueRequest{Sensitive: no}, life: day,
			preset: PresetBusiness, sensitive: no,
		},
		{
			name: "extended", policy: policy, ref: plain, request: IssueRequest{Sensitive: no, Preset: PresetExtended},
			life: 7 * day, preset: PresetExtended, sensitive: no,
		},
		{
			name: "extended, not stated", policy: policy, ref: plain, request: IssueRequest{Preset: PresetExtended},
			field: "preset", code: "over_policy",
		},
		{
			name: "extended, sensitive", policy: policy, ref: plain,
			request: IssueRequest{Sensitive: yes, Preset: PresetExtended}, field: "preset", code: "over_policy",
		},
		{
			name: "unknown preset", policy: policy, ref: plain, request: IssueRequest{Preset: "forever"}, field: "preset",
			code: "unknown_preset",
		},
		{
			name: "preset and expiry", policy: policy, ref: plain, request: IssueRequest{Preset: PresetHandoff, ExpiresIn: "1h"},
			field: "expires_in", code: "conflict",
		},
		{
			name: "own expiry", policy: policy, ref: plain, request: IssueRequest{ExpiresIn: "90m"}, life: 90 * time.Minute,
			preset: PresetCustom,
		},
		{
			name: "own expiry at the cap", policy: policy, ref: plain, request: IssueRequest{ExpiresIn: "24h"}, life: day,
			preset: PresetCustom,
		},
		{
			name: "own expiry over the cap", policy: policy, ref: plain, request: IssueRequest{ExpiresIn: "24h1s"},
			field: "expires_in", code: "over_policy",
		},
		{
			name: "own expiry over the cap by less than a second", policy: policy, ref: plain,
			request: IssueRequest{ExpiresIn: "24h999ms"}, life: day, preset: PresetCustom,
		},
		{
			name: "own expiry in days", policy: policy, ref: plain, request: IssueRequest{Sensitive: no, ExpiresIn: "7d"},
			life: 7 * day, preset: PresetCustom, sensitive: no,
		},
		{
			name: "sensitive over its cap", policy: policy, ref: plain, request: IssueRequest{Sensitive: yes, ExpiresIn: "25h"},
			field: "expires_in", code: "over_policy",
		},
		{
			name: "sensitive by policy", policy: policy, ref: invoice, life: 15 * time.Minute, preset: PresetHandoff,
			sensitive: yes,
		},
		{
			name: "sensitive by policy, stated too", policy: policy, ref: invoice, request: IssueRequest{Sensitive: yes},
			life: 15 * time.Minute, preset: PresetHandoff, sensitive: yes,
		},
		{
			name: "sensitive by policy, denied", policy: policy, ref: invoice, request: IssueRequest{Sensitive: no},
			field: "sensitive", code: "sensitive_object",
		},
		{
			name: "default shortened to the service's cap", policy: short, ref: plain, life: 30 * time.Minute,
			preset: PresetTroubleshooting,
		},
		{
			name: "preset over the service's cap", policy: short, ref: plain,
			request: IssueRequest{Preset: PresetTroubleshooting}, field: "preset", code: "over_policy",
		},
		{
			name: "default shortened to the key's cap", policy: policy, actor: Actor{MaxExpiry: time.Minute}, ref: plain,
			life: time.Minute, preset: PresetTroubleshooting,
		},
		{
			name: "asked over the key's cap", policy: policy, actor: Actor{MaxExpiry: time.Minute}, ref: plain,
			request: IssueRequest{ExpiresIn: "61s"}, field: "expires_in", code: "out_of_scope",
		},
		{
			name: "asked at the key's cap", policy: policy, actor: Actor{MaxExpiry: time.Minute}, ref: plain,
			request: IssueRequest{ExpiresIn: "60s"}, life: time.Minute, preset: PresetCustom,
		},
		{
			name: "at a longer cap, sensitive", policy: long, ref: plain, request: IssueRequest{Sensitive: yes, ExpiresIn: "2d"},
			life: 2 * day, preset: PresetCustom, sensitive: yes,
		},
		{
			name: "over a longer cap, sensitive", policy: long, ref: plain,
			request: IssueRequest{Sensitive: yes, ExpiresIn: "49h"}, field: "expires_in", code: "over_policy",
		},
		{
			name: "at a longer cap, not stated", policy: long, ref: plain, request: IssueRequest{ExpiresIn: "3d"}, life: 3 * day,
			preset: PresetCustom,
		},
		{
			name: "over a longer cap, not stated", policy: long, ref: plain, request: IssueRequest{ExpiresIn: "73h"},
			field: "expires_in", code: "over_policy",
		},
		{
			name: "at a longer cap, not sensitive", policy: long, ref: plain,
			request: IssueRequest{Sensitive: no, ExpiresIn: "30d"}, life: 30 * day, preset: PresetCustom, sensitive: no,
		},
		{
			name: "preset over the key's cap", policy: policy, actor: Actor{MaxExpiry: time.Minute}, ref: plain,
			request: IssueRequest{Preset: PresetHandoff}, field: "preset", code: "out_of_scope",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			terms, err := tt.policy.Decide(&tt.actor, tt.ref, &tt.request)
			if tt.code != "" {
				wantField(t, err, tt.field, tt.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if terms.Life != tt.life || terms.Preset != tt.preset {
				t.Errorf("got %s %s, want %s %s", terms.Life, terms.Preset, tt.life, tt.preset)
			}
			if (terms.Sensitive == nil) != (tt.sensitive == nil) || terms.Sensitive != nil && *terms.Sensitive != *tt.sensitive {
				t.Errorf("sensitive is %v, want %v", terms.Sensitive, tt.sensitive)
			}
		})
	}
}

// wantField wants an Error that names one field with one code.
func wantField(t *testing.T, err error, field, code string) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a refusal of %s", err, field)
	}
	for _, f := range refused.Fields {
		if f.Field == field && f.Code == code && f.Message != "" {
			return
		}
	}
	t.Errorf("got %+v, want %s: %s", refused.Fields, field, code)
}

func TestParseLife(t *testing.T) {
	t.Parallel()
	good := map[string]time.Duration{
		"1s": time.Second, "90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour,
		"1d": 24 * time.Hour, "1500ms": 1500 * time.Millisecond, "1.5h": 90 * time.Minute,
		"1.125s":  1125 * time.Millisecond,
		"106751d": 106751 * 24 * time.Hour,
	}
	for text, want := range good {
		if got, err := ParseLife(text); err != nil || got != want {
			t.Errorf("%q: got %s, %v; want %s", text, got, err, want)
		}
	}
	for _, bad := range []string{
		"", "0", "0s", "0d", "-1h", "-1d", "999ms", "1", "1.5d", "d", "1h1d", "1000000001ns", "1s1ns", "0.5s",
		"1.0000000001s", "1000.0000001ms", "1.0001h", "106752d", "9223372036854775807d", "99999999999h", "1e3s",
		"forever", "7D", " 1h",
	} {
		if got, err := ParseLife(bad); err == nil {
			t.Errorf("%q is taken for %s", bad, got)
		}
	}
}

func TestFormatLife(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		15 * time.Minute: "15m", time.Hour: "1h", 90 * time.Minute: "1h30m", 24 * time.Hour: "24h",
		48 * time.Hour: "2d", 168 * time.Hour: "7d", 49 * time.Hour: "49h", 2 * time.Second: "2s", 61 * time.Second: "1m1s",
	} {
		if got := FormatLife(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}
