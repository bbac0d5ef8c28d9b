package identity

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"keyhole/gateway"
)

// maxName is the longest name of an operator, in bytes.
const maxName = 200

// maxSeconds bounds the times of tokens: up to there a float64 counts every second.
const maxSeconds = 1 << 53

// isGoogle tells whether said is how Google's tokens name Google where its discovery
// has the scheme, too.
func isGoogle(issuer, said string) bool {
	return issuer == "https://accounts.google.com" && said == "accounts.google.com"
}

// sameIssuer tells whether two names of an issuer differ in nothing but a slash at the
// end. Both lead to one address of its discovery.
func sameIssuer(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}

// timeOf reads a NumericDate, RFC 7519 section 2. Some providers write it as a text.
func timeOf(value any) (time.Time, bool) {
	seconds, ok := value.(float64)
	if text, isText := value.(string); isText {
		var err error
		seconds, err = strconv.ParseFloat(text, 64)
		ok = err == nil
	}
	if !ok || math.IsNaN(seconds) || math.Abs(seconds) > maxSeconds {
		return time.Time{}, false
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), true
}

// clientOf returns the client that a token was issued to, "" if it does not say so: azp
// of OpenID Connect, client_id of RFC 9068 section 2.2, or else its only audience.
func clientOf(claims map[string]any, audiences []string) string {
	for _, name := range []string{"azp", "client_id"} {
		if said, ok := claims[name]; ok {
			client, _ := said.(string)
			return client
		}
	}
	if len(audiences) == 1 {
		return audiences[0]
	}
	return ""
}

// nameOf returns what the operator is called.
func (p *Provider) nameOf(claims map[string]any) (string, error) {
	name, _ := claims[p.o.NameClaim].(string)
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return "", refuse(gateway.TokenNoName, "its claim %q is no name", p.o.NameClaim)
	}
	return namePrefix + name, nil
}

// valuesOf returns the texts of the claim that the names lead to. A claim that is
// called by all names joined by dots comes before one that stands in an object.
func valuesOf(claims map[string]any, names []string) []string {
	joined := strings.Join(names, ".")
	if value, ok := claims[joined]; ok {
		return append(scopes(joined, value), textsOf(value)...)
	}
	if len(names) < 2 {
		return nil
	}
	object, ok := claims[names[0]].(map[string]any)
	if !ok {
		return nil
	}
	return within(object, names[1:])
}

// within is valuesOf for a claim that stands in an object.
func within(object map[string]any, names []string) []string {
	if value, ok := object[strings.Join(names, ".")]; ok {
		return textsOf(value)
	}
	if next, ok := object[names[0]].(map[string]any); ok && len(names) > 1 {
		return within(next, names[1:])
	}
	return nil
}

// scopes returns the parts of scope (RFC 8693 section 4.2) or scp (Microsoft's name of
// it), which are one text with spaces; of any other claim nothing.
func scopes(name string, value any) []string {
	text, ok := value.(string)
	if !ok || name != "scope" && name != "scp" {
		return nil
	}
	return strings.Fields(text)
}

// textsOf returns a text, or the texts of a list.
func textsOf(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var texts []string
		for _, item := range v {
			if text, ok := item.(string); ok {
				texts = append(texts, text)
			}
		}
		return texts
	}
	return nil
}
