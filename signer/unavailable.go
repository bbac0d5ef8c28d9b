package signer

import (
	"context"
	"errors"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"
)

// credentialError is an [ErrCredentials] with its cause. Its text says only
// what cannot hold a secret; the cause is there for errors.Is and errors.As.
type credentialError struct{ cause error }

// Error implements error.
func (e *credentialError) Error() string {
	return ErrCredentials.Error() + ": " + reason(e.cause)
}

// Unwrap makes the error both an [ErrCredentials] and its cause.
func (e *credentialError) Unwrap() []error { return []error{ErrCredentials, e.cause} }

// unavailable makes err, a provider's, an [ErrCredentials].
func unavailable(err error) error {
	if errors.Is(err, ErrCredentials) {
		return err
	}
	return &credentialError{cause: err}
}

// safeText marks the errors of the sources of this package, whose texts were
// read and hold no secret but where reason knows better.
type safeText struct{ error }

// Unwrap returns the error that is marked.
func (e safeText) Unwrap() error { return e.error }

// reason says what went wrong, without a word that may be secret: a provider's
// own text is not repeated unless it is known. AWS answers a bad signature
// with the string that was signed, session token included; the output of a
// credential_process is the credential; a container's address may carry a
// token in its query.
func reason(err error) string {
	var (
		api     smithy.APIError
		process *processcreds.ProviderError
		request *url.Error
		plain   safeText
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "the provider did not answer in time"
	case errors.Is(err, context.Canceled):
		return "the request was cancelled"
	case errors.As(err, &api):
		return "the provider refused with " + api.ErrorCode()
	case errors.As(err, &process):
		return "credential_process failed"
	case errors.As(err, &request):
		return "the provider cannot be reached: " + request.Err.Error()
	case errors.As(err, &plain):
		return plain.Error()
	}
	return "the provider failed"
}
