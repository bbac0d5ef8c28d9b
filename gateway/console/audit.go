package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
)

// auditLimit is the number of events on one page of the audit.
const auditLimit = 100

// auditBudget is the number of events that one page of the audit looks at, fewer than a page
// of the API does: see listBudget.
const auditBudget = 6000

// The time ranges of the audit that end now.
const (
	rangeMinutes = "15m"
	rangeToday   = "today"
	rangeWeek    = "7d"
)

// auditFilter has the filters of the audit as they were sent.
type auditFilter struct {
	Range, Since, Until, Kind, Actor, Link, Bucket, Prefix, Key, Label, Outcome, Address string
}

// auditView is the view of audit.html.
type auditView struct {
	Filter   auditFilter
	Errors   []gateway.FieldError
	Ranges   []stateChoice
	Kinds    []stateChoice
	Outcomes []stateChoice
	Events   []auditRow
	// A page may have fewer events than the limit, or none, and still have a next page: the
	// service stops searching after a number of events, so that rare events cannot hold a
	// request up.
	Searched int    // events that the page looked at, if there may be more
	Next     string // the address of the page with older events; empty: there are none
	First    string // the address of the newest events, if this page has older ones
	Follow   string // the address of this list that follows new events; empty: it cannot
	Follows  bool   // the script refreshes the page
	Reload   string // the address of this page, for browsers without JavaScript
	Exports  []exportLink
	Limit    int  // rows of an export
	Scoped   bool // the operator sees a part of the audit
}

// refusal implements refusals.
func (v auditView) refusal(field string) string { return refusalOf(v.Errors, field) }

// Problems returns the list of refused filters. The page has a field for each filter.
func (v auditView) Problems() []problem {
	return problems(v.Errors, labelled{"range", "Time"}, labelled{"since", "From (UTC)"}, labelled{"until", "To (UTC)"},
		labelled{"kind", "Event"}, labelled{"outcome", "Outcome of a click"}, labelled{"actor", "Operator"},
		labelled{"link", "Link"}, labelled{"bucket", "Bucket"}, labelled{"prefix", "Folder or path"},
		labelled{"key", "Object"}, labelled{"label", "Label"}, labelled{"address", "Address"})
}

// Filtered reports whether a filter is set. Without one, the page hides its filters: they
// would fill the first screen of a phone.
func (v auditView) Filtered() bool {
	return v.Filter != auditFilter{}
}

// auditRow is an event in the audit.
type auditRow struct {
	eventRow
	Actor, Address string
	Reference      string // of the link; empty: the event has none
	Path           string // of the page of the link
	Object         string // s3://bucket/key; empty: unknown
}

// auditFilterOf reads the filters of a query.
func auditFilterOf(v url.Values) auditFilter {
	text := func(name string) string { return strings.TrimSpace(v.Get(name)) }
	f := auditFilter{
		Range: text("range"), Since: text("since"), Until: text("until"), Kind: text("kind"), Actor: text("actor"),
		Link: strings.ToLower(text("link")), Bucket: text("bucket"), Prefix: v.Get("prefix"), Key: v.Get("key"),
		Label: text("label"), Outcome: text("outcome"), Address: text("address"),
	}
	f.Bucket, f.Prefix = splitPath(f.Bucket, f.Prefix)
	f.Bucket, f.Key = splitKey(f.Bucket, f.Key)
	return f
}

// query returns the filters as a query, without those that are empty.
func (f *auditFilter) query() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{
		"range": f.Range, "since": f.Since, "until": f.Until, "kind": f.Kind, "actor": f.Actor, "link": f.Link,
		"bucket": f.Bucket, "prefix": f.Prefix, "key": f.Key, "label": f.Label, "outcome": f.Outcome, "address": f.Address,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return v
}

// fixed returns the filter with the time at which its range begins instead of the range. A
// cursor and an export must select the same events later on.
func (f *auditFilter) fixed(now time.Time) auditFilter {
	fixed := *f
	if since, ok := rangeStart(f.Range, now); ok {
		fixed.Range, fixed.Since = "", since
	}
	return fixed
}

