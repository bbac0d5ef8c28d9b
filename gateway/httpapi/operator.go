package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"keyhole/gateway/api"
	"keyhole/gateway/convert"
)

// showOperator answers GET /api/v1/operator: who sent the request, and what that operator
// may do now. It needs no right, because it helps an operator who lacks one.
func (a *API) showOperator(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	actor := actorOf(c)
	limits := a.o.Service.Limits(actor)
	return writeJSON(c, http.StatusOK, api.MediaType, convert.Operator(actor, &limits, a.o.Version))
}
