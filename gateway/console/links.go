package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
)

// linksLimit is the number of links on one page of the list.
const linksLimit = 50

// listBudget is the number of links that one page of a list looks at. The API looks at more
// of them; a page has to answer within 100 ms with a million links.
const listBudget = 2000

// referenceLength is the number of characters of the reference that recipients see.
const referenceLength = 8

// liveStates selects the links that have not ended, in the form of the filter.
const liveStates = "active,paused,not_yet"

// endedStates selects the links that have ended, and anyState all links.
const (
	endedStates = "used_up,expired,revoked"
	anyState    = "active,paused,not_yet,expired,revoked,used_up"
)

// linksView is the view of links.html.
type linksView struct {
	Filter   linkFilter
	Q        string
	Wrong    string // why the text in Q finds no link
	Errors   []gateway.FieldError
	States   []stateChoice
	Uses     []stateChoice
	Views    []savedView
	Links    []linkRow
	Searched int    // entries that the page looked at, if there may be more links
	Next     string // the address of the next page; empty: this is the last page
	First    string // the address of the first page, if this is not it
	Revoke   bool   // the operator may revoke
	Exports  []exportLink
	Limit    int // rows of an export
}

// refusal implements refusals.
func (v linksView) refusal(field string) string { return refusalOf(v.Errors, field) }

// Problems returns the list of refused filters. The page has a field for each filter.
func (v linksView) Problems() []problem {
	return problems(v.Errors, labelled{"state", "State"}, labelled{"bucket", "Bucket"},
		labelled{"prefix", "Folder or path"}, labelled{"created_by", "Created by"}, labelled{"label", "Label"},
		labelled{"used", "Downloaded"}, labelled{"since", "Created since"}, labelled{"ends_within", "Ends within"},
		labelled{"ends_after", "Ends after"})
}

// View returns the name of the saved view that the list shows, or "".
func (v linksView) View() string {
	for _, view := range v.Views {
		if view.Current {
			return view.Name
		}
	}
	return ""
}

// Filtered reports whether a filter is set that is no saved view. Without one, narrow screens
// fold the views and filters, which would fill the first screen of a phone.
func (v linksView) Filtered() bool { return v.View() == "" && v.Wrong == "" }

// linkFilter has the filters of the list as they were sent.
type linkFilter struct {
	State, Bucket, Prefix, Key, CreatedBy, Label, Since, Used, EndsWithin, EndsAfter string
}

// Set reports whether a filter is set.
func (f linkFilter) Set() bool { return f != linkFilter{} }

// stateChoice is an entry of the choice of states.
type stateChoice struct {
	Value, Name string
}

// savedView is a list that many operators need.
type savedView struct {
	Name, Path string
	Current    bool
}

// exportLink is the address of the list in another format.
type exportLink struct {
	Name, Path string
}

// linkRow is a link in a list.
type linkRow struct {
	ID, Reference string
	Path          string // of its page
	Object        string // s3://bucket/key
	State         stateView
	Expires       moment
	Clicks, Max   int64
	LastUsed      moment
	CreatedBy     string
	Labels        []string
	Note          string
	CanPause      bool
	CanResume     bool
	Live          bool
	Revoked       bool
}

// stateView is a state as a word, a shape and a colour.
type stateView struct {
	Word, Icon, Class string
}

// stateOf returns how pages show a state.
func stateOf(s gateway.State) stateView {
	switch s {
	case gateway.StateActive:
		return stateView{"active", "check", "good"}
	case gateway.StatePaused:
		return stateView{"paused", "pause", "warn"}
	case gateway.StateNotYet:
		return stateView{"not yet valid", "clock", "warn"}
	case gateway.StateExpired:
		return stateView{"expired", "clock", "soft"}
	case gateway.StateRevoked:
		return stateView{"revoked", "ban", "bad"}
	case gateway.StateUsedUp:
		return stateView{"used up", "download", "soft"}
	}
	return stateView{string(s), "circle-help", "soft"}
}

// filterOf reads the filters of a query or form.
func filterOf(v url.Values) linkFilter {
	f := linkFilter{
		State: v.Get("state"), Bucket: strings.TrimSpace(v.Get("bucket")), Prefix: v.Get("prefix"), Key: v.Get("key"),
		CreatedBy: strings.TrimSpace(v.Get("created_by")), Label: strings.TrimSpace(v.Get("label")), Since: v.Get("since"),
		Used: v.Get("used"), EndsWithin: v.Get("ends_within"), EndsAfter: strings.TrimSpace(v.Get("ends_after")),
	}
	f.Bucket, f.Prefix = splitPath(f.Bucket, f.Prefix)
	f.Bucket, f.Key = splitKey(f.Bucket, f.Key)
	return f
}