// rangeStart returns the time at which a range begins.
func rangeStart(name string, now time.Time) (since string, ok bool) {
	var start time.Time
	switch name {
	case rangeMinutes:
		start = now.Add(-15 * time.Minute)
	case rangeToday:
		// A day in UTC, so that operators in several time zones get the same events.
		start = now.UTC().Truncate(24 * time.Hour)
	case rangeWeek:
		start = now.AddDate(0, 0, -7)
	default:
		return "", false
	}
	return start.UTC().Format(time.RFC3339), true
}

// auditQuery converts the filters, and returns the errors in them. With an error, the query
// must not be used: it selects too much.
func (c *Console) auditQuery(f *auditFilter, now time.Time) (gateway.AuditQuery, []gateway.FieldError) {
	fixed := f.fixed(now)
	filter := gateway.AuditFilter{
		Since: timeField(fixed.Since), Until: timeField(fixed.Until), Kind: f.Kind, Link: f.Link, Actor: f.Actor,
		Outcome: f.Outcome, Address: f.Address, Bucket: f.Bucket, Prefix: f.Prefix, Key: f.Key,
	}
	if f.Label != "" {
		filter.Labels = []string{f.Label}
	}
	q, found := filter.Query(c.o.FormatAddress)
	found = append(found, refusedPath("prefix", f.Bucket, f.Prefix)...)
	found = append(found, refusedPath("key", f.Bucket, f.Key)...)
	switch {
	case fixed.Range != "":
		found = append(found, gateway.FieldError{
			Field: "range", Code: "invalid", Message: "range must be 15m, today or 7d; set since and until for other times",
		})
	case f.Range != "" && f.Since+f.Until != "":
		found = append(found, gateway.FieldError{
			Field: "range", Code: "conflict", Message: "a range cannot be combined with since or until; choose one of them",
		})
	}
	if len(found) == 0 && q.Contradictory() {
		// The query is refused, because an empty list would look like an audit without events.
		field := "kind"
		if q.Kind == "" {
			field = "outcome"
		}
		found = append(found, gateway.FieldError{
			Field: field, Code: "conflict", Message: "no event has this kind, actor and outcome: clicks have no actor, " +
				"and events of operators have no outcome; remove one of them",
		})
	}
	return q, found
}

// showAudit answers GET /console/audit.
func (c *Console) showAudit(ctx echo.Context) error {
	r, actor, now := ctx.Request(), actorOf(ctx), c.o.Now()
	query := r.URL.Query()
	view := auditView{Filter: auditFilterOf(query), Scoped: !actor.Unrestricted(), Limit: exportLimit}
	unknown, err := c.resolveLink(ctx, &view.Filter)
	if err != nil {
		return err
	}
	q, refused := c.auditQuery(&view.Filter, now)
	if len(unknown) > 0 {
		refused = unknown // which has the more exact words about the same field
	}
	if len(refused) > 0 {
		view.Errors = refused
		return c.renderAudit(ctx, http.StatusUnprocessableEntity, view)
	}
	q.Limit, q.Cursor, q.Budget = auditLimit, query.Get("cursor"), auditBudget
	page, err := c.o.Service.Audit(r.Context(), actor, q)
	if err != nil {
		return err
	}
	for i := range page.Events {
		view.Events = append(view.Events, auditRowOf(&page.Events[i], now))
	}
	view.Searched = page.Searched
	view.addPaths(now, q.Cursor, page.Next, query.Get("follow") == "1")
	return c.renderAudit(ctx, http.StatusOK, view)
}

