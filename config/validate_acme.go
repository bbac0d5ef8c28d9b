package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
)

// maxDomains is the largest number of names in one certificate at Let's Encrypt.
const maxDomains = 100

// acmeSecretBytes is the length of the secret in public.tls.acme.secret_file.
const acmeSecretBytes = 32

// acme checks public.tls.acme.
func (k *checker) acme(p Public) {
	const section = "public.tls.acme"
	a := p.TLS.ACME
	if !a.Enabled() {
		if a.Email != "" || a.AcceptTerms || a.DirectoryURL != "" || a.SecretFile != "" {
			k.problem(section+".domains", "is missing: list the names of the certificate, the host of public.url among them")
		}
		return
	}
	k.acmeDomains(section+".domains", p)
	if p.TLS.CertFile != "" {
		k.problem(section, "excludes cert_file: remove one of them")
	}
	if !a.AcceptTerms {
		k.problem(section+".accept_terms", "must be true: read the terms of the certificate authority first")
	}
	if local, domain, ok := strings.Cut(a.Email, "@"); a.Email != "" && (!ok || local == "" || !validHost(domain)) {
		k.problem(section+".email", "must be an address such as admin@example.com")
	}
	if err := checkDirectory(a.DirectoryURL); err != nil {
		k.problem(section+".directory_url", "%s", err)
	}
	if a.SecretFile == "" {
		k.problem(section+".secret_file", "is missing: create it with `umask 077; openssl rand -hex 32 > FILE`")
	}
}

// acmeDomains checks the names of the certificate.
func (k *checker) acmeDomains(path string, p Public) {
	domains := p.TLS.ACME.Domains
	if len(domains) > maxDomains {
		k.problem(path, "has %d names; the limit is %d", len(domains), maxDomains)
	}
	for i, domain := range domains {
		at := fmt.Sprintf("%s[%d]", path, i)
		_, notAddress := netip.ParseAddr(domain)
		switch {
		case strings.HasPrefix(domain, "*"):
			k.problem(at, "is a wildcard, which needs a challenge by DNS; list each name")
		case notAddress == nil || !validHost(domain):
			k.problem(at, "must be a host name such as dl.example.com")
		case slices.Index(domains, domain) < i:
			k.problem(at, "is also entry %d of the list; remove one of them", slices.Index(domains, domain))
		}
	}
	if u, err := url.Parse(p.URL); err == nil && p.URL != "" && !slices.Contains(domains, u.Hostname()) {
		k.problem(path, "must contain %s, the host of public.url", quote(u.Hostname()))
	}
}

// checkDirectory checks the URL of a certificate authority's directory.
func checkDirectory(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || hasControl(raw):
		return errors.New("is not a URL such as https://acme.example.com/directory")
	case u.User != nil || u.Fragment != "":
		return errors.New("must not have a user, a password or a fragment")
	case u.Scheme == "https" || u.Scheme == "http" && !clearText(u.Scheme+"://"+u.Host):
		return nil
	}
	return errors.New("must begin with https://, or with http:// on loopback")
}

// ReadACMESecret reads the secret of public.tls.acme.secret_file: 32 bytes as they are, or
// 64 hexadecimal digits that a line break may follow. The error does not contain the
// content of the file.
func ReadACMESecret(file string) ([]byte, error) {
	data, err := os.ReadFile(file) //nolint:gosec // The operator names the file.
	if err != nil {
		return nil, err
	}
	return parseACMESecret(data)
}

// parseACMESecret returns the 32 bytes of the secret.
func parseACMESecret(data []byte) ([]byte, error) {
	if len(data) == acmeSecretBytes {
		return data, nil
	}
	secret, err := hex.DecodeString(strings.TrimRight(string(data), "\r\n"))
	if err != nil || len(secret) != acmeSecretBytes {
		return nil, errors.New("must contain 32 bytes or 64 hexadecimal digits; create it with `openssl rand -hex 32`")
	}
	return secret, nil
}