// domain converts the filters to those of the domain.
func (f *linkFilter) domain() gateway.LinkFilter {
	filter := gateway.LinkFilter{
		State: f.State, Bucket: f.Bucket, Prefix: f.Prefix, Key: f.Key, CreatedBy: f.CreatedBy, Since: f.Since,
		Used: f.Used, EndsWithin: f.EndsWithin, EndsAfter: f.EndsAfter,
	}
	if f.Label != "" {
		filter.Labels = []string{f.Label}
	}
	return filter
}

// listQuery returns the query of a list, and the errors in the filters. Ended links are
// hidden unless the filter names their state.
func (f *linkFilter) listQuery() (gateway.ListQuery, []gateway.FieldError) {
	filter := f.domain()
	if filter.State == "" {
		filter.State = liveStates
	}
	q, refused := filter.Query()
	return q, append(refused, f.refusedPaths()...)
}

// bulkQuery returns the query of a bulk revocation, and the errors in the filters. A
// revocation needs the bucket of a path.
func (f *linkFilter) bulkQuery() (gateway.ListQuery, []gateway.FieldError) {
	filter := f.domain()
	q, refused := filter.Query()
	refused = append(refused, f.refusedPaths()...)
	if len(refused) == 0 && f.Bucket == "" && f.Prefix+f.Key != "" {
		refused = append(refused, gateway.FieldError{
			Field: "bucket", Code: "required",
			Message: "a path needs its bucket; go back to the list and enter the whole path, such as s3://reports/2026/",
		})
	}
	return q, refused
}

// refusedPaths returns the errors in the filters that are paths.
func (f *linkFilter) refusedPaths() []gateway.FieldError {
	return append(refusedPath("prefix", f.Bucket, f.Prefix), refusedPath("key", f.Bucket, f.Key)...)
}

// query returns the filters as a query, without those that are empty.
func (f *linkFilter) query() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{
		"state": f.State, "bucket": f.Bucket, "prefix": f.Prefix, "key": f.Key, "created_by": f.CreatedBy,
		"label": f.Label, "since": f.Since, "used": f.Used, "ends_within": f.EndsWithin,
		"ends_after": f.EndsAfter,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return v
}

// linksPath returns the address of a list.
func linksPath(f linkFilter, cursor string) string {
	v := f.query()
	if cursor != "" {
		v.Set("cursor", cursor)
	}
	if len(v) == 0 {
		return base + "/links"
	}
	return base + "/links?" + v.Encode()
}

// listLinks answers GET /console/links.
func (c *Console) listLinks(ctx echo.Context) error {
	r := ctx.Request()
	query := r.URL.Query()
	actor := actorOf(ctx)
	view := linksView{
		Filter: filterOf(query), Q: strings.TrimSpace(query.Get("q")), Revoke: may(actor, gateway.ActionRevoke),
	}
	if view.Q != "" {
		target, wrong := c.find(view.Q)
		if target != "" {
			return ctx.Redirect(http.StatusSeeOther, target)
		}
		view.Wrong = wrong
		return c.renderLinks(ctx, http.StatusUnprocessableEntity, view)
	}
	q, refused := view.Filter.listQuery()
	if len(refused) > 0 {
		view.Errors = refused
		return c.renderLinks(ctx, http.StatusUnprocessableEntity, view)
	}
	q.Limit, q.Cursor, q.Budget = linksLimit, query.Get("cursor"), listBudget
	page, err := c.o.Service.List(r.Context(), actor, q)
	if err != nil {
		return err
	}
	now := c.o.Now()
	for i := range page.Links {
		view.Links = append(view.Links, rowOf(&page.Links[i], actor, newMoment(page.Links[i].ExpiresAt, now)))
	}
	if page.Next != "" {
		view.Next, view.Searched = linksPath(view.Filter, page.Next), page.Searched
	}
	if q.Cursor != "" {
		view.First = linksPath(view.Filter, "")
	}
	return c.renderLinks(ctx, http.StatusOK, view)
}

