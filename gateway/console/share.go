package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/convert"
)

// shareView is the view of share.html: an object and the form that shares it.
type shareView struct {
	Object     *objectFacts // nil: Refused says why the object cannot be shared
	Refused    string
	Live       gateway.LiveCount
	LinksPath  string
	FolderPath string
	Form       shareForm
	Errors     []gateway.FieldError
	livesView
	Languages  []languageChoice
	CanPreview bool // for a single object
	Nonce      string
	More       bool // the folded options are open, because one of them is filled in
	// Selection has the objects of a form for several; nil: the form is for Object.
	Selection []selectedObject
	Shareable int // objects of the selection that can be shared
}

// objectFacts are what an operator confirms before the link exists.
type objectFacts struct {
	Path     string // s3://bucket/key
	Storage  string
	Size     int64
	Type     string
	Modified moment
	Version  string
}

// languageChoice is a language of the recipients' pages.
type languageChoice struct {
	Tag, Name string
}

// shareForm has the fields of the form as they were sent, to show them again.
type shareForm struct {
	Storage, Bucket, Key          string
	Preset, ExpiresIn, Sensitive  string
	MaxClicks, Passphrase         string
	MakePassphrase, Confirm       bool
	Filename, Disposition, Reveal string
	Allow, Labels, NotBefore      string
	Pin, Note, Language           string
}

// formOf reads the fields of a form or a query.
func formOf(v url.Values) shareForm {
	return shareForm{
		Storage: v.Get("storage"), Bucket: v.Get("bucket"), Key: v.Get("key"),
		Preset: v.Get("preset"), ExpiresIn: strings.TrimSpace(v.Get("expires_in")), Sensitive: v.Get("sensitive"),
		MaxClicks: strings.TrimSpace(v.Get("max_clicks")), Passphrase: v.Get("passphrase"),
		MakePassphrase: isOn(v.Get("make_passphrase")), Confirm: isOn(v.Get("confirm")),
		Filename: v.Get("filename"), Disposition: v.Get("disposition"), Reveal: v.Get("reveal"),
		Allow: v.Get("allow"), Labels: v.Get("labels"), NotBefore: strings.TrimSpace(v.Get("not_before")),
		Pin: v.Get("pin"), Note: v.Get("note"), Language: v.Get("language"),
	}
}

// isOn reports whether a checkbox is checked.
func isOn(value string) bool { return value != "" && value != "0" && value != "false" }

// request converts the form to the request of the domain, without a generated passphrase.
// Fields whose text cannot be converted are refused; the domain refuses all others.
func (f *shareForm) request() (gateway.IssueRequest, []gateway.FieldError) {
	var refused []gateway.FieldError
	refuse := func(field, code, message string) {
		refused = append(refused, gateway.FieldError{Field: field, Code: code, Message: message})
	}
	req := gateway.IssueRequest{
		Storage: f.Storage, Bucket: f.Bucket, Key: f.Key, Preset: f.Preset, ExpiresIn: f.ExpiresIn,
		Filename: f.Filename, Disposition: f.Disposition, Reveal: f.Reveal, Pin: f.Pin, Note: f.Note, Language: f.Language,
		Confirm: f.Confirm, Allow: lines(f.Allow),
	}
	if req.ExpiresIn != "" {
		req.Preset = "" // a typed life replaces the selected one
	}
	switch f.Sensitive {
	case "":
	case "true", "false":
		req.Sensitive = new(f.Sensitive == "true")
	default:
		refuse("sensitive", "invalid", "sensitive must be true, false or empty")
	}
	if f.MaxClicks != "" {
		n, err := strconv.ParseInt(f.MaxClicks, 10, 64)
		if err != nil {
			refuse("max_clicks", "invalid", "max_clicks must be a whole number")
		}
		req.MaxClicks = &n
	}
	if f.Passphrase != "" {
		req.Passphrase = &f.Passphrase
	}
	if f.Passphrase != "" && f.MakePassphrase {
		refuse("passphrase", "conflict", "enter a passphrase, or let the service make one, not both")
	}
	if f.NotBefore != "" {
		req.NotBefore = new(timeField(f.NotBefore))
	}
	for _, line := range lines(f.Labels) {
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			refuse("labels", "invalid", "each line of labels must have the form name=value")
			break
		}
		if req.Labels == nil {
			req.Labels = map[string]string{}
		}
		req.Labels[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return req, refused
}

// lines returns the lines of a text that are not empty, without space around them.
func lines(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			found = append(found, line)
		}
	}
	return found
}

