package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// showOperator answers GET /api/v1/operator: who sent the request, and what that operator
// may do now. It needs no right, because it helps an operator who lacks one.
func (a *API) showOperator(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	actor := actorOf(c)
	limits := a.o.Service.Limits(actor)
	answer := api.Operator{
		Name: actor.Name, DisplayName: actor.DisplayName, AdmittedBy: api.AdmittedByKey, Grant: actor.Grant,
		Can: make([]string, len(actor.Can)), Objects: make([]string, len(actor.Objects)),
		Caps: api.Caps{
			Sensitive: gateway.FormatLife(limits.Caps.Sensitive), NotStated: gateway.FormatLife(limits.Caps.NotStated),
			NotSensitive: gateway.FormatLife(limits.Caps.NotSensitive),
		},
		Presets: make([]api.Preset, len(limits.Presets)), Version: a.o.Version,
	}
	if actor.Token {
		answer.AdmittedBy = api.AdmittedByToken
	}
	if actor.MaxExpiry > 0 {
		answer.MaxExpiry = new(gateway.FormatLife(actor.MaxExpiry))
	}
	for i, can := range actor.Can {
		answer.Can[i] = string(can)
	}
	for i, pattern := range actor.Objects {
		answer.Objects[i] = string(pattern)
	}
	for i, p := range limits.Presets {
		answer.Presets[i] = api.Preset{Name: p.Name, ExpiresIn: gateway.FormatLife(p.Life)}
	}
	return writeJSON(c, http.StatusOK, api.MediaType, answer)
}
