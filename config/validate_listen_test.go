package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPublicRules(t *testing.T) {
	proxies := func(p ...string) func(*Config) { return func(c *Config) { c.Public.TrustedProxies = p } }
	checkRules(t, map[string]rule{
		"no URL": {
			change:   func(c *Config) { c.Public.URL = "" },
			problems: []string{"public.url: is missing: set the beginning of every link, such as https://dl.example.com"},
		},
		"URL with a path": {
			change:   func(c *Config) { c.Public.URL = "https://dl.example.com/l" },
			problems: []string{"public.url: must not have a path"},
		},
		"plain http": {
			change:   func(c *Config) { c.Public.URL = "http://dl.example.com" },
			warnings: []string{"http_public_url public.url"},
		},
		"no connections": {
			change:   func(c *Config) { c.Public.MaxConnections = 9 },
			problems: []string{"public.max_connections: must be 10 to 1000000, not 9"},
		},
		"connections": {change: func(c *Config) { c.Public.MaxConnections = 1_000_000 }},
		"idle timeout": {
			change:   func(c *Config) { c.Public.IdleTimeout = 0 },
			problems: []string{"public.idle_timeout: must be between 1s and 1h, not 0s"},
		},
		"redirects": {change: func(c *Config) { c.Public.RedirectListen = ":80" }},
		"redirect port": {
			change: func(c *Config) { c.Public.RedirectListen = "127.0.0.1:8080" },
			problems: []string{
				"public.redirect_listen: uses the same port as public.listen; give each its own port",
			},
		},
		"plain http on loopback": {change: func(c *Config) { c.Public.URL = "http://127.0.0.1:8080" }},
		"proxies": {change: proxies(
			"10.0.0.0/8", "192.0.2.1", "::1", "fc00::/7", "2001:db8::/32", "2001:db8:1::/96", "::ffff:192.0.2.0/120",
			"::ffff:192.0.2.77", "0.0.0.1",
		)},
		"every address": {
			change: proxies("0.0.0.0/0", "::/0", "::ffff:0:0/96", "0.0.0.0/1", "128.0.0.0/1", "2000::/3", "8.0.0.0/7",
				"::ffff:0.0.0.0/103"),
			problems: []string{
				`public.trusted_proxies[0]: "0.0.0.0/0" is too wide: list only your proxies, as networks of /8 or narrower`,
				`public.trusted_proxies[1]: "::/0" is too wide: list only your proxies, as networks of /7 or narrower`,
				`public.trusted_proxies[2]: "::ffff:0:0/96" is too wide: list only your proxies, as networks of /8 or narrower`,
				`public.trusted_proxies[3]: "0.0.0.0/1" is too wide: list only your proxies, as networks of /8 or narrower`,
				`public.trusted_proxies[4]: "128.0.0.0/1" is too wide: list only your proxies, as networks of /8 or narrower`,
				`public.trusted_proxies[5]: "2000::/3" is too wide: list only your proxies, as networks of /7 or narrower`,
				`public.trusted_proxies[6]: "8.0.0.0/7" is too wide: list only your proxies, as networks of /8 or narrower`,
				`public.trusted_proxies[7]: "::ffff:0.0.0.0/103" is too wide: list only your proxies, as networks of /8 or ` +
					`narrower`,
			},
		},
		"no proxies": {
			change: proxies("", "proxy.example.com", "10.0.0.0/33", "10.0.0.0/x", "fe80::1%eth0", "10.0.0.1:80", "0.0.0.0",
				"::", "*"),
			problems: []string{
				"public.trusted_proxies[0]: must be an address or a network such as 10.0.0.0/8",
				"public.trusted_proxies[1]: must be an address or a network such as 10.0.0.0/8",
				"public.trusted_proxies[2]: must be an address or a network such as 10.0.0.0/8",
				"public.trusted_proxies[3]: must be an address or a network such as 10.0.0.0/8",
				"public.trusted_proxies[4]: must not have a zone",
				"public.trusted_proxies[5]: must be an address or a network such as 10.0.0.0/8",
				`public.trusted_proxies[6]: "0.0.0.0" cannot be the address of a proxy`,
				`public.trusted_proxies[7]: "::" cannot be the address of a proxy`,
				"public.trusted_proxies[8]: must be an address or a network such as 10.0.0.0/8",
			},
		},
		"every address, in networks of an allowed size": {
			change:   proxies(everyIPv4()...),
			problems: []string{"public.trusted_proxies: " + fmt.Sprintf(tooManyProxies, "99.1", "IPv4", 8, "0.391")},
		},
		"half of a /8 more than one": {
			change:   proxies("8.0.0.0/8", "9.0.0.0/9"),
			problems: []string{"public.trusted_proxies: " + fmt.Sprintf(tooManyProxies, "0.586", "IPv4", 8, "0.391")},
		},
		"IPv6 that is not private": {
			change:   proxies("2a00::/12"),
			problems: []string{"public.trusted_proxies: " + fmt.Sprintf(tooManyProxies, "0.0244", "IPv6", 16, "0.00153")},
		},
		"around the private networks": {
			change:   proxies("172.0.0.0/8", "11.0.0.0/12", "fe00::/7"),
			problems: []string{"public.trusted_proxies: " + fmt.Sprintf(tooManyProxies, "0.684", "IPv6", 16, "0.00153")},
		},
		"a /8, and networks in it": {change: proxies("8.0.0.0/8", "8.1.0.0/16", "8.1.2.3", "2a00::/16", "2a00:1::/32")},
		"all private networks": {change: proxies("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
			"169.254.0.0/16",
			"127.0.0.0/8", "8.0.0.0/8", "fc00::/7", "fe80::/10", "::1", "2a00::/16")},
		"a content network": {change: proxies("173.245.48.0/20", "103.21.244.0/22", "104.16.0.0/13", "104.24.0.0/14",
			"172.64.0.0/13",
			"131.0.72.0/22", "2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2a06:98c0::/29", "2c0f:f248::/32")},
		"address inside of a network": {
			change: proxies("10.1.2.3/8"),
			problems: []string{`public.trusted_proxies[0]: "10.1.2.3/8" is an address inside a network; write the network ` +
				`as 10.0.0.0/8`},
		},
		"proxy twice": {
			change:   proxies("10.0.0.1", "10.0.0.1/32"),
			problems: []string{`public.trusted_proxies[1]: "10.0.0.1/32" is listed twice`},
		},
		"proxies of operators": {
			change: func(c *Config) { c.Operator.TrustedProxies = []string{"10.0.0.0/8", "10.0.0.0/8", "::/0"} },
			problems: []string{
				`operator.trusted_proxies[1]: "10.0.0.0/8" is listed twice`,
				`operator.trusted_proxies[2]: "::/0" is too wide: list only your proxies, as networks of /7 or narrower`,
			},
		},
		"certificate without key": {
			change:   func(c *Config) { c.Public.TLS.CertFile = "c" },
			problems: []string{"public.tls.key_file: is missing: cert_file needs it"},
		},
		"key without certificate": {
			change:   func(c *Config) { c.Operator.TLS.KeyFile = "k" },
			problems: []string{"operator.tls.cert_file: is missing: key_file needs it"},
		},
	})
}

