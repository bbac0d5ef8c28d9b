package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// oneTimeLife is how long a OneTimeSignIn works. It is long enough to read what the demo
// prints, and too short for an address in a terminal's history to matter.
const oneTimeLife = 10 * time.Minute

// OneTimeSignIn signs one browser of this machine in without asking for the operator key.
// keyhole demo prints its address. A service that other machines reach must not have one.
// It is safe for concurrent use.
type OneTimeSignIn struct {
	secret string // in the path of the page
	key    string // the operator key
	until  time.Time
	now    func() time.Time

	mu   sync.Mutex
	used bool
}

// NewOneTimeSignIn returns a sign-in with an operator key. It works once, within ten
// minutes by the clock now.
func NewOneTimeSignIn(key string, now func() time.Time) *OneTimeSignIn {
	return &OneTimeSignIn{secret: rand.Text(), key: key, until: now().Add(oneTimeLife), now: now}
}

// Path returns the path of the page with the button that signs in. It is a secret until the
// button was pressed.
func (o *OneTimeSignIn) Path() string { return oneTimePath + o.secret }

// admits reports whether a secret can still sign in.
func (o *OneTimeSignIn) admits(secret string) bool {
	// Hashes have one length, so the comparison tells nothing about the secret.
	got, want := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(o.secret))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && !o.used && o.now().Before(o.until)
}

// open reports whether a secret can still sign in. It changes nothing.
func (o *OneTimeSignIn) open(secret string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.admits(secret)
}

// take uses the sign-in up if a secret can sign in.
func (o *OneTimeSignIn) take(secret string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	ok := o.admits(secret)
	o.used = o.used || ok
	return ok
}

// oneTimePath is the path of the page without its secret. The log has labels of routes and
// no paths, so the secret is not logged.
const oneTimePath = base + "/demo/"

// oneTimeRoutes returns the routes that exist only if the options have a OneTimeSignIn.
// Viewing the page changes nothing, so a preview of the address does not use it up.
func oneTimeRoutes() []route {
	return []route{
		withoutSession(page("demo", oneTimePath+":secret", (*Console).showOneTimeSignIn)),
		withoutSession(action("demo", oneTimePath+":secret", (*Console).oneTimeSignIn)),
	}
}

// routes returns the routes of this console.
func (c *Console) routes() []route {
	if c.o.OneTimeSignIn == nil {
		return routes()
	}
	return slices.Concat(routes(), oneTimeRoutes())
}

// oneTimeView is the view of demo.html.
type oneTimeView struct {
	Path string // to which the button posts; empty: the sign-in no longer works
}

// showOneTimeSignIn answers GET /console/demo/{secret}.
func (c *Console) showOneTimeSignIn(ctx echo.Context) error {
	if !c.client(ctx.Request()).IsLoopback() {
		return echo.ErrNotFound
	}
	if !c.o.OneTimeSignIn.open(ctx.Param("secret")) {
		return c.render(ctx, http.StatusGone, "demo", document{Title: "Sign in", View: oneTimeView{}})
	}
	return c.render(ctx, http.StatusOK, "demo", document{
		Title: "Sign in", View: oneTimeView{Path: c.o.OneTimeSignIn.Path()},
	})
}

// oneTimeSignIn answers POST /console/demo/{secret}.
func (c *Console) oneTimeSignIn(ctx echo.Context) error {
	r := ctx.Request()
	// 404 and not 403: other machines learn nothing about the sign-in.
	if !c.client(r).IsLoopback() {
		return echo.ErrNotFound
	}
	// The secret is used up before the session exists: of two requests at once, only one may
	// get a session.
	if !c.o.OneTimeSignIn.take(ctx.Param("secret")) {
		return c.render(ctx, http.StatusGone, "demo", document{Title: "Sign in", View: oneTimeView{}})
	}
	session, err := c.o.Sessions.SignIn(r.Context(), c.o.OneTimeSignIn.key, c.request(r))
	if err != nil {
		return err
	}
	if err := c.recordSignIn(ctx, session); err != nil {
		return err
	}
	ctx.Set(contextSession, session)
	c.giveSession(ctx, session)
	return ctx.Redirect(http.StatusSeeOther, firstPage(session.Actor, base+"/objects"))
}
