package config

import (
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

// Caps and presets that the file does not state give way to max_expiry and to each
// other; those that it states are kept.
func TestCaps(t *testing.T) {
	presets := Presets{Handoff: 15 * time.Minute, Troubleshooting: time.Hour, Business: day, Extended: 7 * day}
	with := func(business, extended time.Duration) Presets {
		p := presets
		p.Business, p.Extended = business, extended
		return p
	}
	all := func(d time.Duration) Caps { return Caps{d, d, d} }
	for name, tt := range map[string]struct {
		policy  string
		caps    Caps
		presets Presets
	}{
		"none":           {"{}", Caps{day, day, 7 * day}, presets},
		"a shorter life": {"{max_expiry: 2h}", all(2 * time.Hour), with(2*time.Hour, 2*time.Hour)},
		"a longer life": {
			"{max_expiry: 30d, caps: {not_sensitive: 30d}}", Caps{day, day, 30 * day}, presets,
		},
		"a longer preset": {
			"{max_expiry: 30d, caps: {not_sensitive: 30d}, presets: {extended: 30d}}",
			Caps{day, day, 30 * day},
			with(day, 30*day),
		},
		"all longer": {
			"{max_expiry: 720h, caps: {sensitive: 48h, not_stated: 72h, not_sensitive: 720h}}",
			Caps{2 * day, 3 * day, 30 * day},
			presets,
		},
		"a shorter cap": {"{caps: {not_sensitive: 2d}}", Caps{day, day, 2 * day}, with(day, 2*day)},
		"every cap shorter": {
			"{caps: {sensitive: 5m, not_stated: 10m, not_sensitive: 30m}}",
			Caps{5 * time.Minute, 10 * time.Minute, 30 * time.Minute},
			Presets{15 * time.Minute, 30 * time.Minute, 30 * time.Minute, 30 * time.Minute},
		},
		"stated at max_expiry": {
			"{max_expiry: 1h, caps: {sensitive: 1h}}", all(time.Hour), with(time.Hour, time.Hour),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, err := loadText(minimal+"policy: "+tt.policy+"\n", nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.Policy.Caps != tt.caps || c.Policy.Presets != tt.presets {
				t.Errorf("got %+v %+v, want %+v %+v", c.Policy.Caps, c.Policy.Presets, tt.caps, tt.presets)
			}
		})
	}
}

// A stated cap above max_expiry and a preset that no link can ever get are refused.
func TestCapsThatCannotBe(t *testing.T) {
	const (
		extended = "line 12: policy.presets.extended: can never be used: 720h is above policy.caps.not_sensitive (168h); " +
			"shorten the preset or raise the cap"
		other = ": can never be used: 200h is above every cap of policy.caps (at most 168h); shorten the preset or " +
			"raise a cap"
	)
	for policy, want := range map[string][]string{
		"{max_expiry: 12h, caps: {sensitive: 13h, not_stated: 12h}}": {
			"line 12: policy.caps.sensitive: must be at most policy.max_expiry (12h), not 13h",
		},
		"{caps: {sensitive: 0s, not_stated: -1h, not_sensitive: 999ms}}": {
			"line 12: policy.caps.not_sensitive: must be at least 1s, not 999ms",
			"line 12: policy.caps.not_stated: must be at least 1s, not -1h",
			"line 12: policy.caps.sensitive: must be at least 1s, not 0s",
		},
		"{max_expiry: 720h, presets: {extended: 720h}}": {
			extended,
		},
		"{max_expiry: 720h, caps: {sensitive: 720h}, presets: {extended: 720h}}": {
			extended,
		},
		"{max_expiry: 720h, presets: {business: 200h, handoff: 200h}}": {
			"line 12: policy.presets.business" + other,
			"line 12: policy.presets.handoff" + other,
		},
		"{max_expiry: 12h, presets: {extended: 13h}}": {
			"line 12: policy.presets.extended: must be at most policy.max_expiry (12h), not 13h",
		},
	} {
		t.Run(policy, func(t *testing.T) {
			_, _, err := loadText(minimal+"policy: "+policy+"\n", nil)
			wantLines(t, err, want...)
		})
	}
	_, _, err := loadText(minimal, nil, "KEYHOLE_POLICY_CAPS_NOT_STATED=169h")
	wantLines(t, err,
		"KEYHOLE_POLICY_CAPS_NOT_STATED: policy.caps.not_stated: must be at most policy.max_expiry (168h), not 169h")
}

// A passphrase needs 1 to 64 characters at least.
func TestPassphraseMin(t *testing.T) {
	for value, want := range map[string][]string{
		"1": nil, "64": nil,
		"0":     {"line 12: policy.passphrase_min: must be between 1 and 64, not 0"},
		"65":    {"line 12: policy.passphrase_min: must be between 1 and 64, not 65"},
		"-8":    {"line 12: policy.passphrase_min: must be between 1 and 64, not -8"},
		"eight": {"line 12: policy.passphrase_min: must be a whole number, not text"},
	} {
		t.Run(value, func(t *testing.T) {
			_, _, err := loadText(minimal+"policy: {passphrase_min: "+value+"}\n", nil)
			if want == nil {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			wantLines(t, err, want...)
		})
	}
}

// Each key that takes a duration takes days.
func TestDaysForEveryDuration(t *testing.T) {
	t.Parallel()
	c := valid(t)
	for _, s := range settings(c) {
		if !isDuration(s.value.Type()) {
			continue
		}
		if err := setText(s.value, "2d"); err != nil || s.value.Interface() != 2*day {
			t.Errorf("%s: %v, %v", s.path, s.value.Interface(), err)
		}
	}
}

// What has no effect, and what is risky, is a warning.
func TestCapsWarn(t *testing.T) {
	key := func(limit string) string {
		return strings.Replace(minimal, "can: [issue]", "can: [issue]\n      max_expiry: "+limit, 1)
	}
	grants := strings.Replace(minimal, "  keys:\n", `  oidc:
    issuer: "https://login.example.com"
    audience: k
    grants: [{name: g, claim: c, value: v, can: [issue], max_expiry: 200h}]
  keys:
`, 1)
	policy := func(text string) string { return minimal + "policy: {" + text + "}\n" }
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"defaults": {minimal, nil},
		"the defaults, stated": {
			policy("max_expiry: 168h, caps: {sensitive: 24h, not_stated: 24h, not_sensitive: 168h}"),
			nil,
		},
		"a sensitive cap": {policy("caps: {sensitive: 25h}"), []string{"long_cap policy.caps.sensitive"}},
		"each cap": {policy("max_expiry: 8760h, caps: {sensitive: 25h, not_stated: 25h, not_sensitive: 8760h}"), []string{
			"long_cap policy.caps.not_sensitive", "long_cap policy.caps.not_stated", "long_cap policy.caps.sensitive",
		}},
		"a limit of everything": {policy("max_expiry: 720h"), []string{"unused_limit policy.max_expiry"}},
		"a key's limit":         {key("7d"), nil},
		"a key's longer limit":  {key("169h"), []string{"unused_limit operator.keys[0].max_expiry"}},
		"a key's limit above max_expiry": {
			key("3h") + "policy: {max_expiry: 2h}\n", []string{"unused_limit operator.keys[0].max_expiry"},
		},
		"a key's limit within a raised cap": {
			key("20d") + "policy: {max_expiry: 30d, caps: {not_sensitive: 30d}}\n",
			[]string{"long_cap policy.caps.not_sensitive"},
		},
		"a grant's": {grants, []string{"unused_limit operator.oidc.grants[0].max_expiry"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, warnings, err := loadText(tt.text, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantWarnings(t, warnings, tt.want...)
			for _, w := range warnings {
				if w.Code == WarnLongCap && !strings.Contains(w.Message, "leaked link") {
					t.Errorf("the warning does not name the risk: %s", w.Message)
				}
			}
		})
	}
}

// A configuration that was made in code is shortened and checked like one of a file.
func TestPrepareCaps(t *testing.T) {
	c := valid(t)
	c.Policy.MaxExpiry = 2 * time.Hour
	if _, err := c.Prepare(); err != nil || c.Policy.Caps != (Caps{2 * time.Hour, 2 * time.Hour, 2 * time.Hour}) {
		t.Errorf("got %+v, %v", c.Policy.Caps, err)
	}
}
