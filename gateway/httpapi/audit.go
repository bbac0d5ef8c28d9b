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
	query, labels, err := queryWith(c, "label", "since", "until", "kind", "link", "bucket", "prefix", "key", "label",
		"actor", "outcome", "address", "order", "limit", "cursor")
	if err != nil {
		return err
	}
	q, err := a.auditFilters(query, labels)
	if err != nil {
		return err
	}
	q.Oldest, q.Cursor = query["order"] == orderOldest, query["cursor"]
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
	if page.Next != "" {
		answer.Searched = page.Searched
	}
	for i := range page.Events {
		e := &page.Events[i]
		answer.Events[i] = eventJSON(&e.Event)
		answer.Events[i].Storage, answer.Events[i].Bucket, answer.Events[i].Key = e.Ref.Storage, e.Ref.Bucket, e.Ref.Key
	}
	return writeJSON(c, http.StatusOK, api.MediaType, answer)
}

// auditFilters returns the filters of events other than their time. The filters of links
// have the rules of a list of links.
func (a *API) auditFilters(query map[string]string, labels []string) (q gateway.AuditQuery, err error) {
	filter := linkFilter{bucket: query["bucket"], prefix: query["prefix"], key: query["key"], labels: labels}
	links, err := filter.query(refuseQuery)
	if err != nil {
		return q, err
	}
	q = gateway.AuditQuery{
		Kind: gateway.EventKind(query["kind"]), Actor: query["actor"], Outcome: gateway.Outcome(query["outcome"]),
		Bucket: links.Bucket, Prefix: links.Prefix, Key: links.Key, Labels: links.Labels,
	}
	if q.Kind != "" && !slices.Contains(gateway.EventKinds(), q.Kind) {
		return q, gateway.Errorf(gateway.CodeBadRequest,
			"kind must be issued, changed, paused, resumed, revoked, erased, redirected, page, refused or failed")
	}
	if q.Outcome != "" && !slices.Contains(gateway.Outcomes(), q.Outcome) {
		return q, gateway.Errorf(gateway.CodeBadRequest,
			"outcome must be the outcome of a click, such as redirected or expired")
	}
	if text, ok := query["link"]; ok {
		if q.Link, ok = gateway.ParseID(text); !ok {
			return q, gateway.Errorf(gateway.CodeBadRequest, "link must be the id of a link")
		}
	}
	if text, ok := query["address"]; ok {
		if q.Address, err = gateway.ParseAddressFilter(text, a.o.FormatAddress); err != nil {
			return q, gateway.Errorf(gateway.CodeBadRequest,
				"address must be an address such as 192.0.2.7, a network such as 192.0.2.0/24, or a hash as the audit shows it")
		}
	}
	return q, nil
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
