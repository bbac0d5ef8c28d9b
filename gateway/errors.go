package gateway

import (
	"errors"
	"fmt"
	"time"
)

// Code classifies an error for a machine. The set is closed; httpapi maps each
// code to one HTTP status, and what has no code is an internal error, logged
// and never shown.
type Code string

// The codes an operator's request can be answered with.
const (
	CodeBadRequest          Code = "bad_request"
	CodeUnauthorized        Code = "unauthorized"
	CodeForbidden           Code = "forbidden"
	CodeOutOfScope          Code = "out_of_scope"
	CodeNotFound            Code = "not_found"
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

// Error is an answer that may be shown to the operator who asked.
type Error struct {
	Code    Code
	Message string // one sentence: what is wrong and what would be right
	Fields  []FieldError
	Wait    time.Duration // of CodeRateLimited: how long to wait
	Err     error         // the cause, for the log alone
}

// FieldError names one field of a request and what is wrong with it.
type FieldError struct {
	Field   string // as it is written in the request
	Code    string // from a closed set, such as "object_not_found"
	Message string
}

// Error returns the message and, for the log, the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error with a code and a message for the operator.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// TokenReason says why a token of the identity provider admits nobody.
type TokenReason string

// The reasons of a TokenError.
const (
	TokenMalformed TokenReason = "malformed"      // no token that is understood here
	TokenKind      TokenReason = "other_kind"     // a token for something else, such as a logout
	TokenIssuer    TokenReason = "other_issuer"   // another provider's
	TokenSignature TokenReason = "bad_signature"  // no key of the provider has signed it
	TokenExpired   TokenReason = "expired"        // its time is over
	TokenNotYet    TokenReason = "not_yet_valid"  // its time has not begun
	TokenAudience  TokenReason = "other_audience" // for another service
	TokenClient    TokenReason = "other_client"   // issued to a client that is not accepted
	TokenNoName    TokenReason = "no_name"        // it does not say whose it is
)

// Signed tells whether a token with that reason is the provider's: only its signature
// was found to be right before.
func (r TokenReason) Signed() bool {
	switch r {
	case TokenExpired, TokenNotYet, TokenAudience, TokenClient, TokenNoName:
		return true
	}
	return false
}

// TokenError says why a token admits nobody.
type TokenError struct {
	Reason TokenReason
	Err    error // the cause, for the log only: it never holds the token
}

// Error returns the reason and the cause.
func (e *TokenError) Error() string { return fmt.Sprintf("%s: %v", e.Reason, e.Err) }

// Unwrap returns the cause.
func (e *TokenError) Unwrap() error { return e.Err }

// ErrIssuer comes with ErrUnavailable if the identity provider names itself otherwise
// than the configuration does: to try again does not help.
var ErrIssuer = errors.New("the identity provider has another issuer")

// The errors that a Store answers with.
var (
	// ErrNotFound means no record of that link, or none any more.
	ErrNotFound = errors.New("no such link")
	// ErrUnavailable means that Redis or a storage could not be asked, or that
	// its answer could not be trusted. Doubt is a refusal.
	ErrUnavailable = errors.New("cannot be asked")
	// ErrRecord comes with ErrUnavailable where Redis did answer, with a record
	// that this version does not understand.
	ErrRecord = errors.New("unknown record")
	// ErrCounted comes with ErrUnavailable where a click was counted and cannot be
	// delivered, because the rest of its link cannot be read.
	ErrCounted = errors.New("the click was counted")
	// ErrCursor means that a cursor was not made by this listing.
	ErrCursor = errors.New("not a cursor of this listing")
	// ErrNotConfirmed means that a change was made, but that fewer replicas than
	// promised are known to have it: it may yet be forgotten.
	ErrNotConfirmed = errors.New("not confirmed")
	// ErrEnded means that a link cannot be changed any more.
	ErrEnded = errors.New("link has ended")
	// ErrChanged means that a link is not of the revision that was to be changed.
	ErrChanged = errors.New("link has been changed since")
	// ErrNeverValid means that a link would end before it begins.
	ErrNeverValid = errors.New("link would end before it begins")
	// ErrExists means that a link of that ID has been issued before.
	ErrExists = errors.New("link exists")
)

// ChangeLimit is the limit that a change exceeds.
type ChangeLimit string

// The limits of a ChangeError.
const (
	// LimitLife means that the link would live longer than the policy allows.
	LimitLife ChangeLimit = "life"
	// LimitClicks means that more clicks are spent than the change allows.
	LimitClicks ChangeLimit = "clicks"
)

// ChangeError says which limit refuses a change. Longest and Clicks can be zero or,
// for a link that outlives a shortened policy, negative: Limit tells which one counts.
type ChangeError struct {
	Limit   ChangeLimit
	Longest time.Duration // of LimitLife: the longest life that could be given from now on
	Clicks  int64         // of LimitClicks: the clicks that were spent already
}

// Error names the limit.
func (e *ChangeError) Error() string {
	if e.Limit == LimitLife {
		return fmt.Sprintf("the life is too long: at most %s from now on", e.Longest)
	}
	return fmt.Sprintf("%d clicks are spent already", e.Clicks)
}

// The errors that Objects answers with, beside ErrUnavailable.
var (
	ErrObjectNotFound    = errors.New("object not found")
	ErrObjectNotReadable = errors.New("object not readable")
	ErrObjectArchived    = errors.New("object archived")
	ErrObjectEncrypted   = errors.New("object encrypted with a customer's key")
	ErrObjectKMS         = errors.New("object's key in KMS refused")
)

// ErrObjectChanged means that an object is not the one that was approved.
var ErrObjectChanged = errors.New("object changed")
