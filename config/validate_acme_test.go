package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestACMERules(t *testing.T) {
	acme := func(change func(*ACME)) func(*Config) {
		return func(c *Config) {
			c.Public.TLS.ACME = ACME{
				Domains: []string{"dl.example.com", "files.example.com"}, Email: "admin@example.com", AcceptTerms: true,
				SecretFile: "/secret",
			}
			change(&c.Public.TLS.ACME)
		}
	}
	checkRules(t, map[string]rule{
		"complete":      {change: acme(func(*ACME) {})},
		"no email":      {change: acme(func(a *ACME) { a.Email = "" })},
		"own authority": {change: acme(func(a *ACME) { a.DirectoryURL = "https://ca.example.com/acme/directory" })},
		"on loopback":   {change: acme(func(a *ACME) { a.DirectoryURL = "http://127.0.0.1:14000/dir" })},
		"plain http": {
			change:   acme(func(a *ACME) { a.DirectoryURL = "http://ca.example.com/dir" }),
			problems: []string{"public.tls.acme.directory_url: must begin with https://, or with http:// on loopback"},
		},
		"no URL": {
			change:   acme(func(a *ACME) { a.DirectoryURL = "ca" }),
			problems: []string{"public.tls.acme.directory_url: is not a URL such as https://acme.example.com/directory"},
		},
		"password in the URL": {
			change:   acme(func(a *ACME) { a.DirectoryURL = "https://u:p@ca.example.com" }),
			problems: []string{"public.tls.acme.directory_url: must not have a user, a password or a fragment"},
		},
		"no domains": {
			change: acme(func(a *ACME) { a.Domains = nil }),
			problems: []string{
				"public.tls.acme.domains: is missing: list the names of the certificate, the host of public.url among them",
			},
		},
		"another host": {
			change:   acme(func(a *ACME) { a.Domains = []string{"files.example.com"} }),
			problems: []string{`public.tls.acme.domains: must contain "dl.example.com", the host of public.url`},
		},
		"odd domains": {
			change: acme(func(a *ACME) {
				a.Domains = []string{"dl.example.com", "*.example.com", "192.0.2.1", "a b", "dl.example.com"}
			}),
			problems: []string{
				"public.tls.acme.domains[1]: is a wildcard, which needs a challenge by DNS; list each name",
				"public.tls.acme.domains[2]: must be a host name such as dl.example.com",
				"public.tls.acme.domains[3]: must be a host name such as dl.example.com",
				"public.tls.acme.domains[4]: is also entry 0 of the list; remove one of them",
			},
		},
		"international": {change: func(c *Config) {
			acme(func(a *ACME) { a.Domains = []string{"bücher.example", "DL.Example.com"} })(c)
			c.Public.URL = "https://BÜCHER.example"
		}},
		"as many as allowed": {change: acme(func(a *ACME) { a.Domains = numbered(maxDomains) })},
		"too many": {
			change:   acme(func(a *ACME) { a.Domains = numbered(maxDomains + 1) }),
			problems: []string{"public.tls.acme.domains: has 101 names; the limit is 100"},
		},
		"terms": {
			change: acme(func(a *ACME) { a.AcceptTerms = false }),
			problems: []string{
				"public.tls.acme.accept_terms: must be true: read the terms of the certificate authority first",
			},
		},
		"email": {
			change:   acme(func(a *ACME) { a.Email = "admin" }),
			problems: []string{"public.tls.acme.email: must be an address such as admin@example.com"},
		},
		"no secret": {
			change: acme(func(a *ACME) { a.SecretFile = "" }),
			problems: []string{
				"public.tls.acme.secret_file: is missing: create it with `umask 077; openssl rand -hex 32 > FILE`",
			},
		},
		"with files": {
			change: func(c *Config) {
				acme(func(*ACME) {})(c)
				c.Public.TLS.CertFile, c.Public.TLS.KeyFile = "c", "k"
			},
			problems: []string{"public.tls.acme: excludes cert_file: remove one of them"},
		},
	})
}

// numbered returns the host of public.url and other names, n in all.
func numbered(n int) []string {
	names := []string{"dl.example.com"}
	for i := range n - 1 {
		names = append(names, fmt.Sprintf("dl%d.example.com", i))
	}
	return names
}

// The secret has exactly 32 bytes, as they are or in hexadecimal.
func TestACMESecret(t *testing.T) {
	raw := append(bytes.Repeat([]byte{0xff}, 31), '\n')
	for name, tt := range map[string]struct {
		content string
		want    []byte
	}{
		"raw":               {string(raw), raw},
		"hexadecimal":       {strings.Repeat("0a", 32), bytes.Repeat([]byte{10}, 32)},
		"with a line break": {strings.Repeat("0A", 32) + "\n", bytes.Repeat([]byte{10}, 32)},
		"short":             {strings.Repeat("0a", 31), nil},
		"long":              {strings.Repeat("0a", 33), nil},
		"33 bytes":          {string(raw) + "x", nil},
		"empty":             {"", nil},
		"no digits":         {strings.Repeat("zz", 32), nil},
	} {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadACMESecret(file)
		if !bytes.Equal(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
		if err != nil && tt.content != "" && strings.Contains(err.Error(), tt.content) {
			t.Errorf("%s: the error shows the secret", name)
		}
	}
}
