package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/convert"
)

// maxSelection is the largest number of links that one request revokes or pauses by their
// IDs.
const maxSelection = 1000

// revocationsView is the view of revocations.html: the question before links end, and the
// report afterwards.
type revocationsView struct {
	IDs        []string // the selection; empty: the filter selects
	Filter     linkFilter
	All        bool // every link in the scope
	NeedsAll   bool // no filter is set, so the operator has to say that all links are meant
	Reason     string
	Matched    int
	UsedUp     int      // of Matched, or of Revoked in a report: only their retries are left to end
	Names      []string // of the first links of a selection
	More       int      // links of the selection that Names lacks
	Counted    bool     // Matched is complete
	First      bool     // the operator may have the links counted longer
	Searched   int      // without Counted: the links that were looked at; 0: unknown
	Revoked    int      // that all calls have ended
	Ended      int      // of a selection: links that had ended before
	Unreadable int
	Done       bool
	Stopped    bool   // an error has ended the run after Revoked links
	Cursor     string // continues the run
	Errors     []gateway.FieldError
	Back       string
}

// refusal implements refusals.
func (v revocationsView) refusal(field string) string { return refusalOf(v.Errors, field) }

// Problems returns the list of refused fields. The filters and IDs come from another page,
// so only the reason has a field, and only in the question.
func (v revocationsView) Problems() []problem {
	if v.Done || v.Stopped || v.NeedsAll || v.Refused() {
		return problems(v.Errors)
	}
	return problems(v.Errors, labelled{"reason", "Reason"})
}

// Refused reports whether the service refuses the selection itself. The page then has no
// question: only the list can correct a filter.
func (v revocationsView) Refused() bool {
	return slices.ContainsFunc(v.Errors, func(e gateway.FieldError) bool { return e.Field != "reason" })
}

// Live returns the number of links that the revocation ends, without those that were used up.
// The list hides these unless its filter names their state.
func (v revocationsView) Live() int { return v.Matched - v.UsedUp }

// LiveRevoked is Live for a report.
func (v revocationsView) LiveRevoked() int { return v.Revoked - v.UsedUp }

// Filters returns the filters of the list that select the links.
func (v revocationsView) Filters() [][2]string { return v.Filter.words() }

// bulkFields are the fields of a bulk revocation. Any other field that has a value would be
// a filter that revocation cannot apply, so it is refused.
func bulkFields() []string {
	return []string{
		"id", "what", "all", "count", "confirm", "reason", "cursor", "revoked", "used_up",
		"state", "bucket", "prefix", "key", "created_by", "label", "since", "used", "ends_within", "ends_after",
	}
}

// revokeLinks answers POST /console/revocations: first the number of links, then their end.
func (c *Console) revokeLinks(ctx echo.Context) error {
	if err := parseForm(ctx); err != nil {
		return err
	}
	form, actor := ctx.Request().PostForm, actorOf(ctx)
	if err := actor.Allowed(gateway.ActionRevoke); err != nil {
		return err
	}
	for name, values := range form {
		if !slices.Contains(bulkFields(), name) && strings.Join(values, "") != "" {
			return gateway.Invalid(name, "unknown_filter",
				"a revocation cannot apply this filter, so nothing was revoked; remove it from the list first")
		}
	}
	view := revocationsView{
		Filter: filterOf(form), All: form.Get("all") == "1", Reason: strings.TrimSpace(form.Get("reason")),
	}
	view.Back = linksPath(view.Filter, "")
	confirmed := form.Get("confirm") == "1"
	if form.Get("what") != "filter" && len(form["id"]) > 0 {
		view.IDs = form["id"]
		return c.revokeSelection(ctx, view, confirmed)
	}
	if form.Get("what") == "selected" {
		return c.nothingSelected(ctx, view.Back, "link")
	}
	return c.revokeFilter(ctx, view, form, confirmed)
}

