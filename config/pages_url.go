package config

import (
	"net/url"
	"regexp"
	"strings"
)

var (
	// urlText matches the characters of a URL (RFC 3986, appendix A), so that browsers and
	// this package read the same URL.
	urlText = regexp.MustCompile(`^([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$`)
	// mailboxName matches the part of an address before the @ that needs no escapes in a
	// mailto: URL (RFC 6068, section 2).
	mailboxName = regexp.MustCompile(`^[A-Za-z0-9_~!$'*+-]+(\.[A-Za-z0-9_~!$'*+-]+)*$`)
	// phoneNumber matches a number with the separators that people write (RFC 3966, section
	// 5.1.1), and escaped spaces, which phones accept too.
	phoneNumber = regexp.MustCompile(`^\+?[0-9]((-|\.|%20)?[0-9]){2,19}$`)
)

// contactProblem returns why a URL cannot be pages.contact, or "". The page adds the
// reference of a link to the URL: as the subject of a mailto: URL, and as ?reference= or
// &reference= of an https: URL.
func contactProblem(raw string) string {
	if raw == "" {
		return ""
	}
	if number, ok := strings.CutPrefix(raw, "tel:"); ok {
		if !phoneNumber.MatchString(number) {
			return "must have 3 to 20 digits after tel:, with single hyphens, dots or %20 between them, such as " +
				"tel:+49-30-901820"
		}
		return ""
	}
	if why := mailOrHTTPS(raw); why != notMailOrHTTPS {
		if why == "" && strings.Contains(raw, "#") {
			return "must not have a fragment (#), because pages add the reference of the link at the end"
		}
		return why
	}
	return "must begin with mailto:, tel: or https://"
}

// pageLinkProblem returns why a URL cannot be in the footer of the pages, or "".
func pageLinkProblem(raw string) string {
	if raw == "" {
		return "is missing: set an https: or mailto: URL"
	}
	return mailOrHTTPS(raw)
}

const notMailOrHTTPS = "must begin with https:// or mailto:"

// mailOrHTTPS returns why a text is neither a mailto: URL with one address nor an https:
// URL, or "".
func mailOrHTTPS(raw string) string {
	if len(raw) > maxPageURL {
		return "is longer than 2000 bytes"
	}
	if address, ok := strings.CutPrefix(raw, "mailto:"); ok {
		return mailProblem(address)
	}
	if !strings.HasPrefix(raw, "https://") {
		return notMailOrHTTPS
	}
	if !urlText.MatchString(raw) {
		return "contains characters that a URL must escape; write international host names in ASCII (xn--…)"
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return "is not a URL such as https://www.example.com/help"
	case u.User != nil:
		return "must not contain a user or a password"
	}
	if _, err := normalHost(u.Hostname()); err != nil {
		return err.Error()
	}
	if _, err := normalPort(u.Scheme, u.Port()); err != nil {
		return err.Error()
	}
	return ""
}

// mailProblem returns why a text is not one plain address, or "".
func mailProblem(address string) string {
	if strings.ContainsAny(address, "?&") {
		return "must not have a query (?): pages add the subject themselves"
	}
	name, host, ok := strings.Cut(address, "@")
	if !ok || len(name) > 64 || !mailboxName.MatchString(name) || !validHost(host) {
		return "must have one address after mailto:, such as mailto:help@example.com"
	}
	return ""
}