// timeField returns the time of a field. A browser sends datetime-local without a zone and
// often without seconds; the form says that it means UTC.
func timeField(text string) string {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC().Format(time.RFC3339)
		}
	}
	return text
}

// showShare answers GET /console/share.
func (c *Console) showShare(ctx echo.Context) error {
	form := formOf(ctx.Request().URL.Query())
	return c.renderShare(ctx, http.StatusOK, form, nil, newNonce())
}

// share answers POST /console/share: a link, or the form with what is wrong.
func (c *Console) share(ctx echo.Context) error {
	if err := parseForm(ctx); err != nil {
		return err
	}
	r := ctx.Request()
	form := formOf(r.PostForm)
	nonce := cmp.Or(r.PostForm.Get("nonce"), newNonce())
	req, refused := form.request()
	if len(refused) == 0 {
		issued, passphrase, err := c.issue(r.Context(), sessionOf(ctx), req, form, nonce)
		if err == nil {
			ctx.Set(contextLink, issued.Link.ID)
			return c.renderShared(ctx, &issued, passphrase)
		}
		if used := usedNonce(err); used != nil {
			return c.renderShare(ctx, http.StatusConflict, form, used, newNonce())
		}
		known, ok := asRefusal(err)
		if !ok {
			return err
		}
		refused = fieldsOf(known)
	}
	// Nothing was issued. The nonce may be reserved for the refused values nevertheless.
	return c.renderShare(ctx, http.StatusUnprocessableEntity, form, refused, newNonce())
}

// fieldsOf returns the refused fields of an error. An error without fields is about the
// object.
func fieldsOf(known *gateway.Error) []gateway.FieldError {
	if len(known.Fields) > 0 {
		return known.Fields
	}
	return []gateway.FieldError{{Field: "key", Code: string(known.Code), Message: known.Message}}
}

// usedNonce returns what the form says if its nonce has made a link with other values, and
// nil for other errors.
func usedNonce(err error) []gateway.FieldError {
	known, ok := errors.AsType[*gateway.Error](err)
	if !ok || known.Code != gateway.CodeIdempotencyConflict {
		return nil
	}
	return []gateway.FieldError{{
		Field: "form", Code: string(known.Code),
		Message: "it has created a link with other values before; send it again to create another link",
	}}
}

// issue issues the link of a form. The nonce makes it safe to send the form twice: the
// second time shows the same link and the same passphrase.
func (c *Console) issue(
	ctx context.Context, session *admission.Session, req gateway.IssueRequest, form shareForm, nonce string,
) (issued gateway.Issued, passphrase string, err error) {
	// The service compares these bytes with those of the first request with this nonce. Other
	// bytes are a conflict and not a repetition.
	sent, err := json.Marshal(form)
	if err != nil {
		return issued, "", err
	}
	if form.MakePassphrase {
		least := c.o.Service.Limits(session.Actor).PassphraseMin
		if passphrase, err = makePassphrase(session, nonce, least); err != nil {
			return issued, "", err
		}
		req.Passphrase = &passphrase
		// With another policy.passphrase_min, the passphrase would not be that of the link.
		sent = append(sent, passphrase...)
	}
	secret := string(session.Secret("share"))
	if req.Idempotency, err = gateway.NewIdempotency(secret, nonce, sent); err != nil {
		return issued, "", err
	}
	issued, err = c.o.Service.Issue(ctx, session.Actor, &req)
	return issued, passphrase, err
}

