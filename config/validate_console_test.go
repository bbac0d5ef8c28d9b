package config

import (
	"slices"
	"testing"
	"time"
)

// TestConsoleRules bounds sessions, and refuses names of the console that no browser sends.
func TestConsoleRules(t *testing.T) {
	t.Parallel()
	times := func(idle, longest time.Duration) func(*Config) {
		return func(c *Config) { c.Console.Idle, c.Console.Max = idle, longest }
	}
	hosts := func(all ...string) func(*Config) { return func(c *Config) { c.Operator.Hosts = all } }
	const form = "operator.hosts[0]: must be a host, or host:port, without scheme and path"
	checkRules(t, map[string]rule{
		"the shortest": {change: times(time.Second, time.Second)},
		"the longest":  {change: times(24*time.Hour, 720*time.Hour)},
		"idle above max": {
			change: times(2*time.Hour, time.Hour), problems: []string{
				"console.idle: is 2h; the limit is console.max, which is 1h",
			},
		},
		"no times": {change: times(0, 0), problems: []string{
			"console.idle: must be between 1s and 24h, not 0s", "console.max: must be between 1s and 720h, not 0s",
		}},
		"too long": {change: times(25*time.Hour, 721*time.Hour), problems: []string{
			"console.idle: must be between 1s and 24h, not 25h", "console.max: must be between 1s and 720h, not 721h",
		}},
		"names":      {change: hosts("keyhole.example.com", "keyhole.example.com:8443", "bücher.example", "10.0.0.1")},
		"a scheme":   {change: hosts("https://keyhole.example.com"), problems: []string{form}},
		"a path":     {change: hosts("keyhole.example.com/console"), problems: []string{form}},
		"a wildcard": {change: hosts("*.example.com"), problems: []string{form}},
		"CRLF":       {change: hosts("a\r\nb"), problems: []string{form}},
		"empty": {change: hosts(""), problems: []string{
			"operator.hosts[0]: is empty: set a name such as keyhole.internal.example.com",
		}},
		"no port": {change: hosts("a.example:99999"), problems: []string{
			"operator.hosts[0]: must have a port between 1 and 65535",
		}},
		"no name": {change: hosts("a b"), problems: []string{"operator.hosts[0]: " + errHost.Error()}},
		"twice, as one reads": {
			change: hosts("a.example", "A.example"), problems: []string{"operator.hosts[1]: is listed twice"},
		},
	})
}

// Names of the console are compared in one form.
func TestConsoleHostForm(t *testing.T) {
	t.Parallel()
	c := valid(t)
	c.Operator.Hosts = []string{"KEYHOLE.Example.com", "bücher.example:0443", "::1", "[::1]:8443"}
	if _, err := c.Prepare(); err != nil {
		t.Fatal(err)
	}
	want := []string{"keyhole.example.com", "xn--bcher-kva.example:443", "[::1]", "[::1]:8443"}
	if !slices.Equal(c.Operator.Hosts, want) {
		t.Errorf("got %q, want %q", c.Operator.Hosts, want)
	}
}

// The service warns if operators send keys and cookies in clear text to another machine.
func TestClearTextOperators(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		listen, url string
		tls         bool
		want        []string
	}{
		"loopback":             {"127.0.0.1:8081", "", false, nil},
		"loopback by name":     {"localhost:8081", "", false, nil},
		"loopback, IPv6":       {"[::1]:8081", "", false, nil},
		"every interface":      {":8081", "", false, []string{"http_operator operator.listen"}},
		"every IPv4 interface": {"0.0.0.0:8081", "", false, []string{"http_operator operator.listen"}},
		"an address":           {"10.0.0.1:8081", "", false, []string{"http_operator operator.listen"}},
		"a name":               {"keyhole.internal:8081", "", false, []string{"http_operator operator.listen"}},
		"with a certificate":   {":8081", "", true, nil},
		"a proxy with https":   {":8081", "https://ops.example.com", false, nil},
		"published on loopback": {
			":8081", "http://127.0.0.1:8081", false, nil, // as a container is
		},
		"a proxy with http": {":8081", "http://ops.example.com", false, []string{"http_operator_url operator.url"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := valid(t)
			c.Operator.Listen, c.Operator.URL = tt.listen, tt.url
			if tt.tls {
				c.Operator.TLS = TLS{CertFile: "cert", KeyFile: "key"}
			}
			_, warnings := c.validate()
			wantWarnings(t, warnings, tt.want...)
			if got := c.Operator.ClearText(); got != (len(tt.want) > 0) {
				t.Errorf("clear text: %v", got)
			}
		})
	}
}
