package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/convert"
)

// selectedObject is an object of a selection, before its link exists.
type selectedObject struct {
	Key, Path string
	Size      int64
	Sensitive bool
	Refused   string // why the object cannot be shared; empty: it can
}

// selectedKeys returns the selected keys of a form, each once, in their order.
func selectedKeys(form url.Values) ([]string, error) {
	var keys []string
	for _, key := range form["key"] {
		if key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	switch {
	case len(keys) == 0:
		return nil, gateway.Invalid("key", "required", "no object is selected; go back and select some")
	case len(keys) > gateway.MaxBatch:
		return nil, gateway.Invalid("key", "too_many", fmt.Sprintf(
			"%d objects are selected; the limit is %d; go back and select fewer", len(keys), gateway.MaxBatch))
	}
	return keys, nil
}

// showSelection answers POST /console/share/selection: the form that shares all selected
// objects. No link exists yet.
func (c *Console) showSelection(ctx echo.Context) error {
	if err := parseForm(ctx); err != nil {
		return err
	}
	form := formOf(ctx.Request().PostForm)
	if len(ctx.Request().PostForm["key"]) == 0 && form.Bucket != "" {
		folder := folderPath(form.Storage, form.Bucket, ctx.Request().PostForm.Get("prefix"))
		return c.nothingSelected(ctx, folder, "object")
	}
	keys, err := selectedKeys(ctx.Request().PostForm)
	if err != nil {
		return err
	}
	// The form for one object also has its type, its version and a file name.
	if len(keys) == 1 {
		return ctx.Redirect(http.StatusSeeOther,
			base+"/share?"+objectQuery(form.Storage, form.Bucket, keys[0]).Encode())
	}
	return c.renderSelection(ctx, http.StatusOK, form, keys, nil, newNonce())
}

// renderSelection answers with the form for several objects. It proves each object first,
// so that the operator sees what would be shared.
func (c *Console) renderSelection(
	ctx echo.Context, status int, form shareForm, keys []string, refused []gateway.FieldError, nonce string,
) error {
	form.Key = ""
	view := shareView{Form: form, Errors: refused, Nonce: nonce, More: form.hasMore()}
	results, err := c.issueSelection(ctx, keys, &gateway.BatchRequest{
		Links: requests(gateway.IssueRequest{Storage: form.Storage, Bucket: form.Bucket}, keys), DryRun: true,
	})
	if err != nil {
		return err
	}
	var refs []gateway.ObjectRef
	for i := range results {
		object := selectedObject{Key: keys[i], Path: pathOf(form.Bucket, keys[i]), Size: gateway.UnknownSize}
		if err := results[i].Err; err != nil {
			object.Refused = c.reason(err)
		} else {
			link := &results[i].Issued.Link
			object.Size, object.Sensitive = link.Object.Size, link.Sensitive != nil && *link.Sensitive
			refs = append(refs, link.Ref)
		}
		view.Selection = append(view.Selection, object)
	}
	if view.Shareable = len(refs); view.Shareable > 0 {
		if err := c.offer(actorOf(ctx), refs, &view); err != nil {
			return err
		}
	}
	title := "Share " + plural(len(keys), "object")
	return c.render(ctx, status, "share", document{Title: title, Section: sectionObjects, View: view})
}

// requests returns a request for each key with the settings of req.
func requests(req gateway.IssueRequest, keys []string) []gateway.IssueRequest {
	all := make([]gateway.IssueRequest, len(keys))
	for i, key := range keys {
		all[i] = req
		all[i].Key = key
	}
	return all
}

// issueSelection issues links. Like the API, it counts each of them as a request of the
// operator.
func (c *Console) issueSelection(
	ctx echo.Context, keys []string, batch *gateway.BatchRequest,
) ([]gateway.BatchResult, error) {
	session := sessionOf(ctx)
	if err := session.Actor.Allowed(gateway.ActionIssue); err != nil {
		return nil, err
	}
	if n := len(keys); n > 1 {
		if err := c.o.Sessions.Charge(session, n-1); err != nil { // requireSession has counted one
			return nil, err
		}
	}
	return c.o.Service.IssueBatch(ctx.Request().Context(), session.Actor, batch)
}

// reason says in words why a link of a selection was not issued. The text of an error that
// is a defect of this service goes only to the log.
func (c *Console) reason(err error) string {
	known, ok := errors.AsType[*gateway.Error](err)
	switch {
	case !ok:
		c.o.Logger.Error("link of a selection was not issued", "error", err)
		return "the service has made a mistake"
	case known.Code == gateway.CodeUnavailable, known.Code == gateway.CodeNotConfirmed:
		return "Redis or the storage did not answer in time"
	case len(known.Fields) > 0:
		return known.Fields[0].Message
	}
	return known.Message
}

// shareSelection answers POST /console/share/batch: one link for each object, or the form
// with what is wrong.
func (c *Console) shareSelection(ctx echo.Context) error {
	if err := parseForm(ctx); err != nil {
		return err
	}
	sent := ctx.Request().PostForm
	form, nonce := formOf(sent), cmp.Or(sent.Get("nonce"), newNonce())
	form.Key = ""
	keys, err := selectedKeys(sent)
	if err != nil {
		return err
	}
	req, refused := form.request()
	if form.Filename != "" {
		refused = append(refused, gateway.FieldError{
			// Refused and not dropped: the operator wanted recipients to get this name.
			Field: "filename", Code: "conflict", Message: "several objects cannot have the same file name",
		})
	}
	if len(refused) > 0 {
		return c.renderSelection(ctx, http.StatusUnprocessableEntity, form, keys, refused, nonce)
	}
	batch, passphrase, err := c.batchOf(sessionOf(ctx), req, form, keys, nonce)
	if err != nil {
		return err
	}
	results, err := c.issueSelection(ctx, keys, batch)
	if err != nil {
		return err
	}
	if refused = commonRefusal(results); len(refused) > 0 {
		// Nothing was issued, so the nonce is not used.
		return c.renderSelection(ctx, http.StatusUnprocessableEntity, form, keys, refused, nonce)
	}
	return c.renderBatch(ctx, keys, results, passphrase)
}

// batchOf returns the request for the links of a selection. The nonce makes it safe to send
// the form twice: the second time shows the same links and the same passphrase, and issues
// those that the first time did not issue.
func (c *Console) batchOf(
	session *admission.Session, req gateway.IssueRequest, form shareForm, keys []string, nonce string,
) (batch *gateway.BatchRequest, passphrase string, err error) {
	sent, err := json.Marshal(struct {
		Form shareForm
		Keys []string
	}{form, keys})
	if err != nil {
		return nil, "", err
	}
	if form.MakePassphrase {
		least := c.o.Service.Limits(session.Actor).PassphraseMin
		if passphrase, err = makePassphrase(session, nonce, least); err != nil {
			return nil, "", err
		}
		req.Passphrase = &passphrase
		// With another policy.passphrase_min, the passphrase would not be that of the links.
		sent = append(sent, passphrase...)
	}
	batch = &gateway.BatchRequest{Links: requests(req, keys)}
	batch.Idempotency, err = gateway.NewIdempotency(string(session.Secret("share")), nonce, sent)
	return batch, passphrase, err
}

// commonRefusal returns the refused fields of a batch of which every link was refused for
// the same settings. The form then shows them. It returns nil if a link was issued, or if
// one was refused for its object.
func commonRefusal(results []gateway.BatchResult) []gateway.FieldError {
	var common []gateway.FieldError
	for i := range results {
		known, ok := errors.AsType[*gateway.Error](results[i].Err)
		if !ok || len(known.Fields) == 0 {
			return nil
		}
		for _, field := range known.Fields {
			if slices.Contains([]string{"key", "bucket", "storage"}, field.Field) {
				return nil
			}
			if refusalOf(common, field.Field) == "" {
				common = append(common, field)
			}
		}
	}
	return common
}

// batchView is the view of batch.html: the links of a selection, shown once.
type batchView struct {
	Shared     []sharedRow
	Refused    []selectedObject
	URLs       string // all of them, one a line
	Passphrase string // that the service made, the same for all links; empty: none
	Warnings   []gateway.Warning
	Again      []formField // the form, if sending it again can issue more links
}

// sharedRow is a link of a selection.
type sharedRow struct {
	Number              int
	Path, URL, LinkPath string
	Expires             moment
}

// renderBatch answers with the links of a selection, and with the objects that have none.
func (c *Console) renderBatch(
	ctx echo.Context, keys []string, results []gateway.BatchResult, passphrase string,
) error {
	sent := ctx.Request().PostForm
	view, status := batchView{}, http.StatusOK
	for i := range results {
		path := pathOf(sent.Get("bucket"), keys[i])
		if err := results[i].Err; err != nil {
			view.Refused = append(view.Refused, selectedObject{Key: keys[i], Path: path, Refused: c.reason(err)})
			known, ok := errors.AsType[*gateway.Error](err)
			if again := !ok || convert.Status(known.Code) == http.StatusServiceUnavailable; again && view.Again == nil {
				view.Again = repeatOf(ctx).Fields
			}
			continue
		}
		link := &results[i].Issued.Link
		row := sharedRow{
			Number: len(view.Shared) + 1, Path: path, URL: c.o.PublicURL + "/" + results[i].Issued.Token,
			LinkPath: linkPath(link.ID), Expires: newMoment(link.ExpiresAt, c.o.Now()),
		}
		view.Shared, view.URLs = append(view.Shared, row), view.URLs+row.URL+"\n"
		for _, warning := range link.Warnings {
			if !slices.Contains(view.Warnings, warning) {
				view.Warnings = append(view.Warnings, warning)
			}
		}
	}
	switch {
	case len(view.Shared) > 0:
		view.Passphrase = passphrase
	case view.Again != nil:
		status = http.StatusServiceUnavailable
	default:
		status = http.StatusUnprocessableEntity
	}
	c.o.Logger.Info("selection shared", "actor", actorOf(ctx).Name, "links", len(results), "issued", len(view.Shared))
	return c.render(ctx, status, "batch", document{
		Title: "Shared " + plural(len(view.Shared), "object"), Section: sectionObjects, View: view,
	})
}
