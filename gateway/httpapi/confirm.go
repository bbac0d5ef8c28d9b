package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
)

// grantCookie is the name of the cookie that lets a recipient go on without
// another click.
const grantCookie = "keyhole_grant"

// maxForm is the largest form of a confirmation page in bytes: a passphrase of 256
// bytes is 768 when all of it is escaped.
const maxForm = 4096

// formOf reads the form of a POST, nil where it has none that can be understood.
// Bytes stand for themselves: a passphrase need not be UTF-8. The error means that
// not all of the form has arrived.
func formOf(c echo.Context) (*gateway.Form, error) {
	r := c.Request()
	if r.Method != http.MethodPost {
		return nil, nil //nolint:nilnil // As said.
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, nil //nolint:nilerr,nilnil // As said.
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return nil, fmt.Errorf("read the form: %w", err)
	}
	values, invalid := url.ParseQuery(string(body))
	if err != nil || invalid != nil {
		return nil, nil //nolint:nilerr,nilnil // As said.
	}
	for _, name := range []string{"confirm", "passphrase", "nonce"} {
		if len(values[name]) > 1 { // which of them was meant, nobody knows
			return nil, nil //nolint:nilnil // As said.
		}
	}
	return &gateway.Form{
		Confirm:    values.Get("confirm") == "1",
		Passphrase: values.Get("passphrase"),
		Nonce:      values.Get("nonce"),
	}, nil
}

// grantOf returns the grant that a GET or HEAD comes with, empty for none.
func grantOf(r *http.Request) string {
	if r.Method == http.MethodPost {
		return ""
	}
	cookie, err := r.Cookie(grantCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// setGrant hands the grant of an answer to the browser, for this link alone.
func (a *API) setGrant(c echo.Context, path string, answer *gateway.Answer) {
	if answer.Grant == "" {
		return
	}
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure wherever recipients come over https.
		Name: grantCookie, Value: answer.Grant, Path: path,
		MaxAge:   int(math.Ceil(answer.GrantAge.Seconds())),
		HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode,
	})
}

// confirmView is what templates/confirm.html shows.
type confirmView struct {
	Language   string
	PageTitle  string
	Style      template.CSS
	Filename   string
	Size       string
	Type       string
	Expires    string
	Machine    string // Expires for programs
	Note       string
	Nonce      string
	Left       string // how often the link can still be used; empty: no matter
	Resume     string // how long a download can be resumed
	Passphrase bool
	Hidden     bool // nothing is shown about the file before the passphrase
	Wrong      bool // the passphrase was
}

// confirm answers with a confirmation page. Its Content-Security-Policy lets the
// form go to this link and be redirected to the link's own bucket: Chrome checks
// where a form's answer leads to.
func (p *pages) confirm(c echo.Context, status int, page *gateway.Page) error {
	link := &page.Link
	view := confirmView{
		Language: language, PageTitle: pageTitle,
		Style:    template.CSS(pageStyle), //nolint:gosec // our own embedded file
		Filename: link.SaveAs(), Size: readableSize(link.Object.Size), Type: link.Object.ContentType,
		Expires: link.ExpiresAt.UTC().Format("2 January 2006, 15:04 MST"), Machine: link.ExpiresAt.UTC().Format(time.RFC3339),
		Note: link.Note, Nonce: page.Nonce, Left: usesLeft(link), Resume: readableWindow(page.ResumeWindow),
		Passphrase: link.Passphrase, Hidden: link.Reveal == gateway.RevealAfter, Wrong: status == http.StatusForbidden,
	}
	var html bytes.Buffer
	if err := p.confirmation.Execute(&html, view); err != nil {
		return fmt.Errorf("render the confirmation page: %w", err)
	}
	h := c.Response().Header()
	h.Set("Vary", "Accept")
	h.Set("Content-Security-Policy", policyOf(page.Origin))
	return writeBody(c, status, "text/html; charset=utf-8", html.Bytes())
}

// usesLeft says how often a link can still be used, where that is limited.
func usesLeft(link *gateway.Link) string {
	switch left := link.MaxClicks - link.Clicks; {
	case link.MaxClicks == 0:
		return ""
	case left <= 1:
		return "once"
	default:
		return strconv.FormatInt(left, 10) + " times"
	}
}

// readableWindow writes how long a download can be resumed.
func readableWindow(d time.Duration) string {
	switch minutes := int(d.Round(time.Minute) / time.Minute); {
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " seconds"
	case minutes == 1:
		return "a minute"
	default:
		return strconv.Itoa(minutes) + " minutes"
	}
}

// readableSize writes a size in the decimal units that browsers show, and nothing
// for one that is not known.
func readableSize(n int64) string {
	if n == gateway.UnknownSize {
		return ""
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	size, unit := float64(n)/1000, 0
	for ; size >= 999.95 && unit < 4; unit++ {
		size /= 1000
	}
	return strconv.FormatFloat(size, 'f', 1, 64) + " " + []string{"kB", "MB", "GB", "TB", "PB"}[unit]
}
