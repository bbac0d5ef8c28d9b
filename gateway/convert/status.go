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
	// The request is right, and the state of the link or an earlier request is against it.
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
	// The syntax is right and a value is not, unlike CodeBadRequest.
	case gateway.CodeInvalid:
		return http.StatusUnprocessableEntity
	// The same request can succeed later: an outage has no status of its own.
	case gateway.CodeUnavailable, gateway.CodeNotConfirmed:
		return http.StatusServiceUnavailable
	// Only a defect of this service has another code.
	default:
		return http.StatusInternalServerError
	}
}
