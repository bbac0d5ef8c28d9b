package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/convert"
)

// revokeLinks answers POST /api/v1/revocations.
func (a *API) revokeLinks(c echo.Context) error {
	var body api.RevocationRequest
	if err := decode(c, &body); err != nil {
		return err
	}
	filter, err := filterOfBody(&body)
	if err != nil {
		return err
	}
	q, found := filter.Query()
	if err := refuseBody(found); err != nil {
		return err
	}
	request := gateway.BulkRequest{Query: q, All: body.All, Reason: body.Reason, DryRun: body.DryRun, Cursor: body.Cursor}
	result, err := a.o.Service.RevokeAll(c.Request().Context(), actorOf(c), &request)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, api.MediaType, convert.Revocation(&result))
}