// addPaths fills in the addresses of other pages of the same events. cursor is that of this
// page and next that of the page after it; both may be empty.
func (v *auditView) addPaths(now time.Time, cursor, next string, follows bool) {
	filter, fixed := v.Filter.query(), v.Filter.fixed(now)
	path := func(query url.Values) string { return base + "/audit?" + query.Encode() }
	if next != "" {
		older := fixed.query()
		older.Set("cursor", next)
		v.Next = path(older)
	}
	for _, format := range exportFormats() {
		v.Exports = append(v.Exports, exportLink{
			strings.ToUpper(format), base + "/audit." + format + "?" + fixed.query().Encode(),
		})
	}
	// Only the newest page can follow new events: older pages do not change.
	if cursor != "" {
		v.First = path(filter)
		return
	}
	plain := path(filter)
	filter.Set("follow", "1")
	following := path(filter)
	v.Follows, v.Reload, v.Follow = follows, plain, following
	if follows {
		v.Reload, v.Follow = following, plain
	}
}

// resolveLink replaces the beginning of an ID in the filter by the whole ID. refused says
// why it names no link.
func (c *Console) resolveLink(ctx echo.Context, f *auditFilter) (refused []gateway.FieldError, err error) {
	prefix, ok := gateway.ParseIDPrefix(f.Link)
	if _, whole := gateway.ParseID(f.Link); whole || !ok {
		return nil, nil
	}
	link, err := c.o.Service.ShowPrefix(ctx.Request().Context(), actorOf(ctx), prefix)
	known, isKnown := errors.AsType[*gateway.Error](err)
	switch {
	case isKnown && (known.Code == gateway.CodeNotFound || known.Code == gateway.CodeAmbiguous):
		// Without the filter, the page would show the events of all links.
		return []gateway.FieldError{{Field: "link", Code: string(known.Code), Message: known.Message}}, nil
	case err != nil:
		return nil, err
	}
	f.Link = link.ID.String()
	return nil, nil
}

// renderAudit answers with the audit.
func (c *Console) renderAudit(ctx echo.Context, status int, view auditView) error {
	view.Ranges = []stateChoice{
		{"", "Any time"}, {rangeMinutes, "Last 15 minutes"}, {rangeToday, "Today (UTC)"}, {rangeWeek, "Last 7 days"},
	}
	view.Kinds = []stateChoice{{"", "Any event"}}
	for _, kind := range gateway.EventKinds() {
		view.Kinds = append(view.Kinds, stateChoice{string(kind), kindText(kind)})
	}
	view.Outcomes = []stateChoice{{"", "Any outcome"}}
	for _, outcome := range gateway.Outcomes() {
		view.Outcomes = append(view.Outcomes, stateChoice{string(outcome), outcomeText(outcome)})
	}
	return c.render(ctx, status, "audit", document{Title: "Audit", Section: sectionAudit, View: view})
}

// kindText returns the name of a kind of events in the filter.
func kindText(kind gateway.EventKind) string {
	switch kind {
	case gateway.EventRefused:
		return "Refused"
	case gateway.EventFailed:
		return "Failed"
	}
	return eventText(&gateway.Event{Kind: kind})
}

// outcomeText returns the name of an outcome in the filter.
func outcomeText(outcome gateway.Outcome) string {
	switch outcome {
	case gateway.OutcomeRedirected:
		return "the download started"
	case gateway.OutcomeResumed:
		return "the download was resumed"
	case gateway.OutcomePage:
		return "the page was shown"
	}
	return refusalText(outcome)
}

// auditRowOf returns an event as a row of the audit.
func auditRowOf(e *gateway.AuditEvent, now time.Time) auditRow {
	row := auditRow{eventRow: eventRowOf(&e.Event, now), Actor: e.Actor, Address: e.Address}
	if e.Link != (gateway.ID{}) {
		row.Reference, row.Path = e.Link.Reference(), linkPath(e.Link)
	}
	if e.Ref.Bucket != "" {
		row.Object = pathOf(e.Ref.Bucket, e.Ref.Key)
	}
	return row
}

// exportFormats returns the formats of exports, as the names of their routes end.
func exportFormats() []string { return []string{formatCSV, formatNDJSON} }
