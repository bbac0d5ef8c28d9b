package console

import (
	"cmp"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
)

// RecipientPages renders the pages of recipients for operators.
type RecipientPages interface {
	// Render returns the page in HTML, in a language, or in the fallback if the language is
	// not offered. The paths of its files begin with files.
	Render(page *gateway.Page, language, files string, now time.Time) ([]byte, error)
	// File returns a file that pages load, by its name below files.
	File(name string) (mediaType string, content []byte, found bool)
}

// previewFiles begins the paths of the files that a preview loads.
const previewFiles = base + "/preview/"

// previewPolicy is the Content-Security-Policy of a preview: that of the console, but the
// button of the page sends nothing.
const previewPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// previewView is the view of preview.html: why there is no page to show.
type previewView struct {
	State stateView
	Live  bool // the link works, and has no page
	Back  string
}

// previewLink answers GET /console/links/{id}/preview: the page that recipients see. It
// reads the link like the page about the link, so it counts no click.
func (c *Console) previewLink(ctx echo.Context) error {
	id, err := linkID(ctx)
	if err != nil {
		return err
	}
	link, err := c.o.Service.Show(ctx.Request().Context(), actorOf(ctx), id)
	if err != nil {
		return err
	}
	return c.renderPreview(ctx, &link, linkPath(id))
}

// previewShare answers POST /console/share/preview: the page of the link that the form would
// create, or the form with what is wrong. Nothing is issued, so the nonce stays unused.
func (c *Console) previewShare(ctx echo.Context) error {
	if err := parseForm(ctx); err != nil {
		return err
	}
	sent := ctx.Request().PostForm
	form, nonce := formOf(sent), cmp.Or(sent.Get("nonce"), newNonce())
	req, refused := form.request()
	if len(refused) > 0 {
		return c.renderShare(ctx, http.StatusUnprocessableEntity, form, refused, nonce)
	}
	session := sessionOf(ctx)
	if form.MakePassphrase {
		made, err := makePassphrase(session, nonce, c.o.Service.Limits(session.Actor).PassphraseMin)
		if err != nil {
			return err
		}
		req.Passphrase = &made
	}
	req.DryRun = true
	issued, err := c.o.Service.Issue(ctx.Request().Context(), session.Actor, &req)
	if err != nil {
		known, ok := asRefusal(err)
		if !ok {
			return err
		}
		return c.renderShare(ctx, http.StatusUnprocessableEntity, form, fieldsOf(known), nonce)
	}
	return c.renderPreview(ctx, &issued.Link,
		base+"/share?"+objectQuery(form.Storage, form.Bucket, form.Key).Encode())
}

// renderPreview answers with the page of a link, or says why recipients see another page or
// none. back is the page to return to then.
func (c *Console) renderPreview(ctx echo.Context, link *gateway.Link, back string) error {
	if c.o.RecipientPages == nil {
		return echo.ErrNotFound
	}
	active := link.State == "" || link.State == gateway.StateActive // a dry run has no state
	if !active || !link.NeedsConfirmation() {
		return c.render(ctx, http.StatusOK, "preview", document{
			Title: "No page to show", Section: sectionLinks,
			View: previewView{State: stateOf(link.State), Live: active, Back: back},
		})
	}
	page, err := c.o.Service.PreviewPage(link)
	if err != nil {
		return err
	}
	html, err := c.o.RecipientPages.Render(page, link.Language, previewFiles, c.o.Now())
	if err != nil {
		return err
	}
	ctx.Response().Header().Set("Content-Security-Policy", previewPolicy)
	return c.writePage(ctx, http.StatusOK, html)
}

// previewFile answers GET /console/preview/….
func (c *Console) previewFile(ctx echo.Context) error {
	if c.o.RecipientPages == nil {
		return echo.ErrNotFound
	}
	mediaType, content, found := c.o.RecipientPages.File(ctx.Param("file"))
	if !found {
		return echo.ErrNotFound
	}
	// A logo that is opened as a page runs nothing.
	ctx.Response().Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	return write(ctx, http.StatusOK, mediaType, content)
}
