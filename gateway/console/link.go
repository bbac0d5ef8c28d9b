package console

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/convert"
	"keyhole/gateway/explain"
)

// eventsLimit is the number of events on one page of a link's timeline.
const eventsLimit = 100

// linkView is the view of link.html.
type linkView struct {
	ID, Reference string
	Path          string // of this page
	Object        string // s3://bucket/key
	Storage       string
	ObjectPath    string // of the folder of the object
	Size          int64
	Type          string
	State         stateView
	Live          bool
	UsedUp        bool // and not revoked: a revocation ends only the retries
	HasPassphrase bool
	Created       moment
	Expires       moment
	NotBefore     moment
	Revoked       moment
	RevokedBy     string
	RevokeReason  string
	LastUsed      moment
	Clicks, Max   int64
	CreatedBy     string
	Sender        string
	Audience      string
	Restrictions  [][]string
	Sensitivity   string
	Pin           string
	Language      string
	Note          string
	Labels        []string
	Paused        bool
	Revision      string
	CanChange     bool
	CanRevoke     bool
	CanShare      bool
	CanPreview    bool
	SharePath     string // of the form with the same settings
	StillWorks    moment // until then URLs may work that were handed out before the revocation
	Refusal       *eventRow
	Others        []linkRow // live links of the same object
	MoreOthers    bool
	OthersPath    string
	Done          string // what the last request has changed
	Warnings      []gateway.Warning
	Notes         []gateway.Note
	Form          changeForm
	Errors        []gateway.FieldError
	Conflict      []difference // if another operator was faster
	Days          []day
	Chart         *chartView
	Next          string // the address of older events; empty: there are none
}

// refusal implements refusals.
func (v linkView) refusal(field string) string { return refusalOf(v.Errors, field) }

// Problems returns the list of refused fields.
func (v linkView) Problems() []problem {
	if !v.CanChange {
		return problems(v.Errors) // without a form
	}
	return problems(v.Errors, labelled{"expires_in", "Ends after, from now on"},
		labelled{"max_clicks", "Number of downloads"}, labelled{"note", "Note for the recipient"},
		labelled{"labels", "Labels"},
		labelled{"allow", "Only from these networks"}, labelled{"not_before", "Works from (UTC)"},
		labelled{"language", "Language of the recipient"}, labelled{"passphrase", "New passphrase"})
}

// Renewed reports whether the last request has changed the terms of the link.
func (v linkView) Renewed() bool { return v.Done == doneText("changed") }

// day is the events of one day, newest first.
type day struct {
	Date   string
	Events []eventRow
}

// eventRow is an event in a timeline.
type eventRow struct {
	At      moment
	What    string // in words
	Class   string
	Who     string // the operator, or the address of the recipient
	Outcome string // the code of a refusal; empty: none
	Reason  string
}

// showLink answers GET /console/links/{id}, also for the beginning of an ID.
func (c *Console) showLink(ctx echo.Context) error {
	if prefix, ok := gateway.ParseIDPrefix(ctx.Param("id")); ok {
		link, err := c.o.Service.ShowPrefix(ctx.Request().Context(), actorOf(ctx), prefix)
		if err != nil {
			return err
		}
		// The beginning of an ID may name several links tomorrow, so the address in the
		// browser has the whole ID.
		return ctx.Redirect(http.StatusSeeOther, linkPath(link.ID))
	}
	id, err := linkID(ctx)
	if err != nil {
		return err
	}
	link, err := c.o.Service.Show(ctx.Request().Context(), actorOf(ctx), id)
	if err != nil {
		return err
	}
	return c.renderLink(ctx, http.StatusOK, &link, linkView{
		Form: changeFormOf(&link), Done: doneText(ctx.QueryParam("done")),
	})
}

// linkID returns the ID in the path.
func linkID(ctx echo.Context) (gateway.ID, error) {
	id, ok := gateway.ParseID(ctx.Param("id"))
	if !ok {
		return id, gateway.Errorf(gateway.CodeNotFound, "there is no such link in the scope of this key")
	}
	ctx.Set(contextLink, id)
	return id, nil
}

// renderLink answers with the page of a link. view has what the request adds to it.
func (c *Console) renderLink(ctx echo.Context, status int, link *gateway.Link, view linkView) error {
	now, actor := c.o.Now(), actorOf(ctx)
	c.describeLink(link, actor, now, &view)
	cursor := ctx.Request().URL.Query().Get("cursor")
	events, err := c.o.Service.Events(ctx.Request().Context(), actor, link.ID, cursor, eventsLimit)
	if err != nil {
		return err
	}
	view.Days = timeline(events.Events, now)
	if view.UsedUp {
		view.nameEndOfRetries()
	}
	view.Chart = chartOf(events.Events, link, now)
	view.StillWorks = c.stillWorks(link, now)
	if cursor == "" { // older pages have older refusals only
		view.Refusal = lastRefusal(events.Events, now)
	}
	if view.Others, view.MoreOthers, err = c.otherLinks(ctx.Request().Context(), actor, link, now); err != nil {
		return err
	}
	view.OthersPath = linksPath(linkFilter{Bucket: link.Ref.Bucket, Key: link.Ref.Key}, "")
	if events.Next != "" {
		view.Next = view.Path + "?cursor=" + url.QueryEscape(events.Next)
	}
	return c.render(ctx, status, "link", document{
		Title: "Link " + view.Reference, Section: sectionLinks, View: view,
	})
}

