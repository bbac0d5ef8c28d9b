package console

import (
	"encoding/base64"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/explain"
)

// changeForm has the fields of the form that changes a link, as they were sent.
type changeForm struct {
	ExpiresIn, MaxClicks, Note, Labels, Allow, NotBefore, Passphrase, Language string
	RemovePassphrase                                                           bool
	Revision                                                                   string
}

// changeFormOf returns the form with the present values of a link.
func changeFormOf(link *gateway.Link) changeForm {
	f := changeForm{
		Note: link.Note, Labels: strings.Join(labelTexts(link.Labels), "\n"), Language: link.Language,
		Allow: strings.Join(networkTexts(link.Allow), "\n"), Revision: formRevision(link.Revision),
	}
	if link.MaxClicks > 0 {
		f.MaxClicks = strconv.FormatInt(link.MaxClicks, 10)
	}
	if !link.NotBefore.IsZero() {
		f.NotBefore = link.NotBefore.UTC().Format(time.RFC3339)
	}
	return f
}

// formRevision returns a revision as text for a form. A revision is any bytes, and a page
// would replace those that are not UTF-8.
func formRevision(revision string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(revision))
}

// revisionOf returns the revision of a form. That of a forged text is none of any link.
func revisionOf(text string) string {
	revision, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return ""
	}
	return string(revision)
}

// Languages returns the languages that the form offers.
func (v linkView) Languages() []languageChoice { return languageChoices() }

// languageChoices returns the languages of the recipients' pages.
func languageChoices() []languageChoice {
	var choices []languageChoice
	for _, tag := range gateway.Languages() {
		choices = append(choices, languageChoice{tag, explain.Language(tag)})
	}
	return choices
}

// networkTexts returns networks as text.
func networkTexts(networks []netip.Prefix) []string {
	texts := make([]string, len(networks))
	for i, network := range networks {
		texts[i] = network.String()
	}
	return texts
}

// changeOf reads the fields of the form. before is the form with the values that the page
// showed: only a field with another value is a part of the change.
func changeOf(v url.Values, before *changeForm) (changeForm, gateway.ChangeRequest, []gateway.FieldError) {
	f := changeForm{
		ExpiresIn: strings.TrimSpace(v.Get("expires_in")), MaxClicks: strings.TrimSpace(v.Get("max_clicks")),
		Note: v.Get("note"), Labels: v.Get("labels"), Allow: v.Get("allow"),
		NotBefore: strings.TrimSpace(v.Get("not_before")), Passphrase: v.Get("passphrase"), Language: v.Get("language"),
		RemovePassphrase: isOn(v.Get("remove_passphrase")), Revision: v.Get("revision"),
	}
	var req gateway.ChangeRequest
	var refused []gateway.FieldError
	if f.Revision != "" {
		req.IfMatch = []string{revisionOf(f.Revision)}
	}
	if f.ExpiresIn != "" {
		req.ExpiresIn = &f.ExpiresIn
	}
	if v.Has("max_clicks") && f.MaxClicks != before.MaxClicks {
		n, err := strconv.ParseInt(f.MaxClicks, 10, 64)
		if err != nil {
			refused = append(refused, gateway.FieldError{
				Field: "max_clicks", Code: "invalid", Message: "max_clicks must be a whole number; a limit cannot be removed",
			})
		}
		req.MaxClicks = &n
	}
	// A browser sends a text field also if it is empty (HTML Standard, "constructing the entry
	// list"). A field that is missing was not in the form, so it stays as it is.
	if v.Has("note") && unixLines(f.Note) != unixLines(before.Note) {
		req.Note = new(unixLines(f.Note))
	}
	if v.Has("labels") && unixLines(f.Labels) != unixLines(before.Labels) {
		labels, wrong := gateway.ParseLabels("labels", lines(f.Labels))
		if labels == nil {
			// An emptied field removes all labels.
			labels = map[string]string{}
		}
		req.Labels, refused = &labels, append(refused, wrong...)
	}
	if !v.Has("language") {
		f.Language = before.Language
	} else if f.Language != before.Language {
		req.Language = &f.Language
	}
	f.changeAccess(v, before, &req)
	return f, req, refused
}

// changeAccess adds the fields that decide who may use the link. An emptied field removes
// its restriction.
func (f *changeForm) changeAccess(v url.Values, before *changeForm, req *gateway.ChangeRequest) {
	if v.Has("allow") && unixLines(f.Allow) != unixLines(before.Allow) {
		if networks := lines(f.Allow); len(networks) > 0 {
			req.Allow = &networks
		} else {
			req.Remove = append(req.Remove, gateway.RemoveAllow)
		}
	}
	if v.Has("not_before") && f.NotBefore != before.NotBefore {
		if f.NotBefore == "" {
			req.Remove = append(req.Remove, gateway.RemoveNotBefore)
		} else {
			req.NotBefore = new(timeField(f.NotBefore))
		}
	}
	if f.Passphrase != "" {
		req.Passphrase = &f.Passphrase
	}
	if f.RemovePassphrase {
		req.Remove = append(req.Remove, gateway.RemovePassphrase)
	}
}

// unixLines returns a text with the line ends that the API uses: browsers send CR LF (HTML
// Standard, "multipart-form-data").
func unixLines(text string) string {
	return strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
}

// difference is a field whose value somebody else has changed meanwhile.
type difference struct {
	Field, Yours, Now string
}

// differences returns the fields in which the form and the link differ, by their labels.
func (f *changeForm) differences(link *gateway.Link) []difference {
	now := changeFormOf(link)
	var found []difference
	for _, field := range []struct{ name, yours, now string }{
		{"Number of downloads", f.MaxClicks, now.MaxClicks},
		{"Note for the recipient", unixLines(f.Note), unixLines(now.Note)},
		{"Labels", unixLines(f.Labels), unixLines(now.Labels)},
		{"Only from these networks", unixLines(f.Allow), unixLines(now.Allow)},
		{"Works from (UTC)", f.NotBefore, now.NotBefore},
		{"Language of the recipient", f.Language, now.Language},
	} {
		if field.yours != field.now {
			found = append(found, difference{field.name, field.yours, field.now})
		}
	}
	return found
}

// changeLink answers POST /console/links/{id}/change.
func (c *Console) changeLink(ctx echo.Context) error {
	id, err := linkID(ctx)
	if err != nil {
		return err
	}
	if err := parseForm(ctx); err != nil {
		return err
	}
	r, actor := ctx.Request(), actorOf(ctx)
	before := changeForm{}
	// Without the right to read, every field that was sent is a part of the change.
	if link, err := c.o.Service.Show(r.Context(), actor, id); err == nil {
		before = changeFormOf(&link)
	}
	form, req, refused := changeOf(r.PostForm, &before)
	if len(refused) > 0 {
		return c.changed(ctx, id, gateway.Link{}, &gateway.Error{
			Code: gateway.CodeInvalid, Message: "the change has errors", Fields: refused,
		}, &form, "")
	}
	link, err := c.o.Service.Change(r.Context(), actor, id, &req)
	return c.changed(ctx, id, link, err, &form, "changed")
}
