package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// rule is one thing done to the minimal configuration, and everything that must
// be said of it.
type rule struct {
	change   func(*Config)
	problems []string
	warnings []string
}

func checkRules(t *testing.T, rules map[string]rule) {
	t.Helper()
	for name, r := range rules {
		t.Run(name, func(t *testing.T) {
			c := valid(t)
			r.change(c)
			warnings, err := c.Prepare()
			wantLines(t, err, r.problems...)
			wantWarnings(t, warnings, r.warnings...)
		})
	}
}

func TestValidateChangesNothing(t *testing.T) {
	c, want := Default(), Default()
	for _, x := range []*Config{c, want} {
		x.Public.URL = "HTTPS://Dl.Example.com:443/"
		x.Operator.Keys = []OperatorKey{{SHA256: strings.ToUpper(hashA)}}
		x.Policy.MaxExpiry = time.Hour
	}
	first, _ := c.validate()
	second, _ := c.validate()
	if !reflect.DeepEqual(c, want) {
		t.Error("the configuration was changed")
	}
	if len(first) == 0 || !reflect.DeepEqual(first, second) {
		t.Errorf("found %v, then %v", first, second)
	}
}

func TestBounds(t *testing.T) {
	for _, tt := range []struct {
		path        string
		least, most time.Duration
		field       func(*Config) *time.Duration
	}{
		{"redis.timeout", time.Millisecond, time.Minute, func(c *Config) *time.Duration { return &c.Redis.Timeout }},
		{
			"storage[0].timeout", time.Millisecond, time.Minute,
			func(c *Config) *time.Duration { return &c.Storage[0].Timeout },
		},
		{
			"redirect.lifetime", 5 * time.Second, 300 * time.Second,
			func(c *Config) *time.Duration { return &c.Redirect.Lifetime },
		},
		{
			"redirect.media_lifetime", 5 * time.Second, time.Hour,
			func(c *Config) *time.Duration { return &c.Redirect.MediaLifetime },
		},
		{
			"redirect.resume_window", time.Second, 24 * time.Hour,
			func(c *Config) *time.Duration { return &c.Redirect.ResumeWindow },
		},
		{"redirect.object_check", 0, time.Minute, func(c *Config) *time.Duration { return &c.Redirect.ObjectCheck }},
		{"policy.max_expiry", time.Minute, 8760 * time.Hour, func(c *Config) *time.Duration { return &c.Policy.MaxExpiry }},
		{"policy.retention", time.Hour, 17520 * time.Hour, func(c *Config) *time.Duration { return &c.Policy.Retention }},
	} {
		for _, ok := range []time.Duration{tt.least, tt.most} {
			c := valid(t)
			*tt.field(c) = ok
			if _, err := c.Prepare(); err != nil {
				t.Errorf("%s of %s: %v", tt.path, ok, err)
			}
		}
		for _, bad := range []time.Duration{tt.least - 1, tt.most + 1, -tt.most, 1 << 62} {
			c := valid(t)
			*tt.field(c) = bad
			_, err := c.Prepare()
			wantLines(t, err, fmt.Sprintf("%s: must be between %s and %s, not %s",
				tt.path, durationText(tt.least), durationText(tt.most), durationText(bad)))
		}
	}
}

func TestRedirectRules(t *testing.T) {
	checkRules(t, map[string]rule{
		"whole seconds": {
			change:   func(c *Config) { c.Redirect.Lifetime, c.Redirect.MediaLifetime = 7*time.Second, 61*time.Second },
			problems: nil,
		},
		"fractions": {
			change: func(c *Config) {
				c.Redirect.Lifetime, c.Redirect.MediaLifetime = 7500*time.Millisecond, time.Minute+time.Microsecond
			},
			problems: []string{
				"redirect.lifetime: must be whole seconds, not 7.5s",
				"redirect.media_lifetime: must be whole seconds, not 1m0.000001s",
			},
		},
		"fraction out of bounds": {
			change:   func(c *Config) { c.Redirect.Lifetime = 500 * time.Millisecond },
			problems: []string{"redirect.lifetime: must be between 5s and 5m, not 500ms"},
		},
	})
}

