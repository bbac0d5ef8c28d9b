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

// maxSeconds bounds the times of tokens. A float64 represents every second up to it.
const maxSeconds = 1 << 53

// isGoogle reports whether iss is Google's name without its scheme. Google's tokens may
// have this name, while its discovery document has the name with the scheme.
func isGoogle(issuer, iss string) bool {
	return issuer == "https://accounts.google.com" && iss == "accounts.google.com"
}

// sameIssuer reports whether two names of an issuer are equal except for a slash at the
// end. Both names lead to the same discovery document.
func sameIssuer(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}

// timeOf reads a NumericDate (RFC 7519 section 2). Some providers write it as a string.
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

// clientOf returns the client that a token was issued to: its azp (OpenID Connect), its
// client_id (RFC 9068 section 2.2), or its only audience. It is empty if the token does
// not name the client.
func clientOf(claims map[string]any, audiences []string) string {
	for _, name := range []string{"azp", "client_id"} {
		if value, ok := claims[name]; ok {
			client, _ := value.(string)
			return client
		}
	}
	if len(audiences) == 1 {
		return audiences[0]
	}
	return ""
}

// nameOf returns the name of the operator.
func (p *Provider) nameOf(claims map[string]any) (string, error) {
	name, _ := claims[p.o.NameClaim].(string)
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return "", refuse(gateway.TokenNoName,
			"its claim %q is not a name of 1 to 200 bytes without control characters", p.o.NameClaim)
	}
	return namePrefix + name, nil
}

// valuesOf returns the values of the claim at a path. A claim whose name contains the
// dots of the whole path takes precedence over a claim inside an object.
func valuesOf(claims map[string]any, path []string) []string {
	dotted := strings.Join(path, ".")
	if value, ok := claims[dotted]; ok {
		return append(scopes(dotted, value), textsOf(value)...)
	}
	if len(path) < 2 {
		return nil
	}
	object, ok := claims[path[0]].(map[string]any)
	if !ok {
		return nil
	}
	return memberValues(object, path[1:])
}

// memberValues is valuesOf for a claim inside an object.
func memberValues(object map[string]any, path []string) []string {
	if value, ok := object[strings.Join(path, ".")]; ok {
		return textsOf(value)
	}
	if next, ok := object[path[0]].(map[string]any); ok && len(path) > 1 {
		return memberValues(next, path[1:])
	}
	return nil
}

// scopes returns the values of scope (RFC 8693 section 4.2) or scp (Microsoft's name for
// it), which are separated by spaces in one string. For other claims it returns nil.
func scopes(name string, value any) []string {
	text, ok := value.(string)
	if !ok || name != "scope" && name != "scp" {
		return nil
	}
	return strings.Fields(text)
}

// textsOf returns a string, or the strings of a list.
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