// revokeSelection ends links by their IDs.
func (c *Console) revokeSelection(ctx echo.Context, view revocationsView, confirmed bool) error {
	ids, err := parseIDs(view.IDs)
	if err != nil {
		return err
	}
	view.Matched, view.Counted = len(ids), true
	if !confirmed {
		if err := c.nameSelection(ctx, ids, &view); err != nil {
			return err
		}
		return c.renderRevocations(ctx, http.StatusOK, view)
	}
	for _, id := range ids {
		link, err := c.o.Service.Revoke(ctx.Request().Context(), actorOf(ctx), id, view.Reason)
		if err != nil {
			return c.revocationFailed(ctx, view, err)
		}
		if link.State == gateway.StateRevoked {
			view.Revoked++
		} else {
			view.Ended++
		}
	}
	view.Done = true
	return c.renderRevocations(ctx, http.StatusOK, view)
}

// namesLimit is the number of links that the question about a selection names.
const namesLimit = 20

// nameSelection fills in which links a selection has. A link that the operator must not see
// has only its reference.
func (c *Console) nameSelection(ctx echo.Context, ids []gateway.ID, view *revocationsView) error {
	view.More = max(0, len(ids)-namesLimit)
	for _, id := range ids[:len(ids)-view.More] {
		name := id.Reference()
		object, _, err := c.objectOf(ctx.Request().Context(), actorOf(ctx), id)
		if known, ok := errors.AsType[*gateway.Error](err); err != nil && (!ok || known.Code != gateway.CodeNotFound) {
			return err
		}
		if object != "" {
			name += " " + object
		}
		view.Names = append(view.Names, name)
	}
	return nil
}

// parseIDs returns the IDs of selected links.
func parseIDs(texts []string) ([]gateway.ID, error) {
	if len(texts) > maxSelection {
		return nil, gateway.Invalid("id", "too_many", "too many links are selected; select fewer, or use a filter")
	}
	ids := make([]gateway.ID, len(texts))
	for i, text := range texts {
		id, ok := gateway.ParseID(text)
		if !ok {
			return nil, gateway.Invalid("id", "invalid", "a selected link has no valid ID")
		}
		ids[i] = id
	}
	return ids, nil
}

// revokeFilter ends all links that a filter selects, as far as one request gets. The form
// carries the sum and the cursor to the next request.
//
// A list without filters is a usual view, so a click there must not end every link: the
// operator has to say that all are meant.
func (c *Console) revokeFilter(ctx echo.Context, view revocationsView, form url.Values, confirmed bool) error {
	q, refused := view.Filter.bulkQuery()
	if len(refused) > 0 {
		view.Errors = refused
		return c.renderRevocations(ctx, http.StatusUnprocessableEntity, view)
	}
	if len(view.Filter.query()) == 0 && !view.All {
		view.NeedsAll = true
		return c.renderRevocations(ctx, http.StatusOK, view)
	}
	req := gateway.BulkRequest{
		Query: q, All: view.All, Reason: view.Reason, DryRun: !confirmed, Cursor: form.Get("cursor"),
	}
	if !confirmed {
		return c.countMatches(ctx, view, req, form.Get("count") == "all")
	}
	view.Revoked, view.UsedUp = parseCount(form.Get("revoked")), parseCount(form.Get("used_up"))
	result, err := c.o.Service.RevokeAll(ctx.Request().Context(), actorOf(ctx), &req)
	view.Revoked += result.Revoked
	view.UsedUp += min(result.UsedUp, result.Revoked)
	view.Matched, view.Unreadable = view.Revoked, result.Unreadable
	if err != nil {
		// The same part runs again. A link that has ended does not match a second time.
		view.Cursor = req.Cursor
		return c.revocationFailed(ctx, view, err)
	}
	view.Done, view.Cursor = result.Next == "", result.Next
	return c.renderRevocations(ctx, http.StatusOK, view)
}

