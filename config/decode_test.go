package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// Each text is read after the minimal configuration, whose last line is 11,
// with an entry of storage still open.
func TestStrictYAML(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"unknown section": {"redris: {timeout: 1s}\n", []string{
			"line 12: redris: unknown key; did you mean redis?",
		}},
		"unknown keys, all of them": {"log: {lvel: debug, colour: red}\nhooks: []\n", []string{
			"line 12: log.colour: unknown key; the keys here are level, format",
			"line 12: log.lvel: unknown key; did you mean level?",
			"line 13: hooks: unknown key; the keys here are public, operator, console, metrics, redis, storage, redirect, " +
				"policy, audit, pages, log",
		}},
		"unknown key that begins a known one": {"redis: {addr: [a:1]}\n", []string{
			"line 12: redis.addr: unknown key; did you mean addresses?",
		}},
		"case matters": {"Log: {level: info}\n", []string{
			"line 12: Log: unknown key; did you mean log?",
		}},
		"unknown key in an entry": {"    bucket: [a]\n", []string{
			"line 12: storage[0].bucket: unknown key; did you mean buckets?",
		}},
		"unknown preset": {"policy: {presets: {weekend: 48h}}\n", []string{
			"line 12: policy.presets.weekend: unknown key; the keys here are handoff, troubleshooting, business, extended",
		}},
		"unknown key with odd letters": {"\"a\\nb\": 1\n", []string{
			"line 12: (not a name): unknown key; the keys here are public, operator, console, metrics, redis, storage, " +
				"redirect, policy, audit, pages, log",
		}},
		"a number as key": {"log: {5: x}\n", []string{
			"line 12: log.5: unknown key; the keys here are level, format",
		}},
		"a list as key": {"log: {[a]: x}\n", []string{
			"line 12: log: a key must be a name, not a list",
		}},
		"duplicate key": {"log:\n  level: info\n  level: debug\n", []string{
			"line 14: log.level: is given twice, first in line 13",
		}},
		"duplicate section": {"public: {url: https://b.example.com}\n", []string{
			"line 12: public: is given twice, first in line 2",
		}},
		"duplicate and wrong": {"log:\n  level: loud\n  level: debug\n", []string{
			`line 13: log.level: must be debug, info, warn or error`,
			"line 14: log.level: is given twice, first in line 13",
		}},
		"second document": {"---\nlog: {level: info}\n", []string{
			"line 12: a second document begins here; the file may contain only one",
		}},
		"merge key": {"redis: &r {database: 1}\nlog:\n  <<: *r\n", []string{
			"line 14: log: merge keys (<<) are not supported; write the keys themselves",
		}},
		"plain secrets": {"redis: {password: " + canary + ", sentinel_password: " + canary + "}\n", []string{
			"line 12: redis.password: secrets are not allowed in this file: set password_file to the path of a file with " +
				"the secret, or set the variable",
			"line 12: redis.sentinel_password: secrets are not allowed in this file: set sentinel_password_file to the " +
				"path of a file with the secret, or set the variable",
		}},
		"text for a section": {"redis: " + canary + "\n", []string{
			"line 12: redis: must be keys and values, not text",
		}},
		"list for a section": {"redis: [1]\n", []string{
			"line 12: redis: must be keys and values, not a list",
		}},
		"text for a list": {"redis: {addresses: \"a:1\"}\n", []string{
			"line 12: redis.addresses: must be a list, not text",
		}},
		"section for a list": {"redis: {addresses: {a: 1}}\n", []string{
			"line 12: redis.addresses: must be a list, not keys and values",
		}},
		"nothing for a list": {"redis: {addresses: }\n", []string{
			"line 12: redis.addresses: must be a list, not nothing; write [] for an empty list",
		}},
		"list for text": {"log: {level: [info]}\n", []string{
			"line 12: log.level: must be text, not a list",
		}},
		"section for text": {"log:\n  level:\n    info: 1\n", []string{
			"line 13: log.level: must be text, not keys and values",
		}},
		"truth for text": {"log: {level: true}\n", []string{
			"line 12: log.level: must be text, not true or false",
		}},
		"nothing for text": {"log:\n  level:\n", []string{
			"line 13: log.level: has no value: write one, or omit the key",
		}},
		"tilde for text": {"log: {level: ~}\n", []string{
			"line 12: log.level: has no value: write one, or omit the key",
		}},
		"control character in text": {"redis: {username: \"a\\r\\nb\"}\n", []string{
			"line 12: redis.username: contains a line break or another control character",
		}},
		"date for text": {"redis: {username: 2024-01-01}\n", []string{
			"line 12: redis.username: must be text, not a value with a tag (!)",
		}},
		"text for truth": {"redis: {tls: {enabled: \"true\"}}\n", []string{
			"line 12: redis.tls.enabled: must be true or false, not text",
		}},
		"yes for truth": {"redis: {tls: {enabled: yes}}\n", []string{
			"line 12: redis.tls.enabled: must be true or false, not text",
		}},
		"number for truth": {"redis: {tls: {enabled: 1}}\n", []string{
			"line 12: redis.tls.enabled: must be true or false, not a number",
		}},
		"text for a number": {"redis: {database: \"1\"}\n", []string{
			"line 12: redis.database: must be a whole number, not text",
		}},
		"fraction for a number": {"redis: {database: 1.5}\n", []string{
			"line 12: redis.database: must be a whole number, not a fraction",
		}},
		"number too large": {"audit: {max_entries: 18446744073709551615}\n", []string{
			`line 12: audit.max_entries: must be a whole number`,
		}},
		"number for a duration": {"redis: {timeout: 5}\n", []string{
			"line 12: redis.timeout: needs a unit: write 5s, 5m or 5h",
		}},
		"nought for a duration": {"redirect: {object_check: 0}\n", []string{
			"line 12: redirect.object_check: needs a unit: write 0s, 0m or 0h",
		}},
		"fraction for a duration": {"redis: {timeout: 0.5}\n", []string{
			"line 12: redis.timeout: needs a unit: write 0.5s, 0.5m or 0.5h",
		}},
		"quoted number for a duration": {"redis: {timeout: \"5\"}\n", []string{
			"line 12: redis.timeout: needs a unit: write 5s, 5m or 5h",
		}},
		"infinity for a duration": {"redis: {timeout: .inf}\n", []string{
			`line 12: redis.timeout: must be a duration such as 30s, 15m, 24h or 7d`,
		}},
		"a fraction of days for a duration": {"policy: {retention: 1.5d}\n", []string{
			`line 12: policy.retention: must be a duration such as 30s, 15m, 24h or 7d`,
		}},
		"less than no days for a duration": {"policy: {retention: -1d}\n", []string{
			`line 12: policy.retention: must be a duration such as 30s, 15m, 24h or 7d`,
		}},
		"days and hours for a duration": {"policy: {retention: 1d12h}\n", []string{
			`line 12: policy.retention: must be a duration such as 30s, 15m, 24h or 7d`,
		}},
		"many days for a duration": {"policy: {retention: 99999d}\n", []string{
			`line 12: policy.retention: must be a duration such as 30s, 15m, 24h or 7d`,
		}},
		"duration that overflows": {"policy: {retention: 9999999999h}\n", []string{
			`line 12: policy.retention: must be a duration such as 30s, 15m, 24h or 7d`,
		}},
		"truth for a duration": {"redis: {timeout: true}\n", []string{
			"line 12: redis.timeout: must be a duration, not true or false",
		}},
		"section for an item": {"redis: {addresses: [{host: a}]}\n", []string{
			"line 12: redis.addresses[0]: must be text, not keys and values",
		}},
		"nothing for an item": {"redis:\n  addresses:\n    -\n", []string{
			"line 14: redis.addresses[0]: has no value: write one, or omit the key",
		}},
		"nothing for an entry": {"  -\n", []string{
			"line 12: storage[1]: is empty: write the entry, or remove it",
		}},
		"text for an entry": {"  - " + canary + "\n", []string{
			"line 12: storage[1]: must be keys and values, not text",
		}},
		"long value": {"log: {level: " + strings.Repeat("é", 70) + "}\n", []string{
			"line 12: log.level: must be debug, info, warn or error",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := loadText(minimal+tt.text, nil)
			wantLines(t, err, tt.want...)
			if strings.Contains(err.Error(), canary) {
				t.Error("the problem repeats a secret")
			}
		})
	}
}

