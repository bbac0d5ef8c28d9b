package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/convert"
)

// audit answers GET /api/v1/audit.
func (a *API) audit(c echo.Context) error {
	query, labels, err := queryWith(c, "label", "since", "until", "kind", "link", "bucket", "prefix", "key", "label",
		"actor", "outcome", "address", "order", "limit", "cursor")
	if err != nil {
		return err
	}
	filter := gateway.AuditFilter{
		Since: query["since"], Until: query["until"], Kind: query["kind"], Link: query["link"],
		Actor: query["actor"], Outcome: query["outcome"], Address: query["address"],
		Bucket: query["bucket"], Prefix: query["prefix"], Key: query["key"], Labels: labels, Order: query["order"],
	}
	q, found := filter.Query(a.o.FormatAddress)
	if err := refuseQuery(found); err != nil {
		return err
	}
	q.Cursor = query["cursor"]
	if q.Limit, err = limitOf(query); err != nil {
		return err
	}
	page, err := a.o.Service.Audit(c.Request().Context(), actorOf(c), q)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, api.MediaType, convert.AuditPage(&page))
}