// renderLinks answers with the list.
func (c *Console) renderLinks(ctx echo.Context, status int, view linksView) error {
	// "Any" names every state, because an empty filter hides the links that have ended.
	view.States = []stateChoice{{"", "Live"}, {anyState, "Any"}, {endedStates, "Used up or ended"}}
	for _, s := range gateway.States() {
		view.States = append(view.States, stateChoice{string(s), stateOf(s).Word})
	}
	if !slices.ContainsFunc(view.States, func(s stateChoice) bool { return s.Value == view.Filter.State }) {
		// Without a choice of its own, the next use of the form would drop the filter.
		view.States = append(view.States, stateChoice{view.Filter.State, strings.ReplaceAll(view.Filter.State, ",", ", ")})
	}
	view.Uses = []stateChoice{{"", "Any"}, {"never", "Never"}}
	views := []struct {
		name   string
		filter linkFilter
	}{
		{"All live links", linkFilter{}},
		{"Mine", linkFilter{CreatedBy: actorOf(ctx).Name}},
		{"Used up or ended", linkFilter{State: endedStates}},
		{"Never downloaded", linkFilter{Used: "never"}},
		{"Ends within 24 hours", linkFilter{EndsWithin: "24h"}},
		{"Lives longer than 24 hours", linkFilter{EndsAfter: "24h"}},
	}
	for _, v := range views {
		current := v.filter == view.Filter && view.Wrong == ""
		view.Views = append(view.Views, savedView{v.name, linksPath(v.filter, ""), current})
	}
	for _, format := range exportFormats() {
		view.Exports = append(view.Exports, exportLink{
			strings.ToUpper(format), base + "/links." + format + "?" + view.Filter.query().Encode(),
		})
	}
	view.Limit = exportLimit
	return c.render(ctx, status, "links", document{Title: "Links", Section: sectionLinks, View: view})
}

// Ended returns the address of the same list with the links that have ended, or "" if it has
// them.
func (v linksView) Ended() string {
	if v.Filter.State != "" || v.Filter.EndsWithin+v.Filter.EndsAfter != "" {
		return "" // A filter of the end excludes other states.
	}
	f := v.Filter
	f.State = anyState
	return linksPath(f, "")
}

// rowOf returns a link as a row.
func rowOf(link *gateway.Link, actor *gateway.Actor, expires moment) linkRow {
	row := linkRow{
		ID: link.ID.String(), Reference: link.ID.Reference(), Path: linkPath(link.ID),
		Object: pathOf(link.Ref.Bucket, link.Ref.Key), State: stateOf(link.State), Expires: expires,
		Clicks: link.Clicks, Max: link.MaxClicks, LastUsed: newMoment(link.LastUsedAt, expires.Now),
		CreatedBy: link.CreatedBy, Labels: labelTexts(link.Labels), Note: link.Note, Live: !link.Ended(),
		Revoked: link.State == gateway.StateRevoked,
	}
	// The service wants the right to revoke for pausing and resuming.
	if may(actor, gateway.ActionRevoke) && row.Live {
		row.CanResume = link.State == gateway.StatePaused
		row.CanPause = !row.CanResume
	}
	return row
}

// findLink answers POST /console/links: the page of the link whose URL was pasted. It comes
// by POST, so that the token is in no log.
func (c *Console) findLink(ctx echo.Context) error {
	if err := parseForm(ctx); err != nil {
		return err
	}
	q := strings.TrimSpace(ctx.Request().PostForm.Get("q"))
	target, wrong := c.find(q)
	if target == "" {
		// The text may be a token, so the page does not repeat it.
		return c.renderLinks(ctx, http.StatusUnprocessableEntity,
			linksView{Wrong: wrong, Revoke: may(actorOf(ctx), gateway.ActionRevoke)})
	}
	return ctx.Redirect(http.StatusSeeOther, target)
}

// find returns the address of the page of the link that a text names: its URL or token, its
// ID, or the beginning of its ID. wrong says why the text names none.
func (c *Console) find(text string) (target, wrong string) {
	if rest, ok := strings.CutPrefix(text, c.o.PublicURL+"/"); ok {
		text, _, _ = strings.Cut(rest, "?")
	}
	if id, ok := gateway.ParseID(strings.ToLower(text)); ok {
		return linkPath(id), ""
	}
	// A token is as long as the beginning of an ID may be, and has capitals and more digits.
	if prefix, ok := gateway.ParseIDPrefix(text); ok {
		return base + "/links/" + string(prefix), ""
	}
	if gateway.ValidToken(text) {
		return linkPath(gateway.IDOf(text)), ""
	}
	// A reference may be dictated by phone. Longer text in mixed case may be a token with a
	// mistake, which must not become a part of an address, not even in lower case.
	if prefix, ok := gateway.ParseIDPrefix(strings.ToLower(text)); ok &&
		(len(text) == referenceLength || text == strings.ToUpper(text)) {
		return base + "/links/" + string(prefix), ""
	}
	return "", "Enter the URL of a link of this service, its ID, or the reference of 8 characters that recipients see."
}