func TestNotYAML(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"syntax": {"public:\n  url: [\n", "line 2: not valid YAML: did not find expected node content"},
		"tab":    {"public:\n\turl: x\n", "line 2: not valid YAML: found character that cannot start any token"},
		"unknown alias": {
			"redis:\n  username: *" + canary + "\n",
			"not valid YAML: an alias (*name) refers to no anchor (&name)",
		},
		"broken second one":   {minimal + "---\n]\n", "line 12: not valid YAML: did not find expected node content"},
		"a control character": {"public: \x00\n", "not valid YAML: control characters are not allowed"},
		"Latin-1":             {"public: \xe9\n", "not valid YAML: incomplete UTF-8 octet sequence"},
	} {
		t.Run(name, func(t *testing.T) {
			// With a file that nothing can be said of, variables are not judged.
			_, _, err := loadText(tt.text, nil, "KEYHOLE_NONSENSE=1")
			wantLines(t, err, tt.want)
		})
	}
}

// What YAML allows and is taken.
func TestLenientYAML(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		get  func(*Config) any
		want any
	}{
		"number as text": {"redis: {username: 0123}\n", func(c *Config) any { return c.Redis.Username }, "0123"},
		"off is text": {
			"audit: {client_address: off}\n", func(c *Config) any { return c.Audit.ClientAddress },
			"off",
		},
		"quoted duration": {"redis: {timeout: \"1s\"}\n", func(c *Config) any { return c.Redis.Timeout }, time.Second},
		"quoted key":      {"\"log\": {'level': warn}\n", func(c *Config) any { return c.Log.Level }, "warn"},
		"True":            {"redis: {tls: {enabled: True}}\n", func(c *Config) any { return c.Redis.TLS.Enabled }, true},
		"alias": {
			"redis: {username: &n abc, prefix: *n}\n", func(c *Config) any { return c.Redis.Prefix },
			"abc",
		},
		"alias as key": {
			"redis: {username: &n prefix, *n : abc}\n", func(c *Config) any { return c.Redis.Prefix },
			"abc",
		},
		"empty list": {
			"policy: {sensitive_objects: []}\n",
			func(c *Config) any { return c.Policy.SensitiveObjects },
			[]string{},
		},
		"nothing in sections": {"redis:\n  tls:\npolicy: ~\n", func(c *Config) any { return c.Redis.Prefix }, "keyhole"},
		"minutes":             {"redis: {timeout: 0m1s}\n", func(c *Config) any { return c.Redis.Timeout }, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			// Windows editors begin a file with a byte order mark.
			c, _, err := loadText("\ufeff"+minimal+tt.text, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.get(c); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

// An anchor that contains itself, and aliases of aliases, end.
func TestAliasesEnd(t *testing.T) {
	for _, text := range []string{
		"public: &a {tls: *a}\n",
		"storage: &a [*a, *a]\n",
		"a: &a [x, x]\nb: &b [*a, *a]\nstorage: [*b, *b]\n",
	} {
		if _, _, err := loadText(text, nil); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h",
		168 * time.Hour: "168h", 90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s",
		500 * time.Millisecond: "500ms",
		10 * time.Minute:       "10m", 20 * time.Hour: "20h",
	} {
		if got := durationText(d); got != want {
			t.Errorf("durationText(%d) = %q, want %q", d, got, want)
		}
	}
}