// everyIPv4 is every IPv4 address in networks of which each may be a proxy's.
func everyIPv4() []string {
	all := make([]string, 256)
	for i := range all {
		all[i] = fmt.Sprintf("%d.0.0.0/8", i)
	}
	return all
}

func TestProxyPrefixes(t *testing.T) {
	p := Public{TrustedProxies: []string{
		"10.0.0.0/8", "192.0.2.1", "::ffff:198.51.100.0/120", "::ffff:203.0.113.9",
		"2001:db8::1", "nonsense",
	}}
	want := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.9/32"), netip.MustParsePrefix("2001:db8::1/128"),
	}
	if got := p.ProxyPrefixes(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	o := Operator{TrustedProxies: p.TrustedProxies}
	if got := o.ProxyPrefixes(); !reflect.DeepEqual(got, want) {
		t.Errorf("of operators: got %v, want %v", got, want)
	}
}

func TestListenRules(t *testing.T) {
	listen := func(public, operator, metrics string) func(*Config) {
		return func(c *Config) {
			c.Public.Listen, c.Operator.Listen, c.Metrics.Listen = public, operator, metrics
			c.Operator.URL = "https://ops.example.com" // of a proxy, so that no listener is in clear text
		}
	}
	clash := func(path, other string) []string {
		return []string{path + ": uses the same port as " + other + "; give each its own port"}
	}
	checkRules(t, map[string]rule{
		"all their own":          {change: listen(":80", ":81", ":82")},
		"free ports never meet":  {change: listen(":0", ":0", "127.0.0.1:0")},
		"names and IPv6":         {change: listen("localhost:80", "[::1]:81", "[fe80::1%eth0]:82")},
		"addresses of their own": {change: listen("127.0.0.1:80", "127.0.0.2:80", "[::1]:80")},
		"both kinds":             {change: listen("0.0.0.0:80", "[::1]:80", "")},
		"names of their own":     {change: listen("a.internal:80", "b.internal:80", "10.0.0.1:80")},
		"the same":               {listen(":80", ":80", ""), clash("operator.listen", "public.listen"), nil},
		"the same name": {listen("A.internal:80", "a.internal:80", ""), clash("operator.listen",
			"public.listen"), nil},
		"leading zeros":           {listen(":80", ":080", ""), clash("operator.listen", "public.listen"), nil},
		"metrics on the operator": {listen(":80", ":81", ":81"), clash("metrics.listen", "operator.listen"), nil},
		"every interface":         {listen(":80", "127.0.0.1:80", ""), clash("operator.listen", "public.listen"), nil},
		"every IPv4 interface":    {listen("10.0.0.1:80", "0.0.0.0:80", ""), clash("operator.listen", "public.listen"), nil},
		"every IPv6 interface":    {listen("[::]:80", "10.0.0.1:80", ""), clash("operator.listen", "public.listen"), nil},
		"loopback by name": {
			listen("localhost:80", "127.0.0.1:80", ""), clash("operator.listen", "public.listen"),
			nil,
		},
		"no addresses": {
			change: listen("", "8081", "metrics"),
			problems: []string{
				`metrics.listen: must be host:port`,
				`operator.listen: must be host:port`,
				`public.listen: must be host:port`,
			},
		},
		"no ports": {
			change: listen(":http", "127.0.0.1:", ":65536"),
			problems: []string{
				`metrics.listen: must have a port between 0 and 65535`,
				`operator.listen: must have a port between 0 and 65535`,
				`public.listen: must have a port between 0 and 65535`,
			},
		},
		"no hosts": {
			change: listen("a b:80", "http://x:81", "256.0.0.1:82"),
			problems: []string{
				"metrics.listen: has an invalid host: it must be a name or an IP address",
				`operator.listen: must be host:port`,
				"public.listen: has an invalid host: it must be a name or an IP address",
			},
		},
	})
}

