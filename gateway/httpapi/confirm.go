package httpapi

import (
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/pages"
)

// grantCookie is the name of the cookie that lets a recipient resume a download without
// another click.
const grantCookie = "keyhole_grant"

// downloadedCookie is the name of the cookie that marks a browser which has downloaded the
// file of a link with a limit, so that the page of the used-up link can say so. It gives
// no rights. downloadedAge is its life in seconds.
const (
	downloadedCookie = "keyhole_downloaded"
	downloadedAge    = 30 * 24 * 3600
)

// maxForm is the maximum size of a confirmation form in bytes. A passphrase of 256 bytes
// takes 768 bytes if all of it is escaped.
const maxForm = 4096

// formOf returns the form of a POST, or nil if the POST has no valid form. It keeps bytes
// unchanged, because a passphrase need not be UTF-8. An error means that only a part of
// the form arrived.
func formOf(c echo.Context) (*gateway.Form, error) {
	r := c.Request()
	if r.Method != http.MethodPost {
		return nil, nil //nolint:nilnil // As the comment says.
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, nil //nolint:nilerr,nilnil // As the comment says.
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return nil, fmt.Errorf("read the form: %w", err)
	}
	values, invalid := url.ParseQuery(string(body))
	if err != nil || invalid != nil {
		return nil, nil //nolint:nilerr,nilnil // As the comment says.
	}
	for _, name := range []string{"confirm", "passphrase", "nonce"} {
		if len(values[name]) > 1 { // ambiguous
			return nil, nil //nolint:nilnil // As the comment says.
		}
	}
	return &gateway.Form{
		Confirm:    values.Get("confirm") == "1",
		Passphrase: values.Get("passphrase"),
		Nonce:      values.Get("nonce"),
	}, nil
}

// grantOf returns the grant in the cookie of a GET or HEAD, "" for none.
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

// setCookies sends the cookies of a delivered click, for this link only: the grant, and the
// mark of a download that used up a part of the link.
func (a *API) setCookies(c echo.Context, path string, answer *gateway.Answer) {
	set := func(name, value string, seconds int) {
		c.SetCookie(&http.Cookie{ //nolint:gosec // Secure if recipients come over https.
			Name: name, Value: value, Path: path, MaxAge: seconds,
			HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode,
		})
	}
	if answer.Grant != "" {
		set(grantCookie, answer.Grant, int(math.Ceil(answer.GrantAge.Seconds())))
	}
	if answer.Limited {
		set(downloadedCookie, "1", downloadedAge)
	}
}

// hasDownloaded reports whether this browser has downloaded the file of a link with a
// limit. Anybody can send the cookie; it only changes the words of the refusal.
func hasDownloaded(r *http.Request) bool {
	_, err := r.Cookie(downloadedCookie)
	return err == nil
}

// showConfirmation answers with a confirmation page. The Content-Security-Policy allows
// the form to be sent to this link and to be redirected to the link's bucket, because
// Chrome applies form-action to redirects too.
func (a *API) showConfirmation(c echo.Context, status int, view pages.Confirmation) error {
	view.Now = time.Now()
	locale := a.pages.Load().locale(c.Request(), view.Page.Link.Language)
	html, err := a.renderConfirmation(locale, view)
	if err != nil {
		return err
	}
	setHeaders(c, a.public)
	page := newPage(locale, html)
	c.Response().Header().Set("Content-Security-Policy", pages.Policy(view.Page.Origin))
	return page.write(c, status)
}
