package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/admission"
)

// The cookies of a session. The prefix __Host- makes browsers refuse the cookie from
// other hosts and over plain http (RFC 6265bis section 4.1.3.2).
const (
	secureCookie = "__Host-keyhole"
	plainCookie  = "keyhole_console"
	// providerCookie ties a sign-in at the identity provider to the browser that began it.
	providerCookie = "keyhole_sign_in"
)

// maxKey is the longest operator key that the form takes, in bytes.
const maxKey = 4096

// signInView is the view of sign-in.html.
type signInView struct {
	Return    string // where the operator goes afterwards
	Error     string // about the field key
	Notice    string // why the operator has to sign in
	Provider  string // the path that begins a sign-in at the identity provider; empty: none
	ClearText bool   // the key would travel unencrypted
}

// showSignIn answers GET /console/sign-in.
func (c *Console) showSignIn(ctx echo.Context) error {
	r := ctx.Request()
	view := signInView{Return: returnPath(r.URL.Query().Get("return"))}
	if r.URL.Query().Has("ended") {
		view.Notice = "Your session has ended. Sign in to go on."
	}
	return c.renderSignIn(ctx, http.StatusOK, view)
}

// renderSignIn answers with the form.
func (c *Console) renderSignIn(ctx echo.Context, status int, view signInView) error {
	view.ClearText = c.o.ClearText
	if c.o.Sessions.HasProvider() {
		view.Provider = base + "/oidc/sign-in?return=" + url.QueryEscape(view.Return)
	}
	return c.render(ctx, status, "sign-in", document{Title: "Sign in", View: view})
}

// signIn answers POST /console/sign-in.
func (c *Console) signIn(ctx echo.Context) error {
	r := ctx.Request()
	if err := parseForm(ctx); err != nil {
		return err
	}
	view := signInView{Return: returnPath(r.PostForm.Get("return"))}
	key := strings.TrimSpace(r.PostForm.Get("key"))
	if key == "" || len(key) > maxKey {
		view.Error = "Enter your operator key."
		return c.renderSignIn(ctx, http.StatusUnauthorized, view)
	}
	session, err := c.o.Sessions.SignIn(r.Context(), key, c.request(r))
	if _, refused := errors.AsType[*admission.UnauthorizedError](err); refused {
		// The same words for every refused key: they do not tell which keys have existed.
		view.Error = "This service does not know that operator key."
		return c.renderSignIn(ctx, http.StatusUnauthorized, view)
	}
	if err != nil {
		return err
	}
	if err := c.recordSignIn(ctx, session); err != nil {
		return err
	}
	// A session that the browser had before has ended with this sign-in.
	if before := c.cookie(r); before != "" {
		if err := c.o.Sessions.End(r.Context(), before); err != nil {
			c.o.Logger.Warn("an earlier session was not ended", "error", err)
		}
	}
	ctx.Set(contextSession, session)
	c.giveSession(ctx, session)
	return ctx.Redirect(http.StatusSeeOther, firstPage(session.Actor, view.Return))
}

// beginProviderSignIn sends the operator to the identity provider.
func (c *Console) beginProviderSignIn(ctx echo.Context) error {
	if !c.o.Sessions.HasProvider() {
		return echo.ErrNotFound
	}
	r := ctx.Request()
	start := admission.SignInStart{ReturnTo: returnPath(r.URL.Query().Get("return"))}
	// The session of an expired ID token goes on after the sign-in.
	if session, err := c.o.Sessions.Resume(r.Context(), c.cookie(r), c.request(r), false); errors.Is(
		err, admission.ErrTokenExpired) {
		start.Renews = session
	}
	address, secret, err := c.o.Sessions.BeginSignIn(r.Context(), start, c.request(r))
	if err != nil {
		return err
	}
	c.setCookie(ctx, providerCookie, secret, base+"/oidc/callback", admission.SignInLife)
	return ctx.Redirect(http.StatusSeeOther, address)
}

// finishProviderSignIn answers the redirect from the identity provider.
func (c *Console) finishProviderSignIn(ctx echo.Context) error {
	if !c.o.Sessions.HasProvider() {
		return echo.ErrNotFound
	}
	r := ctx.Request()
	cookie, err := r.Cookie(providerCookie)
	if err != nil {
		return gateway.Errorf(gateway.CodeBadRequest,
			"this browser has not begun a sign-in, or it took too long; begin again at the sign-in")
	}
	c.setCookie(ctx, providerCookie, "", base+"/oidc/callback", -time.Second)
	query := r.URL.Query()
	// Only now: the renewal of a session ends the one before. A browser without a session,
	// the usual case, has an error here.
	before, _ := c.o.Sessions.Resume(r.Context(), c.cookie(r), c.request(r), false)
	session, target, err := c.o.Sessions.FinishSignIn(r.Context(), cookie.Value, admission.Callback{
		State: query.Get("state"), Code: query.Get("code"), Issuer: query.Get("iss"), Error: query.Get("error"),
	}, c.request(r))
	if err != nil {
		return err
	}
	if !renews(before, session) {
		if err := c.recordSignIn(ctx, session); err != nil {
			return err
		}
	}
	ctx.Set(contextSession, session)
	c.giveSession(ctx, session)
	return ctx.Redirect(http.StatusSeeOther, firstPage(session.Actor, returnPath(target)))
}