func TestOperatorRules(t *testing.T) {
	key := func(change func(*OperatorKey)) func(*Config) {
		return func(c *Config) { change(&c.Operator.Keys[0]) }
	}
	second := func(change func(*OperatorKey)) func(*Config) {
		return func(c *Config) {
			k := OperatorKey{Name: "ci", SHA256: hashB, Can: []string{"read"}, Objects: []string{"*"}}
			change(&k)
			c.Operator.Keys = append(c.Operator.Keys, k)
		}
	}
	checkRules(t, map[string]rule{
		"URL": {change: func(c *Config) { c.Operator.URL = "https://ops.example.com/" }},
		"URL on http": {
			func(c *Config) { c.Operator.URL = "http://ops.example.com" }, nil,
			[]string{"http_operator_url operator.url"},
		},
		"no URL": {
			change:   func(c *Config) { c.Operator.URL = "ops" },
			problems: []string{"operator.url: must begin with https:// or http://"},
		},
		"no keys": {func(c *Config) { c.Operator.Keys = nil }, nil, []string{"no_operator_keys operator.keys"}},
		"an empty key": {
			change: func(c *Config) { c.Operator.Keys = []OperatorKey{{}} },
			problems: []string{
				"operator.keys[0].can: is missing: set at least one of issue, read, revoke, browse",
				"operator.keys[0].name: is missing: set the name of the key's owner",
				"operator.keys[0].objects: is empty, which allows no object: list patterns, or omit it to allow all objects",
				"operator.keys[0].sha256: is missing: `keyhole key new` prints it",
			},
		},
		"longest name": {change: key(func(k *OperatorKey) { k.Name = strings.Repeat("aZ0._-x", 9) })},
		"name too long": {
			change:   key(func(k *OperatorKey) { k.Name = strings.Repeat("a", 64) }),
			problems: []string{"operator.keys[0].name: must be 1 to 63 letters, digits, dots, underscores or hyphens"},
		},
		"name with a space": {
			change:   key(func(k *OperatorKey) { k.Name = "c i" }),
			problems: []string{`operator.keys[0].name: must be 1 to 63 letters, digits, dots, underscores or hyphens`},
		},
		"display names": {change: second(func(k *OperatorKey) {
			k.DisplayName, k.SHA256 = strings.Repeat("é", 80), strings.Repeat("b", 64)
		})},
		"display name in another script": {change: key(func(k *OperatorKey) {
			k.DisplayName = "می\u200cخواهم / Müller & Co."
		})},
		"display name of 81 characters": {
			change:   key(func(k *OperatorKey) { k.DisplayName = strings.Repeat("é", 81) }),
			problems: []string{"operator.keys[0].display_name: has 81 characters; the limit is 80"},
		},
		"display name that turns the text round": {
			change: key(func(k *OperatorKey) { k.DisplayName = "a\u202eb" }),
			problems: []string{"operator.keys[0].display_name: must not have control characters or characters that change " +
				"the reading direction"},
		},
		"display name with a line break": {
			change: key(func(k *OperatorKey) { k.DisplayName = "a\nb" }),
			problems: []string{"operator.keys[0].display_name: must not have control characters or characters that change " +
				"the reading direction"},
		},
		"display name of spaces": {
			change: key(func(k *OperatorKey) { k.DisplayName = " \u200d\u00a0" }),
			problems: []string{
				"operator.keys[0].display_name: must have a visible character; omit it for no display name",
			},
		},
		"hash in capitals": {change: key(func(k *OperatorKey) { k.SHA256 = strings.ToUpper(hashA) })},
		"hash too short": {
			change: key(func(k *OperatorKey) { k.SHA256 = hashA[1:] }),
			problems: []string{"operator.keys[0].sha256: must be 64 hexadecimal digits, the SHA-256 of the key, as " +
				"`keyhole key new` prints it"},
		},
		"no hash": {
			change: key(func(k *OperatorKey) { k.SHA256 = strings.Repeat("g", 64) }),
			problems: []string{"operator.keys[0].sha256: must be 64 hexadecimal digits, the SHA-256 of the key, as " +
				"`keyhole key new` prints it"},
		},
		"hash of an empty key": {
			change:   key(func(k *OperatorKey) { k.SHA256 = strings.ToUpper(sha256OfNothing) }),
			problems: []string{"operator.keys[0].sha256: is the SHA-256 of an empty key"},
		},
		"all actions": {change: key(func(k *OperatorKey) { k.Can = []string{"browse", "revoke", "read", "issue"} })},
		"other actions": {
			change: key(func(k *OperatorKey) { k.Can = []string{"read", "Read", "", "read"} }),
			problems: []string{
				"operator.keys[0].can[1]: must be issue, read, revoke or browse; did you mean read?",
				`operator.keys[0].can[2]: must be issue, read, revoke or browse`,
				"operator.keys[0].can[3]: read is listed twice",
			},
		},
		"patterns": {change: key(func(k *OperatorKey) { k.Objects = []string{"reports/a/*", "main:exports/*"} })},
		"broken patterns": {
			change: key(func(k *OperatorKey) { k.Objects = []string{"", "reports"} }),
			problems: []string{
				"operator.keys[0].objects[0]: is empty: write a pattern such as reports/*",
				"operator.keys[0].objects[1]: matches no object: a pattern for a whole bucket ends in /*, such as reports/*",
			},
		},
		"pattern that reaches nothing": {
			key(func(k *OperatorKey) { k.Objects = []string{"reprots/*"} }), nil,
			[]string{"unknown_bucket operator.keys[0].objects[0]"},
		},
		"shortest expiry": {change: key(func(k *OperatorKey) { k.MaxExpiry = time.Second })},
		"expiry too short": {
			change:   key(func(k *OperatorKey) { k.MaxExpiry = time.Second - 1 }),
			problems: []string{"operator.keys[0].max_expiry: must be at least 1s, or 0s for no limit, not 999.999999ms"},
		},
		"negative expiry": {
			change:   key(func(k *OperatorKey) { k.MaxExpiry = -time.Hour }),
			problems: []string{"operator.keys[0].max_expiry: must be at least 1s, or 0s for no limit, not -1h"},
		},
		"two keys of one name": {change: second(func(*OperatorKey) {})},
		"one key twice": {
			change: second(func(k *OperatorKey) { k.SHA256 = strings.ToUpper(hashA) }),
			problems: []string{"operator.keys[1].sha256: is also the key of operator.keys[0]; create another with `keyhole " +
				"key new`"},
		},
	})
}

// One entry of operator.keys is checked by the rules of the whole file.
func TestCheckOperatorKey(t *testing.T) {
	t.Parallel()
	valid := func() OperatorKey {
		return OperatorKey{Name: "ci", SHA256: hashA, Can: []string{"issue"}, Objects: []string{"*"}}
	}
	if err := CheckOperatorKey(valid()); err != nil {
		t.Errorf("a valid entry: %v", err)
	}
	for want, change := range map[string]func(*OperatorKey){
		"name: must be 1 to 63":          func(k *OperatorKey) { k.Name = "a b" },
		"can[0]: must be issue, read":    func(k *OperatorKey) { k.Can = []string{"isue"} },
		"objects[0]: matches no object":  func(k *OperatorKey) { k.Objects = []string{"reports"} },
		"max_expiry: must be at least 1": func(k *OperatorKey) { k.MaxExpiry = 1 },
		"display_name: has 81":           func(k *OperatorKey) { k.DisplayName = strings.Repeat("x", 81) },
	} {
		key := valid()
		change(&key)
		if err := CheckOperatorKey(key); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
