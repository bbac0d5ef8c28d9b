package signer

import (
	"context"
	"errors"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"
)

// credentialError is an [ErrCredentials] with its cause. Its text contains no secret. The
// cause is for errors.Is and errors.As.
type credentialError struct{ cause error }

// Error implements error.
func (e *credentialError) Error() string {
	return ErrCredentials.Error() + ": " + reason(e.cause)
}

// Unwrap returns [ErrCredentials] and the cause.
func (e *credentialError) Unwrap() []error { return []error{ErrCredentials, e.cause} }

// unavailable returns err, an error of a provider, as an [ErrCredentials].
func unavailable(err error) error {
	if errors.Is(err, ErrCredentials) {
		return err
	}
	return &credentialError{cause: err}
}

// safeText marks the errors of the sources in this package. reason shows their texts,
// unless it knows that the text may contain a secret.
type safeText struct{ error }

// Unwrap returns the marked error.
func (e safeText) Unwrap() error { return e.error }

// reason describes an error without secrets. It does not repeat the text of a provider
// unless the text is known. AWS answers a bad signature with the string that was signed,
// which contains the session token. The output of a credential_process is the credential.
// The URL of a container's provider may have a token in its query.
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
