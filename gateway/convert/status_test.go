package convert

import (
	"net/http"
	"testing"

	"keyhole/gateway"
)

// Every code of the domain has a status that tells the client what kind of error it is.
func TestStatus(t *testing.T) {
	t.Parallel()
	for code, want := range map[gateway.Code]int{
		gateway.CodeBadRequest: 400, gateway.CodeUnauthorized: 401, gateway.CodeForbidden: 403,
		gateway.CodeOutOfScope: 403, gateway.CodeNotFound: 404, gateway.CodeMethod: 405, gateway.CodeNotActive: 409,
		gateway.CodeIdempotencyConflict: 409, gateway.CodeAmbiguous: 409, gateway.CodePrecondition: 412,
		gateway.CodeTooLarge: 413, gateway.CodeMediaType: 415, gateway.CodeInvalid: 422, gateway.CodeRateLimited: 429,
		gateway.CodeUnavailable: 503, gateway.CodeNotConfirmed: 503, "internal": http.StatusInternalServerError,
	} {
		if got := Status(code); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}

// A code that nobody knows is a defect, so that no client takes it for its own mistake.
func TestStatusOfUnknownCode(t *testing.T) {
	t.Parallel()
	for _, code := range []gateway.Code{"", "internal", "Invalid", "not-found"} {
		if got := Status(code); got != http.StatusInternalServerError {
			t.Errorf("%q: %d", code, got)
		}
	}
}