// countMatches shows how many links a revocation would end. The first question is limited by
// firstExamine; with all, the operator has asked for the number and waits for dryRuns calls.
func (c *Console) countMatches(ctx echo.Context, view revocationsView, req gateway.BulkRequest, all bool) error {
	calls := dryRuns
	if !all {
		var err error
		if req.Examine, err = c.firstExamine(ctx.Request().Context()); err != nil {
			return err
		}
		calls, view.First = 1, true
		if req.Examine == listBudget {
			view.Searched = req.Examine
		}
	}
	sum, counted, err := c.dryRun(ctx.Request().Context(), actorOf(ctx), req, calls)
	if known, ok := asRefusal(err); ok {
		view.Errors = known.Fields
		return c.renderRevocations(ctx, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	view.Matched, view.UsedUp, view.Unreadable, view.Counted = sum.Matched, sum.UsedUp, sum.Unreadable, counted
	return c.renderRevocations(ctx, http.StatusOK, view)
}

// dryRuns is the largest number of calls that count the links, if the operator wants the
// number. A call takes about two seconds. The first question does not wait for that: see
// firstExamine.
const dryRuns = 3

// fewLinks is the number of live links up to which the first question counts all that match.
// It examines at most fewExamine index entries then, because entries of ended links stand
// between those of live ones until they are forgotten. Redis reads about 40 a millisecond.
const (
	fewLinks   = 20_000
	fewExamine = 2 * fewLinks
)

// firstExamine returns the number of index entries that the first question may examine.
func (c *Console) firstExamine(ctx context.Context) (int, error) {
	live, err := c.o.Service.Active(ctx)
	if err != nil {
		return 0, err
	}
	if live <= fewLinks {
		return fewExamine, nil
	}
	return listBudget, nil
}

// dryRun counts the links that a revocation would end, as far as a number of calls gets.
func (c *Console) dryRun(
	ctx context.Context, actor *gateway.Actor, req gateway.BulkRequest, calls int,
) (sum gateway.BulkResult, counted bool, err error) {
	for range calls {
		result, err := c.o.Service.RevokeAll(ctx, actor, &req)
		sum.Matched, sum.UsedUp, sum.Unreadable = sum.Matched+result.Matched, sum.UsedUp+result.UsedUp, result.Unreadable
		if err != nil {
			return sum, false, err
		}
		if req.Cursor = result.Next; req.Cursor == "" {
			return sum, true, nil
		}
	}
	return sum, false, nil
}

// revocationFailed answers a run that ended with an error. What it has revoked stays
// revoked, so the page says how many, and a refusal of a field stands beside it.
func (c *Console) revocationFailed(ctx echo.Context, view revocationsView, err error) error {
	known, ok := asRefusal(err)
	if !ok && view.Revoked == 0 {
		return err
	}
	status := http.StatusServiceUnavailable
	if ok {
		view.Errors, status = known.Fields, convert.Status(known.Code)
	}
	view.Stopped = view.Revoked > 0
	if len(view.Errors) == 0 {
		message := "the run has stopped before its end; send it again to revoke the rest"
		if ok {
			message = known.Message
		}
		view.Errors = []gateway.FieldError{{Field: "id", Message: message}}
	}
	c.o.Logger.Warn("bulk revocation stopped", "revoked", view.Revoked, "error", err)
	return c.renderRevocations(ctx, status, view)
}

// renderRevocations answers with the question or the report.
func (c *Console) renderRevocations(ctx echo.Context, status int, view revocationsView) error {
	return c.render(ctx, status, "revocations", document{Title: "Revoke links", Section: sectionLinks, View: view})
}

// parseCount reads a number that an earlier page has sent; a wrong one counts as 0, since
// it is only shown.
func parseCount(text string) int {
	n := 0
	for _, digit := range text {
		if digit < '0' || digit > '9' || n > 1e9 {
			return 0
		}
		n = n*10 + int(digit-'0')
	}
	return n
}
