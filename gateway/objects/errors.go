package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"keyhole/gateway"
)

// The operations of Options.Observe.
const (
	OpHeadObject  = "head_object"
	OpGetObject   = "get_object"
	OpHeadBucket  = "head_bucket"
	OpListObjects = "list_objects"
)

// The results of Options.Observe.
const (
	ResultOK       = "ok"
	ResultNotFound = "not_found"
	ResultDenied   = "denied"
	ResultTimeout  = "timeout"
	ResultError    = "error"
)

// finish reports the result of a request to the observer and returns the gateway's error
// for an error of the SDK. The storage's own text stays in the cause, for the log.
func (s *Storage) finish(operation string, start time.Time, err error) error {
	result, kind := classify(err)
	if !errors.Is(err, context.Canceled) {
		s.observe(operation, result, time.Since(start))
	}
	if err == nil {
		return nil
	}
	if errors.Is(kind, gateway.ErrUnavailable) && !errors.Is(err, context.Canceled) {
		s.health.Store(new(HealthUnavailable)) // until the next Check
	}
	return fmt.Errorf("%s: %w: %w", operation, kind, err)
}

// classify returns the result and the gateway's error for an error of S3. The codes are
// from AWS's list of S3 error responses. The answer to a HEAD has only a status.
func classify(err error) (result string, kind error) {
	if err == nil {
		return ResultOK, nil
	}
	switch code := codeOf(err); {
	case code == "InvalidObjectState":
		return ResultDenied, gateway.ErrObjectArchived
	case code == "InvalidRequest", code == "InvalidArgument" && strings.Contains(messageOf(err), "Customer provided keys"):
		// S3 and Ceph RGW answer this for an object under SSE-C (encrypted with a
		// customer's key) if the request has no key.
		return ResultDenied, gateway.ErrObjectEncrypted
	case strings.HasPrefix(code, "KMS."): // S3 returns the error code of AWS KMS
		return ResultDenied, gateway.ErrObjectKMS
	}
	switch statusOf(err) {
	case http.StatusNotFound:
		return ResultNotFound, gateway.ErrObjectNotFound
	case http.StatusMethodNotAllowed:
		// S3 answers this for a version that is a delete marker.
		return ResultNotFound, gateway.ErrObjectNotFound
	case http.StatusForbidden:
		return ResultDenied, gateway.ErrObjectNotReadable
	case http.StatusBadRequest:
		return ResultError, gateway.ErrObjectNotReadable
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return ResultTimeout, gateway.ErrUnavailable
	}
	return ResultError, gateway.ErrUnavailable
}

// refused reports whether the storage refused a request with 403. A storage also answers
// 403 if the time of the signature is wrong.
func refused(err error) bool { return err != nil && statusOf(err) == http.StatusForbidden }

// codeOf returns the code of a storage's error, or an empty string.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// messageOf returns the text of a storage's error, for errors that share a code.
func messageOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return ""
}

// statusOf returns the HTTP status of a storage's error, or 0.
func statusOf(err error) int {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}
