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

// The operations that Options.Observe is told of.
const (
	OpHeadObject  = "head_object"
	OpGetObject   = "get_object"
	OpHeadBucket  = "head_bucket"
	OpListObjects = "list_objects"
)

// The results that Options.Observe is told of.
const (
	ResultOK       = "ok"
	ResultNotFound = "not_found"
	ResultDenied   = "denied"
	ResultTimeout  = "timeout"
	ResultError    = "error"
)

// judge tells the observer how a request went and turns the SDK's error into one
// of the gateway's. The storage's own text stays in the cause, for the log.
func (s *Storage) judge(operation string, begun time.Time, err error) error {
	result, kind := classify(err)
	if !errors.Is(err, context.Canceled) {
		s.observe(operation, result, time.Since(begun))
	}
	if err == nil {
		return nil
	}
	if errors.Is(kind, gateway.ErrUnavailable) && !errors.Is(err, context.Canceled) {
		s.health.Store(new(HealthUnavailable)) // until Check finds it better
	}
	return fmt.Errorf("%s: %w: %w", operation, kind, err)
}

// classify reads what an answer of S3 means. The codes are of AWS's list of S3
// error responses; a HEAD has its status alone.
func classify(err error) (result string, kind error) {
	if err == nil {
		return ResultOK, nil
	}
	switch code := codeOf(err); {
	case code == "InvalidObjectState":
		return ResultDenied, gateway.ErrObjectArchived
	case code == "InvalidRequest", code == "InvalidArgument" && strings.Contains(messageOf(err), "Customer provided keys"):
		// What S3 says of an object under SSE-C that is asked for without its key,
		// and what Ceph RGW says.
		return ResultDenied, gateway.ErrObjectEncrypted
	case strings.HasPrefix(code, "KMS."): // handed through from AWS KMS
		return ResultDenied, gateway.ErrObjectKMS
	}
	switch statusOf(err) {
	case http.StatusNotFound:
		return ResultNotFound, gateway.ErrObjectNotFound
	case http.StatusMethodNotAllowed:
		// What S3 says of a version that is a delete marker.
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

// refused tells whether the storage refused a question, as it does one that is
// signed by a wrong time.
func refused(err error) bool { return err != nil && statusOf(err) == http.StatusForbidden }

// codeOf returns the code of a storage's error, empty where it said none.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// messageOf returns the text of a storage's error, for what no code tells apart.
func messageOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return ""
}

// statusOf returns the status of a storage's refusal, 0 where none came.
func statusOf(err error) int {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}