// signOut answers POST /console/sign-out. The session ends on the server.
func (c *Console) signOut(ctx echo.Context) error {
	r := ctx.Request()
	if id := c.cookie(r); id != "" {
		// Without a session, which may have ended before, there is nobody to record.
		session, _ := c.o.Sessions.Resume(r.Context(), id, c.request(r), false)
		if err := c.o.Sessions.End(r.Context(), id); err != nil {
			return err
		}
		c.recordSignOut(ctx, session)
	}
	name, path := c.cookieName()
	c.setCookie(ctx, name, "", path, -time.Second)
	// Only the cache: "cookies" would also delete the cookies of other services on this host.
	ctx.Response().Header().Set("Clear-Site-Data", `"cache"`)
	return ctx.Redirect(http.StatusSeeOther, base+"/sign-in")
}

// forgetPages answers GET /console/sign-in/forget, which the sign-in page loads as an image.
// Browsers keep the page that was shown last for the back button, also if it must not be
// stored. They keep it only when the next page has begun, so no header of the next page can
// remove it, but one of a later answer can. Browsers without scripts have no other way. Over
// plain http to another machine they ignore the header.
func (c *Console) forgetPages(ctx echo.Context) error {
	ctx.Response().Header().Set("Clear-Site-Data", `"cache"`)
	return write(ctx, http.StatusOK, "image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`))
}

// redirectToSignIn sends the operator to the sign-in, and back here afterwards. An operator
// whose ID token has expired goes to the provider at once.
func (c *Console) redirectToSignIn(ctx echo.Context, expired bool) error {
	r := ctx.Request()
	target := returnPath(r.URL.RequestURI())
	if expired && c.o.Sessions.HasProvider() {
		return ctx.Redirect(http.StatusSeeOther, base+"/oidc/sign-in?return="+url.QueryEscape(target))
	}
	path := signInPath(target)
	if c.cookie(r) != "" {
		path += "&ended="
	}
	return ctx.Redirect(http.StatusSeeOther, path)
}

// signInPath returns the path of the sign-in that returns to a page.
func signInPath(target string) string {
	return base + "/sign-in?return=" + url.QueryEscape(returnPath(target))
}

// returnPath returns the target if it is a page of the console, else the first page. No
// other place can be reached after a sign-in, so that a link to the sign-in cannot lead to
// a foreign site.
func returnPath(target string) string {
	address, err := url.Parse(target)
	// Browsers read a backslash as a slash and drop tabs and line breaks (WHATWG URL Standard,
	// "basic URL parser"), so a target that looks local may lead to another host.
	local := err == nil && address.Scheme == "" && address.Host == "" && address.User == nil && address.Opaque == "" &&
		strings.HasPrefix(target, base+"/") && strings.HasPrefix(address.Path, base+"/") &&
		!strings.ContainsAny(target, "\\\r\n\t") && !strings.Contains(address.Path, "//") &&
		!strings.Contains(address.Path, "/.")
	for _, signing := range []string{"/sign-in", "/sign-out", "/oidc/", "/theme", "/static/"} {
		local = local && !strings.HasPrefix(address.Path, base+signing)
	}
	if !local {
		return base + "/objects"
	}
	return target
}

// cookieName returns the name and the path of the session's cookie.
func (c *Console) cookieName() (name, path string) {
	if c.o.Secure {
		return secureCookie, "/" // the prefix __Host- asks for it
	}
	return plainCookie, base
}

// cookie returns the ID of the session that the browser sent, or "".
func (c *Console) cookie(r *http.Request) string {
	name, _ := c.cookieName()
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// giveSession gives the browser the ID of its session.
func (c *Console) giveSession(ctx echo.Context, session *admission.Session) {
	name, path := c.cookieName()
	c.setCookie(ctx, name, session.ID, path, 0)
}

// setCookie gives the browser a cookie for life; 0: until the browser ends, negative: the
// cookie is deleted. No script can read it, and no other site sends it with a change.
func (c *Console) setCookie(ctx echo.Context, name, value, path string, life time.Duration) {
	ctx.SetCookie(&http.Cookie{ //nolint:gosec // Without TLS, browsers would refuse a secure cookie.
		Name: name, Value: value, Path: path, MaxAge: int(life.Seconds()),
		// Lax and not Strict: the redirect from the identity provider comes from another site,
		// and a strict cookie would be missing there. Lax still holds the cookie back from a
		// POST of another site (RFC 6265bis section 5.6.7.1).
		HttpOnly: true, Secure: c.o.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// maxForm is the size of the largest form, in bytes: a note and labels at their limits, and
// a selection of gateway.MaxBatch objects with keys of 1,024 bytes, each sent as %XX.
const maxForm = 1 << 19

// parseForm reads the form of a request.
func parseForm(ctx echo.Context) error {
	r := ctx.Request()
	r.Body = http.MaxBytesReader(ctx.Response(), r.Body, maxForm)
	err := r.ParseForm()
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return gateway.Errorf(gateway.CodeTooLarge, "the form is larger than %d bytes", maxForm)
	}
	if err != nil {
		return &gateway.Error{
			Code: gateway.CodeBadRequest, Message: "the form cannot be read", Err: fmt.Errorf("form: %w", err),
		}
	}
	return nil
}