// describeLink fills the view with the properties of a link.
func (c *Console) describeLink(link *gateway.Link, actor *gateway.Actor, now time.Time, view *linkView) {
	document := convert.Link(link)
	view.ID, view.Reference, view.Path = link.ID.String(), link.ID.Reference(), linkPath(link.ID)
	view.Object, view.Storage = pathOf(link.Ref.Bucket, link.Ref.Key), link.Ref.Storage
	view.ObjectPath = folderPath(link.Ref.Storage, link.Ref.Bucket, folderOf(link.Ref.Key))
	view.Size, view.Type = link.Object.Size, link.Object.ContentType
	view.State, view.Live, view.Paused = stateOf(link.State), !link.Ended(), link.State == gateway.StatePaused
	view.UsedUp, view.HasPassphrase = link.State == gateway.StateUsedUp, link.Passphrase
	view.Created, view.Expires = newMoment(link.CreatedAt, now), newMoment(link.ExpiresAt, now)
	view.NotBefore, view.LastUsed = newMoment(link.NotBefore, now), newMoment(link.LastUsedAt, now)
	view.Revoked, view.RevokedBy, view.RevokeReason = newMoment(link.RevokedAt, now), link.RevokedBy, link.RevokeReason
	view.Clicks, view.Max, view.CreatedBy, view.Sender = link.Clicks, link.MaxClicks, link.CreatedBy, link.SenderName()
	view.Audience, view.Restrictions = explain.Audience(&document), explain.Restrictions(&document)
	for _, line := range view.Restrictions {
		if line[0] == "uses" { // as on the page of a new link
			line[0] = "downloads allowed"
		}
	}
	view.Sensitivity, view.Pin = explain.Sensitivity(link.Sensitive), explain.Pin(&document)
	if link.Language != "" {
		view.Language = explain.Language(link.Language)
	}
	view.Note, view.Labels, view.Revision = link.Note, labelTexts(link.Labels), link.Revision
	view.CanChange = view.Live && may(actor, gateway.ActionIssue)
	// A used-up link still lets recipients resume downloads. Revocation ends that too.
	view.CanRevoke = may(actor, gateway.ActionRevoke) && (view.Live || view.UsedUp)
	view.CanShare = may(actor, gateway.ActionIssue)
	view.CanPreview = c.o.RecipientPages != nil && link.State == gateway.StateActive && link.NeedsConfirmation()
	view.SharePath = base + "/share?" + settingsOf(link, now).Encode()
}

// retriesEnded says what a revocation has done to a used-up link, whose state stays.
const retriesEnded = "The remaining retries were ended"

// nameEndOfRetries describes the revocation of a used-up link, which ends nothing but its
// retries. The page does not offer it again.
func (v *linkView) nameEndOfRetries() {
	for _, day := range v.Days {
		for i := range day.Events {
			if row := &day.Events[i]; row.What == eventText(&gateway.Event{Kind: gateway.EventRevoked}) {
				row.What, v.CanRevoke = retriesEnded, false
			}
		}
	}
	if v.Done == doneText("revoked") {
		v.Done = retriesEnded + "."
	}
}

// labelTexts returns labels as name=value, sorted.
func labelTexts(labels map[string]string) []string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		texts = append(texts, name+"="+labels[name])
	}
	return texts
}

// timeline groups events, newest first, by day.
func timeline(events []gateway.Event, now time.Time) []day {
	var days []day
	for i := range events {
		e := &events[i]
		date := e.Time.UTC().Format("Monday, 2 January 2006")
		if len(days) == 0 || days[len(days)-1].Date != date {
			days = append(days, day{Date: date})
		}
		last := &days[len(days)-1]
		last.Events = append(last.Events, eventRowOf(e, now))
	}
	return days
}

// eventRowOf returns an event as a row.
func eventRowOf(e *gateway.Event, now time.Time) eventRow {
	row := eventRow{At: newMoment(e.Time, now), What: eventText(e), Who: e.Address, Reason: e.Reason}
	if e.Actor != "" {
		row.Who = e.Actor
		if e.Address != "" {
			row.Who += " from " + e.Address
		}
	}
	switch e.Kind {
	case gateway.EventRedirected:
		row.Class = "good"
	case gateway.EventRefused, gateway.EventFailed:
		row.Class, row.Outcome = "bad", string(e.Outcome)
	}
	return row
}