// makePassphrase returns the passphrase of a form. The same form gets the same one, so it
// need not be stored: it is derived from a secret of the session.
func makePassphrase(session *admission.Session, nonce string, least int) (string, error) {
	// The longest passphrase takes 35 random bytes, and a secret has only 32.
	seed := slices.Concat(session.Secret("passphrase/1/"+nonce), session.Secret("passphrase/2/"+nonce))
	return gateway.MakePassphrase(bytes.NewReader(seed), least)
}

// renderShare answers with the form. It proves the object first, so that the operator sees
// what would be shared.
func (c *Console) renderShare(
	ctx echo.Context, status int, form shareForm, refused []gateway.FieldError, nonce string,
) error {
	r := ctx.Request()
	actor := actorOf(ctx)
	view := shareView{Form: form, Errors: refused, Nonce: nonce, More: form.hasMore()}
	if err := actor.Allowed(gateway.ActionIssue); err != nil {
		return err
	}
	issued, err := c.o.Service.Issue(r.Context(), actor, &gateway.IssueRequest{
		Storage: form.Storage, Bucket: form.Bucket, Key: form.Key, DryRun: true,
	})
	if err != nil {
		known, ok := errors.AsType[*gateway.Error](err)
		if !ok || known.Code == gateway.CodeUnavailable {
			return err
		}
		view.Refused = known.Message
		for _, field := range known.Fields {
			view.Refused = field.Message
		}
		return c.render(ctx, max(status, convert.Status(known.Code)), "share",
			document{Title: "Share", Section: sectionObjects, View: view})
	}
	now := c.o.Now()
	object, ref := &issued.Link.Object, issued.Link.Ref
	view.Form.Storage = ref.Storage
	view.Object = &objectFacts{
		Path: pathOf(ref.Bucket, ref.Key), Storage: ref.Storage, Size: object.Size, Type: object.ContentType,
		Modified: newMoment(object.LastModified, now), Version: object.VersionID,
	}
	view.Live = c.liveLinks(r.Context(), actor, ref.Storage, ref.Bucket, []string{ref.Key})[ref.Key]
	view.LinksPath = linksPath(linkFilter{Bucket: ref.Bucket, Key: ref.Key}, "")
	view.FolderPath = folderPath(ref.Storage, ref.Bucket, folderOf(ref.Key))
	if err := c.offer(actor, []gateway.ObjectRef{ref}, &view); err != nil {
		return err
	}
	return c.render(ctx, status, "share", document{
		Title: "Share " + view.Object.Path, Section: sectionObjects, View: view,
	})
}

// offer fills the view with the choices of the form for the objects.
func (c *Console) offer(actor *gateway.Actor, refs []gateway.ObjectRef, view *shareView) (err error) {
	if view.livesView, err = c.lives(actor, refs, c.o.Now()); err != nil {
		return err
	}
	// Only the first form: a refused one keeps the answer that was sent.
	if view.NotSensitive != "" && view.Form.Sensitive == "" && len(view.Errors) == 0 {
		view.Form.Sensitive = "true"
	}
	if view.Form.Preset == "" && view.Form.ExpiresIn == "" {
		view.Form.Preset = view.preselect(answerIndex(view.Form.Sensitive))
	}
	view.Languages, view.CanPreview = languageChoices(), c.o.RecipientPages != nil && view.Selection == nil
	return nil
}

// hasMore reports whether one of the folded options is filled in.
func (f *shareForm) hasMore() bool {
	return f.MaxClicks+f.Passphrase+f.Filename+f.Disposition+f.Reveal+f.Allow+f.Labels+f.NotBefore+f.Pin+f.Note+
		f.Language+f.ExpiresIn != "" || f.MakePassphrase || f.Confirm
}
