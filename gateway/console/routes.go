package console

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

// base is the path of the console. Every route but the root is below it.
const base = "/console"

// route is one line of the table of routes.
type route struct {
	method string
	path   string // echo's pattern
	page   string // the label of metrics and logs
	// changesState says that the request changes state, so that it is refused if another
	// site sent it.
	changesState bool
	signedOut    bool // needs no session
	handler      func(*Console, echo.Context) error
}

// page makes a route that changes nothing.
func page(name, path string, handler func(*Console, echo.Context) error) route {
	return route{method: http.MethodGet, path: path, page: name, handler: handler}
}

// action makes a route that changes state. No other function makes one, so every change is
// protected against requests of other sites.
func action(name, path string, handler func(*Console, echo.Context) error) route {
	return route{method: http.MethodPost, path: path, page: name, changesState: true, handler: handler}
}

// withoutSession makes a route that needs no session.
func withoutSession(r route) route {
	r.signedOut = true
	return r
}

// routes returns the table of all routes.
func routes() []route {
	return []route{
		withoutSession(page("home", "/", (*Console).home)),
		withoutSession(page("home", base, (*Console).home)),
		withoutSession(page("home", base+"/", (*Console).home)),
		withoutSession(page("static", base+"/static/:file", (*Console).serveStatic)),
		withoutSession(page("sign-in", base+"/sign-in", (*Console).showSignIn)),
		withoutSession(action("sign-in", base+"/sign-in", (*Console).signIn)),
		withoutSession(page("oidc", base+"/oidc/sign-in", (*Console).beginProviderSignIn)),
		withoutSession(page("oidc", base+"/oidc/callback", (*Console).finishProviderSignIn)),
		withoutSession(action("sign-out", base+"/sign-out", (*Console).signOut)),
		withoutSession(page("sign-in", base+"/sign-in/forget", (*Console).forgetPages)),
		withoutSession(action("theme", base+"/theme", (*Console).chooseTheme)),
		page("help", base+"/help", (*Console).help),

		page("objects", base+"/objects", (*Console).listObjects),
		page("share", base+"/share", (*Console).showShare),
		action("share", base+"/share", (*Console).share),
		action("preview", base+"/share/preview", (*Console).previewShare),
		action("share", base+"/share/selection", (*Console).showSelection),
		action("share", base+"/share/batch", (*Console).shareSelection),
		page("links", base+"/links", (*Console).listLinks),
		action("links", base+"/links", (*Console).findLink),
		action("links", base+"/links/pause", (*Console).pauseLinks),
		action("links", base+"/links/resume", (*Console).resumeLinks),
		page("link", base+"/links/:id", (*Console).showLink),
		page("preview", base+"/links/:id/preview", (*Console).previewLink),
		page("preview", previewFiles+":file", (*Console).previewFile),
		action("link", base+"/links/:id/change", (*Console).changeLink),
		action("link", base+"/links/:id/pause", (*Console).pauseLink),
		action("link", base+"/links/:id/resume", (*Console).resumeLink),
		action("link", base+"/links/:id/revoke", (*Console).revokeLink),
		action("revocations", base+"/revocations", (*Console).revokeLinks),
		page("export", base+"/links.csv", exportLinks(formatCSV)),
		page("export", base+"/links.ndjson", exportLinks(formatNDJSON)),

		page("audit", base+"/audit", (*Console).showAudit),
		page("export", base+"/audit.csv", exportAudit(formatCSV)),
		page("export", base+"/audit.ndjson", exportAudit(formatNDJSON)),
		page("health", base+"/health", (*Console).showHealth),
		action("health", base+"/health", (*Console).checkHealth),
	}
}

// noPage is the label of requests that no route answers.
const noPage = "none"

// pageOf returns the label of the route with a path, noPage for other paths.
func pageOf(path string) string {
	for _, r := range slices.Concat(routes(), oneTimeRoutes()) {
		if r.path == path {
			return r.page
		}
	}
	return noPage
}

// home sends the visitor to the first page.
func (c *Console) home(ctx echo.Context) error {
	return ctx.Redirect(http.StatusSeeOther, base+"/objects")
}
