package config

import (
	"strings"
	"testing"
	"time"
)

func TestNormalURL(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                "",
		"https://dl.example.com":          "https://dl.example.com",
		"https://dl.example.com/":         "https://dl.example.com",
		"HTTPS://DL.Example.COM":          "https://dl.example.com",
		"https://dl.example.com:443":      "https://dl.example.com",
		"https://dl.example.com:0443/":    "https://dl.example.com",
		"http://dl.example.com:80":        "http://dl.example.com",
		"https://dl.example.com:80":       "https://dl.example.com:80",
		"http://dl.example.com:443":       "http://dl.example.com:443",
		"https://dl.example.com:8443":     "https://dl.example.com:8443",
		"https://dl.example.com:":         "https://dl.example.com",
		"http://127.0.0.1:9000":           "http://127.0.0.1:9000",
		"http://[::1]:9000":               "http://[::1]:9000",
		"https://[2001:DB8:0::1]:443":     "https://[2001:db8::1]",
		"https://Bücher.example":          "https://xn--bcher-kva.example",
		"https://xn--bcher-kva.example":   "https://xn--bcher-kva.example",
		"https://ＤＬ.example":              "https://dl.example",
		"https://例え.テスト:9443":             "https://xn--r8jz45g.xn--zckzah:9443",
		"https://B%C3%BCcher.example":     "https://xn--bcher-kva.example",
		"http://my_minio:9000":            "http://my_minio:9000",
		"http://localhost":                "http://localhost",
		"http://localhost:65535":          "http://localhost:65535",
		"https://s3.eu-central-1.a.co":    "https://s3.eu-central-1.a.co",
		"https://3com.example.4you.co.uk": "https://3com.example.4you.co.uk",
	} {
		got, err := normalURL(raw)
		if err != nil || got != want {
			t.Errorf("normalURL(%q) = %q, %v; want %q", raw, got, err, want)
		}
		if again, err := normalURL(got); err != nil || again != got {
			t.Errorf("normalURL(%q), a normal form, = %q, %v", got, again, err)
		}
	}
}

func TestNotAURL(t *testing.T) {
	const (
		scheme = "must begin with https:// or http://"
		broken = "is not a URL such as https://dl.example.com"
		port   = "must have a port between 1 and 65535"
		host   = "has an invalid host: it must be a name or an IP address"
		breaks = "contains a line break or another control character"
	)
	for raw, want := range map[string]string{
		"dl.example.com":                     scheme,
		"dl.example.com:443":                 scheme,
		"minio:9000":                         scheme,
		"127.0.0.1:9000":                     scheme,
		"//dl.example.com":                   scheme,
		"/":                                  scheme,
		"https:dl.example.com":               scheme,
		"https:/dl.example.com":              "must not have a path",
		"ftp://dl.example.com":               scheme,
		"s3://bucket":                        scheme,
		"javascript://dl.example.com":        scheme,
		"https://":                           "has no host",
		"https://:443":                       "has no host",
		"https:///":                          "has no host",
		"https://u@dl.example.com":           "must not contain a user or a password",
		"https://u:p@dl.example.com":         "must not contain a user or a password",
		"https://@dl.example.com":            "must not contain a user or a password",
		"https://dl.example.com?":            "must not have a query (?)",
		"https://dl.example.com/?a=b":        "must not have a query (?)",
		"https://dl.example.com#":            "must not have a fragment (#)",
		"https://dl.example.com/#top":        "must not have a fragment (#)",
		"https://dl.example.com/links":       "must not have a path",
		"https://dl.example.com//":           "must not have a path",
		"https://dl.example.com/%2F":         "must not have a path",
		"https://dl.example.com/.":           "must not have a path",
		"https://dl.example.com\r\nX: y":     breaks,
		"https://dl.example.com/\n":          breaks,
		"https://dl.example.com\x00":         breaks,
		" https://dl.example.com":            broken,
		"https://dl.example.com ":            broken,
		"https://dl example.com":             broken,
		"https://dl.example.com:x":           broken,
		"https://dl.example.com:-1":          broken,
		"https://[::1":                       broken,
		"https://%zz":                        broken,
		`https://dl.example.com\evil.com`:    broken,
		"https://dl.example.com:0":           port,
		"https://dl.example.com:65536":       port,
		"https://dl.example.com:9999999999":  port,
		"https://[fe80::1%25eth0]":           "must not have a zone in its address",
		"https://127.1":                      host,
		"https://0x7f000001":                 host,
		"https://256.0.0.1":                  host,
		"https://a..b":                       host,
		"https://.a":                         host,
		"https://dl.example.com.":            host,
		"https://-a.example":                 host,
		"https://a-.example":                 host,
		"https://*.example.com":              host,
		"https://xn--a":                      host,
		"https://a'b.example":                host,
		`https://a"b.example`:                host,
		"https://<b>.example":                host,
		"https://" + strings.Repeat("a", 64): host,
	} {
		got, err := normalURL(raw)
		if err == nil {
			t.Errorf("normalURL(%q) = %q, want an error", raw, got)
		} else if err.Error() != want {
			t.Errorf("normalURL(%q): %q, want %q", raw, err, want)
		}
	}
	// RFC 1035 2.3.4, less the root's dot.
	for length, ok := range map[int]bool{253: true, 254: false} {
		if _, err := normalURL("https://" + strings.Repeat("a.", 125) + strings.Repeat("a", length-250)); (err == nil) != ok {
			t.Errorf("a name of %d bytes: %v", length, err)
		}
	}
}

