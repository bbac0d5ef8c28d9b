package httpapi

import (
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// The orders of the audit feed.
const (
	orderNewest = "newest"
	orderOldest = "oldest"
)

// sinceNow is the value of the parameter since for a feed that starts with the next
// event.
const sinceNow = "now"

// audit answers GET /api/v1/audit.
func (a *API) audit(c echo.Context) error {
	query, err := queryOf(c, "since", "until", "kind", "link", "order", "limit", "cursor")
	if err != nil {
		return err
	}
	q := gateway.AuditQuery{
		Kind: gateway.EventKind(query["kind"]), Oldest: query["order"] == orderOldest, Cursor: query["cursor"],
	}
	if q.Kind != "" && !slices.Contains(gateway.EventKinds(), q.Kind) {
		return gateway.Errorf(gateway.CodeBadRequest,
			"kind must be issued, changed, paused, resumed, revoked, erased, redirected, page, refused or failed")
	}
	if text, ok := query["link"]; ok {
		if q.Link, ok = gateway.ParseID(text); !ok {
			return gateway.Errorf(gateway.CodeBadRequest, "link must be the id of a link")
		}
	}
	if order, ok := query["order"]; ok && order != orderNewest && order != orderOldest {
		return gateway.Errorf(gateway.CodeBadRequest, "order must be newest or oldest")
	}
	if q.FromNow = query["since"] == sinceNow; q.FromNow {
		if !q.Oldest {
			return gateway.Errorf(gateway.CodeBadRequest, "since=now needs order=oldest")
		}
		delete(query, "since")
	}
	if q.Since, err = timeOf(query, "since"); err != nil {
		return err
	}
	if q.Until, err = timeOf(query, "until"); err != nil {
		return err
	}
	if q.Limit, err = limitOf(query); err != nil {
		return err
	}
	page, err := a.o.Service.Audit(c.Request().Context(), actorOf(c), q)
	if err != nil {
		return err
	}
	answer := api.EventPage{Events: make([]api.Event, len(page.Events)), Next: page.Next, More: page.More}
	for i := range page.Events {
		e := &page.Events[i]
		answer.Events[i] = eventJSON(&e.Event)
		answer.Events[i].Storage, answer.Events[i].Bucket, answer.Events[i].Key = e.Ref.Storage, e.Ref.Bucket, e.Ref.Key
	}
	return writeJSON(c, http.StatusOK, api.MediaType, answer)
}

// timeOf returns a time of the query, zero if the parameter is missing.
func timeOf(query map[string]string, name string) (time.Time, error) {
	text, ok := query[name]
	if !ok {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}, gateway.Errorf(gateway.CodeBadRequest,
			"%s must be a time such as 2026-11-25T08:00:00Z (RFC 3339)", name)
	}
	return t, nil
}