// changed answers a change of a link: its page, or its page with what is wrong.
func (c *Console) changed(
	ctx echo.Context, id gateway.ID, link gateway.Link, err error, form *changeForm, done string,
) error {
	if err == nil {
		if len(link.Warnings)+len(link.Notes) == 0 {
			// After 303, reloading the page does not send the change again. A redirect would
			// lose warnings, so the answer to the POST shows them.
			return ctx.Redirect(http.StatusSeeOther, linkPath(id)+"?done="+url.QueryEscape(done))
		}
		return c.renderLink(ctx, http.StatusOK, &link, linkView{
			Done: doneText(done), Warnings: link.Warnings, Notes: link.Notes, Form: changeFormOf(&link),
		})
	}
	known, ok := errors.AsType[*gateway.Error](err)
	if !ok || form == nil || known.Code != gateway.CodeInvalid && known.Code != gateway.CodePrecondition {
		return err
	}
	now, err := c.o.Service.Show(ctx.Request().Context(), actorOf(ctx), id)
	if err != nil {
		return err
	}
	view := linkView{Form: *form, Errors: known.Fields}
	if known.Code == gateway.CodePrecondition {
		view.Conflict = form.differences(&now)
		// The page shows the differences. If the operator sends the form again, it replaces
		// the values that it has shown.
		view.Form.Revision = formRevision(now.Revision)
	}
	return c.renderLink(ctx, convert.Status(known.Code), &now, view)
}

// pauseLink answers POST /console/links/{id}/pause, resumeLink the one of resume.
func (c *Console) pauseLink(ctx echo.Context) error { return c.setPaused(ctx, true, "paused") }

func (c *Console) resumeLink(ctx echo.Context) error { return c.setPaused(ctx, false, "resumed") }

// setPaused pauses or resumes a link.
func (c *Console) setPaused(ctx echo.Context, paused bool, done string) error {
	id, err := linkID(ctx)
	if err != nil {
		return err
	}
	link, err := c.o.Service.Change(ctx.Request().Context(), actorOf(ctx), id, &gateway.ChangeRequest{Paused: &paused})
	return c.changed(ctx, id, link, err, nil, done)
}

// revokeView is the view of revoke.html: the question before a link ends.
type revokeView struct {
	Path, Object, Reference, Reason string
	UsedUp                          bool // only the retries are left to end
	Errors                          []gateway.FieldError
}

// refusal implements refusals.
func (v revokeView) refusal(field string) string { return refusalOf(v.Errors, field) }

// Problems returns the list of refused fields.
func (v revokeView) Problems() []problem { return problems(v.Errors, labelled{"reason", "Reason"}) }

// revokeLink answers POST /console/links/{id}/revoke: first with a question, then with the
// end of the link.
func (c *Console) revokeLink(ctx echo.Context) error {
	id, err := linkID(ctx)
	if err != nil {
		return err
	}
	if err := parseForm(ctx); err != nil {
		return err
	}
	r, actor := ctx.Request(), actorOf(ctx)
	if err := actor.Allowed(gateway.ActionRevoke); err != nil {
		return err
	}
	reason := strings.TrimSpace(r.PostForm.Get("reason"))
	view := revokeView{Path: linkPath(id), Reference: id.Reference(), Reason: reason}
	status := http.StatusOK
	if r.PostForm.Get("confirm") == "1" {
		link, err := c.o.Service.Revoke(r.Context(), actor, id, reason)
		if err == nil {
			return c.changed(ctx, id, link, nil, nil, "revoked")
		}
		known, ok := errors.AsType[*gateway.Error](err)
		if !ok || known.Code != gateway.CodeInvalid {
			return err
		}
		view.Errors, status = known.Fields, http.StatusUnprocessableEntity
	}
	if view.Object, view.UsedUp, err = c.objectOf(r.Context(), actor, id); err != nil {
		return err
	}
	return c.render(ctx, status, "revoke", document{Title: "Revoke a link", Section: sectionLinks, View: view})
}

// objectOf returns the object of a link as s3://bucket/key, and whether the link is used up, if
// the operator may read links.
func (c *Console) objectOf(
	ctx context.Context, actor *gateway.Actor, id gateway.ID,
) (object string, usedUp bool, err error) {
	if !may(actor, gateway.ActionRead) {
		return "", false, nil
	}
	link, err := c.o.Service.Show(ctx, actor, id)
	if err != nil {
		return "", false, err
	}
	return pathOf(link.Ref.Bucket, link.Ref.Key), link.State == gateway.StateUsedUp, nil
}

// doneText says what a change has done, or "" for an unknown word. Anyone can send an
// operator an address with another text, which the page must not state as its own (OWASP,
// content spoofing).
func doneText(done string) string {
	if slices.Contains([]string{"changed", "paused", "resumed", "revoked"}, done) {
		return "The link was " + done + "."
	}
	return ""
}