func TestClearText(t *testing.T) {
	for normal, want := range map[string]bool{
		"http://dl.example.com":        true,
		"http://dl.example.com:8080":   true,
		"http://10.0.0.1":              true,
		"http://[2001:db8::1]:80":      true,
		"http://0.0.0.0:8080":          true,
		"http://localhost.example.com": true,
		"http://notlocalhost":          true,
		"http://localhost":             false,
		"http://localhost:8080":        false,
		"http://dl.localhost:8080":     false,
		"http://127.0.0.1":             false,
		"http://127.8.8.8:80":          false,
		"http://[::1]":                 false,
		"http://[::1]:8080":            false,
		"http://[::ffff:127.0.0.1]":    false,
		"https://dl.example.com":       false,
		"":                             false,
	} {
		if got := clearText(normal); got != want {
			t.Errorf("clearText(%q) = %v, want %v", normal, got, want)
		}
	}
}

// Only what was asked for is refused; a default gives way to the cap.
func TestPresetsAndTheCap(t *testing.T) {
	c, _, err := loadText(minimal+"policy: {max_expiry: 12h}\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Presets{
		Handoff: 15 * time.Minute, Troubleshooting: time.Hour, Business: 12 * time.Hour,
		Extended: 12 * time.Hour,
	}
	if c.Policy.Presets != want {
		t.Errorf("presets are %+v, want %+v", c.Policy.Presets, want)
	}

	_, _, err = loadText(minimal+"policy: {max_expiry: 12h, presets: {extended: 168h, handoff: 0s}}\n", nil,
		"KEYHOLE_POLICY_PRESETS_BUSINESS=13h")
	wantLines(
		t, err,
		"line 12: policy.presets.extended: must be at most policy.max_expiry (12h), not 168h",
		"line 12: policy.presets.handoff: must be at least 1s, not 0s",
		"KEYHOLE_POLICY_PRESETS_BUSINESS: policy.presets.business: must be at most policy.max_expiry (12h), not 13h",
	)
}

func TestEndpointDefaults(t *testing.T) {
	for name, tt := range map[string]struct {
		text                     string
		endpoint, public, region string
	}{
		"AWS": {"region: eu-west-1", "", "", "eu-west-1"},
		"public only": {
			"region: eu-west-1, public_endpoint: \"https://Files.Example.com/\"", "",
			"https://files.example.com", "eu-west-1",
		},
		"other server": {
			"endpoint: \"https://S3.Example.com:443\"", "https://s3.example.com", "https://s3.example.com",
			"us-east-1",
		},
		"both": {"endpoint: \"https://s3.internal\", public_endpoint: \"https://files.example.com\", region: " +
			"garage", "https://s3.internal", "https://files.example.com", "garage"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(minimal, "  - name: main\n    region: eu-central-1\n    buckets: [reports, exports]\n",
				"  - {name: main, buckets: [reports], "+tt.text+"}\n", 1)
			c, _, err := loadText(text, nil)
			if err != nil {
				t.Fatal(err)
			}
			s := c.Storage[0]
			if s.Endpoint != tt.endpoint || s.PublicEndpoint != tt.public || s.Region != tt.region {
				t.Errorf("got %q %q %q", s.Endpoint, s.PublicEndpoint, s.Region)
			}
		})
	}
}
