package gateway

import (
	"errors"
	"fmt"
	"time"
)

// Code classifies an error for programs. The set is closed. httpapi maps each code to one
// HTTP status. An error without a code is an internal error, which is logged and never
// shown.
type Code string

// The codes of errors for operators.
const (
	CodeBadRequest          Code = "bad_request"
	CodeUnauthorized        Code = "unauthorized"
	CodeForbidden           Code = "forbidden"
	CodeOutOfScope          Code = "out_of_scope"
	CodeNotFound            Code = "not_found"
	CodeAmbiguous           Code = "ambiguous"
	CodeNotActive           Code = "not_active"
	CodeIdempotencyConflict Code = "idempotency_conflict"
	CodeInvalid             Code = "invalid"
	CodeRateLimited         Code = "rate_limited"
	CodeUnavailable         Code = "unavailable"
	CodeNotConfirmed        Code = "not_confirmed"
	CodeTooLarge            Code = "too_large"
	CodeMediaType           Code = "unsupported_media_type"
	CodeMethod              Code = "method_not_allowed"
	CodePrecondition        Code = "precondition_failed"
)

// Error is an error whose Code, Message and Fields the operator may read.
type Error struct {
	Code    Code
	Message string // one sentence: what happened, and what to do
	Fields  []FieldError
	Wait    time.Duration // before the next request, for CodeRateLimited
	Err     error         // the cause, for the log only
}

// FieldError is the error in one field of a request.
type FieldError struct {
	Field   string // its name in the request
	Code    string // from a closed set, such as "object_not_found"
	Message string
}

// Error returns the message and the cause. It is for the log.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error with a code and a message for the operator.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// TokenReason is the reason why a token of the identity provider is refused.
type TokenReason string

// The reasons of a TokenError.
const (
	TokenMalformed TokenReason = "malformed"      // not a readable token
	TokenKind      TokenReason = "other_kind"     // not an access token, but a logout token for example
	TokenIssuer    TokenReason = "other_issuer"   // issued by another provider
	TokenSignature TokenReason = "bad_signature"  // no key of the provider verifies the signature
	TokenExpired   TokenReason = "expired"        // after its exp
	TokenNotYet    TokenReason = "not_yet_valid"  // before its nbf
	TokenAudience  TokenReason = "other_audience" // for another service
	TokenClient    TokenReason = "other_client"   // issued to a client that is not accepted
	TokenNoName    TokenReason = "no_name"        // does not name the operator
)

// Signed reports whether a token that is refused for this reason has a valid signature of
// the provider. The signature is checked before these reasons.
func (r TokenReason) Signed() bool {
	switch r {
	case TokenExpired, TokenNotYet, TokenAudience, TokenClient, TokenNoName:
		return true
	}
	return false
}

// TokenError means that a token is refused.
type TokenError struct {
	Reason TokenReason
	Err    error // the cause, for the log only; it never contains the token
}

// Error returns the reason and the cause.
func (e *TokenError) Error() string { return fmt.Sprintf("%s: %v", e.Reason, e.Err) }

// Unwrap returns the cause.
func (e *TokenError) Unwrap() error { return e.Err }

// ErrIssuer comes with ErrUnavailable if the identity provider states another issuer than
// the configuration. Repeating the request does not help.
var ErrIssuer = errors.New("the identity provider states another issuer than the configuration")

// The errors of a Store.
var (
	// ErrNotFound means that the store has no record of the link: it never existed, or
	// its retention is over.
	ErrNotFound = errors.New("no such link")
	// ErrUnavailable means that Redis or a storage did not answer, or that Keyhole cannot
	// trust the answer. In doubt Keyhole refuses the request.
	ErrUnavailable = errors.New("unavailable")
	// ErrRecord comes with ErrUnavailable if Redis returned a record that this version
	// cannot read.
	ErrRecord = errors.New("unknown record")
	// ErrCounted comes with ErrUnavailable if Redis counted a click but Keyhole cannot
	// redirect it, because it cannot read the rest of the link.
	ErrCounted = errors.New("the click was counted")
	// ErrCursor means that the cursor does not belong to this listing.
	ErrCursor = errors.New("not a cursor of this listing")
	// ErrNotConfirmed means that the change is made, but that fewer replicas than
	// redis.wait_replicas have confirmed it. A failover may undo the change.
	ErrNotConfirmed = errors.New("not confirmed")
	// ErrEnded means that the link has ended, so it cannot be changed.
	ErrEnded = errors.New("link has ended")
	// ErrChanged means that the link has another revision than the change requires.
	ErrChanged = errors.New("link was changed meanwhile")
	// ErrNeverValid means that the link would end before it begins.
	ErrNeverValid = errors.New("link would end before it begins")
	// ErrExists means that a link with this ID exists.
	ErrExists = errors.New("link exists")
)

// ChangeLimit names the limit that a change exceeds.
type ChangeLimit string

// The limits of a ChangeError.
const (
	// LimitLife means that the link would live longer than the policy allows.
	LimitLife ChangeLimit = "life"
	// LimitClicks means that more clicks are spent already than the change allows.
	LimitClicks ChangeLimit = "clicks"
)

// ChangeError means that a change exceeds a limit. Limit says which of the other fields
// is valid. Longest can be zero, or negative if a link outlives a shortened policy.
type ChangeError struct {
	Limit   ChangeLimit
	Longest time.Duration // for LimitLife: the longest life from now on
	Clicks  int64         // for LimitClicks: the clicks that are spent already
}

// Error returns the limit as text.
func (e *ChangeError) Error() string {
	if e.Limit == LimitLife {
		return fmt.Sprintf("the life is too long; the limit is %s from now on", e.Longest)
	}
	return fmt.Sprintf("%d clicks are spent already", e.Clicks)
}

// The errors of Objects, besides ErrUnavailable.
var (
	// ErrObjectNotFound means that the object, or the bucket, does not exist.
	ErrObjectNotFound = errors.New("object not found")
	// ErrObjectNotReadable means that the credentials may not read the object.
	ErrObjectNotReadable = errors.New("object not readable")
	// ErrObjectArchived means that the object must be restored before it can be read.
	ErrObjectArchived = errors.New("object archived")
	// ErrObjectEncrypted means that the object is encrypted with a customer-provided key
	// (SSE-C), which a presigned URL cannot contain.
	ErrObjectEncrypted = errors.New("object encrypted with a customer-provided key")
	// ErrObjectKMS means that the credentials may not use the KMS key of the object, or
	// that the key is disabled.
	ErrObjectKMS = errors.New("KMS key of the object refused")
)

// ErrObjectChanged means that an object is no longer the approved one.
var ErrObjectChanged = errors.New("object changed")
