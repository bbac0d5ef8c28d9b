package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"keyhole/gateway/api"
)

// ListOptions selects links. Empty fields select everything.
type ListOptions struct {
	State                          string // one state, or several that are separated by commas
	Bucket, Prefix, Key, CreatedBy string
	Label                          string   // name=value
	Labels                         []string // further labels; a link must have all of them
	Since                          string   // issued since: a time (RFC 3339) or an age such as 24h
	Used                           string   // "never": only links that nobody has used
	EndsWithin                     string   // a duration such as 24h: only live links that expire within it
	EndsAfter                      string   // only live links that expire after it: a time (RFC 3339) or a duration

	Cursor string
	Limit  int // entries on the page; 0: the service's default
}

// List returns one page of links.
func (c *Client) List(ctx context.Context, o ListOptions) (api.LinkPage, error) {
	query := pageQuery(o.Limit, map[string]string{
		"state": o.State, "bucket": o.Bucket, "prefix": o.Prefix, "key": o.Key,
		"created_by": o.CreatedBy, "label": o.Label, "since": o.Since, "used": o.Used, "ends_within": o.EndsWithin,
		"ends_after": o.EndsAfter,
		"cursor":     o.Cursor,
	})
	addLabels(query, o.Labels)
	return do[api.LinkPage](ctx, c, call{method: http.MethodGet, path: "/api/v1/links", query: query})
}

// pageQuery returns the query for one page. It omits empty filters and a limit of 0, so
// that the service uses its defaults.
func pageQuery(limit int, filters map[string]string) url.Values {
	query := url.Values{}
	for name, value := range filters {
		if value != "" {
			query.Set(name, value)
		}
	}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	return query
}

// addLabels adds labels to a query.
func addLabels(query url.Values, labels []string) {
	for _, label := range labels {
		query.Add("label", label)
	}
}

// AuditOptions selects events of all links. Empty fields select everything.
type AuditOptions struct {
	Since, Until time.Time
	FromNow      bool // with Oldest: events from now on, by the service's clock
	Kind         string
	Link         string // an id
	Actor        string // the name of an operator
	Outcome      string // of a click
	Address      string // an address, a network (CIDR) or a recorded hash
	// The object and labels of the link.
	Bucket, Prefix, Key string
	Labels              []string // name=value; a link must have all of them
	// Oldest returns the oldest events first. Then every page has a Next. A page without
	// More contains the newest event so far.
	Oldest bool

	Cursor string
	Limit  int // entries on the page; 0: the service's default
}

// Audit returns one page of the events of all links, newest first unless o.Oldest is set.
func (c *Client) Audit(ctx context.Context, o AuditOptions) (api.EventPage, error) {
	filters := map[string]string{
		"kind": o.Kind, "link": o.Link, "actor": o.Actor, "outcome": o.Outcome, "address": o.Address,
		"bucket": o.Bucket, "prefix": o.Prefix, "key": o.Key, "cursor": o.Cursor,
	}
	if o.Oldest {
		filters["order"] = "oldest"
	}
	if o.FromNow {
		filters["since"] = "now"
	}
	for name, t := range map[string]time.Time{"since": o.Since, "until": o.Until} {
		if !t.IsZero() {
			filters[name] = t.UTC().Format(time.RFC3339Nano)
		}
	}
	query := pageQuery(o.Limit, filters)
	addLabels(query, o.Labels)
	return do[api.EventPage](ctx, c, call{method: http.MethodGet, path: "/api/v1/audit", query: query})
}
