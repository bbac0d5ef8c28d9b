package admission

import (
	"strings"

	"keyhole/gateway"
)

// Bearer returns the key or token of an Authorization header, RFC 6750 section 2.1. There
// must be exactly one header. One or more spaces separate the credential from the scheme,
// RFC 9110 section 11.4.
func Bearer(headers []string) (string, bool) {
	if len(headers) != 1 {
		return "", false
	}
	scheme, credential, ok := strings.Cut(headers[0], " ")
	credential = strings.TrimLeft(credential, " ")
	return credential, ok && strings.EqualFold(scheme, "Bearer") && credential != ""
}

// challenge is the WWW-Authenticate header that asks for a credential, RFC 9110 section
// 11.6.1.
const challenge = `Bearer realm="keyhole"`

// UnauthorizedError refuses a request whose credential is missing or wrong.
type UnauthorizedError struct {
	// Challenge is the value of the WWW-Authenticate header.
	Challenge string
	// Err has CodeUnauthorized and the detail for the operator.
	Err *gateway.Error
}

// Error returns the text of Err.
func (e *UnauthorizedError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *UnauthorizedError) Unwrap() error { return e.Err }

// missingCredential refuses a request without a credential. Without a credential the
// challenge has no error, RFC 6750 section 3.1.
func missingCredential(detail string) error {
	return &UnauthorizedError{challenge, gateway.Errorf(gateway.CodeUnauthorized, "%s", detail)}
}

// wrongCredential refuses a key or a token; both are bearer tokens of RFC 6750. The detail
// must be ASCII without quotes and backslashes, because it becomes a part of the header
// (section 3).
func wrongCredential(detail string) error {
	return &UnauthorizedError{
		challenge + `, error="invalid_token", error_description="` + detail + `"`,
		gateway.Errorf(gateway.CodeUnauthorized, "%s", detail),
	}
}

// tokenDetail returns the text for the holder of a refused token.
func tokenDetail(reason gateway.TokenReason) string {
	switch reason {
	case gateway.TokenExpired:
		return "the token has expired"
	case gateway.TokenNotYet:
		return "the token is not valid yet"
	case gateway.TokenAudience:
		return "the token is for another audience than this service"
	case gateway.TokenClient:
		return "the token was issued to a client that this service does not accept"
	case gateway.TokenIssuer:
		return "the token was issued by another issuer than the configured identity provider"
	case gateway.TokenSignature:
		return "the token is not signed by a key of the configured identity provider"
	case gateway.TokenKind:
		return "the token is neither an access token nor an ID token"
	case gateway.TokenNoName:
		return "the token does not name its holder"
	default:
		return "this is not a valid token"
	}
}
