package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// revokeLinks answers POST /api/v1/revocations.
func (a *API) revokeLinks(c echo.Context) error {
	var body api.RevocationRequest
	if err := decode(c, &body); err != nil {
		return err
	}
	request := gateway.BulkRequest{All: body.All, Reason: body.Reason, DryRun: body.DryRun, Cursor: body.Cursor}
	for _, f := range []struct {
		name  string
		asked *string
		into  *string
	}{
		{"bucket", body.Bucket, &request.Bucket},
		{"prefix", body.Prefix, &request.Prefix},
		{"key", body.Key, &request.Key},
		{"created_by", body.CreatedBy, &request.CreatedBy},
	} {
		if f.asked == nil {
			continue
		}
		if *f.asked == "" { // an empty filter would select every link
			return gateway.Invalid(f.name, "empty", "the filter is empty; omit it or give it a value")
		}
		*f.into = *f.asked
	}
	if body.Label != nil {
		var ok bool
		if request.LabelName, request.LabelValue, ok = splitLabel(*body.Label); !ok {
			return gateway.Invalid("label", "invalid", "a label must have the form name=value")
		}
	}
	result, err := a.o.Service.RevokeAll(c.Request().Context(), actorOf(c), &request)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, api.MediaType, api.Revocation{
		Matched: result.Matched, Revoked: result.Revoked, Unreadable: result.Unreadable,
		Done: result.Done, Next: result.Next,
	})
}
