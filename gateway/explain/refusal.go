package explain

import (
	"slices"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// RefusalCode returns the code to pass to Refusal. This is TooLong if the operator key or
// token may not issue links that live so long, and StorageRefuses if the storage is why a
// field is refused; otherwise it is the code of the problem. expiryFields are the caller's
// names for the fields of the expiry.
func RefusalCode(p *api.Problem, expiryFields ...string) string {
	if slices.ContainsFunc(p.Errors, func(f api.FieldError) bool {
		return f.Code == string(gateway.CodeOutOfScope) && slices.Contains(expiryFields, f.Field)
	}) {
		return TooLong
	}
	if slices.ContainsFunc(p.Errors, func(f api.FieldError) bool {
		return slices.Contains([]string{
			"object_not_readable", "object_kms_denied", "bucket_not_found", "bucket_not_listable",
		}, f.Code)
	}) {
		return StorageRefuses
	}
	return p.Code
}

// TooLong is the result of RefusalCode for a life that is longer than the operator key or
// token allows.
const TooLong = "too_long"

// StorageRefuses is the result of RefusalCode for a field that is refused because of the
// configuration of the service or of the storage. Another value would not help.
const StorageRefuses = "storage_refuses"

// Refusal returns what to do about a refusal of the API with this code, or "" for an
// unknown code. token tells whether the operator presented a token instead of a key.
func Refusal(code string, token bool) string {
	// Nobody can change what a token may do; its grant in the configuration decides.
	if token {
		switch code {
		case string(gateway.CodeUnauthorized):
			return "get a new token for this service from the identity provider"
		case string(gateway.CodeForbidden):
			return "use a token whose grant allows this, or ask the operator of the service to extend operator.oidc.grants"
		case string(gateway.CodeOutOfScope):
			return "use a token whose grant covers this object"
		case TooLong:
			return "request a shorter life, or use a token whose grant has a longer max_expiry"
		}
	}
	switch code {
	case string(gateway.CodeUnauthorized):
		return "use a key that is listed in the service's operator.keys"
	case string(gateway.CodeForbidden):
		return "use a key that allows this, or ask the operator of the service to extend this key's \"can\""
	case string(gateway.CodeOutOfScope):
		return "use a key whose objects cover this object"
	case TooLong:
		return "request a shorter life, or use a key with a longer max_expiry"
	case StorageRefuses:
		return "check the bucket, and the storage's credentials and their rights"
	case "idempotency_conflict":
		return "use another idempotency key for this request"
	case "precondition_failed":
		return "the link has changed: read it again"
	case "ambiguous":
		return "give more characters of the ID"
	case "not_active":
		return "issue another link"
	case "rate_limited":
		return "try again in a minute; if the key is refused, check it"
	case string(gateway.CodeNotFound):
		return "check the ID of the link"
	case string(gateway.CodeInvalid), "bad_request":
		return "correct the values named above and try again"
	case "not_confirmed":
		return "repeat the request: a repeated request is confirmed like the first"
	case "unavailable":
		return "try again in a few seconds"
	}
	return ""
}