func TestAuditAndLogRules(t *testing.T) {
	checkRules(t, map[string]rule{
		"truncated": {change: func(c *Config) { c.Audit.ClientAddress = "truncated" }},
		"off":       {change: func(c *Config) { c.Audit.ClientAddress = "off" }},
		"hashed":    {change: func(c *Config) { c.Audit.ClientAddress = "hashed" }},
		"another": {
			change:   func(c *Config) { c.Audit.ClientAddress = "some" },
			problems: []string{`audit.client_address: must be full, truncated, hashed or off`},
		},
		"fewest entries": {change: func(c *Config) { c.Audit.MaxEntries = 1000 }},
		"too few entries": {
			change:   func(c *Config) { c.Audit.MaxEntries = 999 },
			problems: []string{"audit.max_entries: must be at least 1000, not 999"},
		},
		"debug as text": {change: func(c *Config) { c.Log.Level, c.Log.Format = "debug", "text" }},
		"warn":          {change: func(c *Config) { c.Log.Level = "warn" }},
		"error":         {change: func(c *Config) { c.Log.Level = "error" }},
		"others": {
			change: func(c *Config) { c.Log.Level, c.Log.Format = "INFO", "" },
			problems: []string{
				`log.format: must be json or text`,
				"log.level: must be debug, info, warn or error; did you mean info?",
			},
		},
	})
}

func TestPolicyRules(t *testing.T) {
	checkRules(t, map[string]rule{
		"shortest preset": {change: func(c *Config) { c.Policy.Presets.Handoff = time.Second }},
		"presets too short": {
			change: func(c *Config) {
				c.Policy.Presets = Presets{0, -time.Hour, time.Millisecond, time.Second - 1}
			},
			problems: []string{
				"policy.presets.business: must be at least 1s, not 1ms",
				"policy.presets.extended: must be at least 1s, not 999.999999ms",
				"policy.presets.handoff: must be at least 1s, not 0s",
				"policy.presets.troubleshooting: must be at least 1s, not -1h",
			},
		},
		"patterns": {change: func(c *Config) {
			c.Policy.SensitiveObjects = []string{
				"*", "*.pdf", "reports/*", "main:exports/a b/ü*", "*:reports/x", "main:*",
				"rep*", "reports/a:b",
			}
		}},
		"no patterns": {change: func(c *Config) { c.Policy.SensitiveObjects = nil }},
		"broken patterns": {
			change: func(c *Config) {
				c.Policy.SensitiveObjects = []string{"", "reports", "reports/a\nb", "reports/\xff", "reports/*", "reports/*"}
			},
			problems: []string{
				"policy.sensitive_objects[0]: is empty: write a pattern such as reports/*",
				"policy.sensitive_objects[1]: matches no object: a pattern for a whole bucket ends in /*, such as reports/*",
				"policy.sensitive_objects[2]: contains a line break or another control character",
				"policy.sensitive_objects[3]: is not valid UTF-8",
				"policy.sensitive_objects[5]: is listed twice",
			},
		},
		"patterns that reach nothing": {
			change: func(c *Config) {
				c.Policy.SensitiveObjects = []string{"report/*", "other:reports/*", "main:report/*", "main:reports/*"}
			},
			warnings: []string{
				"unknown_bucket policy.sensitive_objects[0]",
				"unknown_bucket policy.sensitive_objects[1]",
				"unknown_bucket policy.sensitive_objects[2]",
			},
		},
	})
}

func TestProblemString(t *testing.T) {
	for want, p := range map[string]Problem{
		"what":              {Message: "what"},
		"a.b: what":         {Path: "a.b", Message: "what"},
		"line 3: a.b: what": {Path: "a.b", Line: 3, Message: "what"},
		"line 3: what":      {Line: 3, Message: "what"},
		"K_A: a.b: what":    {Path: "a.b", Variable: "K_A", Message: "what"},
		"K_A: what":         {Line: 3, Variable: "K_A", Message: "what"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v prints %q, want %q", p, got, want)
		}
	}
	if got := (Warning{Code: "c", Path: "a.b", Message: "what"}).String(); got != "a.b: what" {
		t.Errorf("the warning prints %q", got)
	}
}

func TestPaths(t *testing.T) {
	for path, want := range map[string]string{
		"a.b[1].c[2]": "a.b[1].c", "a.b[1].c": "a.b[1]", "a.b[1]": "a.b", "a.b": "a", "a": "",
	} {
		if got := parent(path); got != want {
			t.Errorf("parent(%q) = %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string]bool{"a.b": true, "a[0]": true, "a": false, "ab": false, "b.a": false} {
		if got := under(path, "a"); got != want {
			t.Errorf("under(%q, a) = %v", path, got)
		}
	}
}
