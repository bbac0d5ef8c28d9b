package convert

import (
	"net/http"

	"keyhole/gateway"
)

// Status returns the HTTP status of an error's code (RFC 9110 section 15): 500 for a code
// that is none of the domain's.
func Status(code gateway.Code) int {
	switch code {
	case gateway.CodeBadRequest:
		return http.StatusBadRequest
	case gateway.CodeUnauthorized:
		return http.StatusUnauthorized
	case gateway.CodeForbidden, gateway.CodeOutOfScope:
		return http.StatusForbidden
	case gateway.CodeNotFound:
		return http.StatusNotFound
	case gateway.CodeMethod:
		return http.StatusMethodNotAllowed
	case gateway.CodeNotActive, gateway.CodeIdempotencyConflict, gateway.CodeAmbiguous:
		return http.StatusConflict
	case gateway.CodePrecondition:
		return http.StatusPreconditionFailed
	case gateway.CodeRateLimited:
		return http.StatusTooManyRequests
	case gateway.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case gateway.CodeMediaType:
		return http.StatusUnsupportedMediaType
	case gateway.CodeInvalid:
		return http.StatusUnprocessableEntity
	case gateway.CodeUnavailable, gateway.CodeNotConfirmed:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
