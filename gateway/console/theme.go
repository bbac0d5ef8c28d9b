package console

import (
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
)

// themeCookie keeps the choice between light and dark.
const themeCookie = "keyhole_theme"

// The themes. The browser's setting decides about themeAuto.
const (
	themeAuto  = "auto"
	themeLight = "light"
	themeDark  = "dark"
)

// theme returns the theme that the browser has chosen.
func theme(r *http.Request) string {
	cookie, err := r.Cookie(themeCookie)
	if err != nil || !slices.Contains([]string{themeLight, themeDark}, cookie.Value) {
		return themeAuto
	}
	return cookie.Value
}

// chooseTheme answers POST /console/theme.
func (c *Console) chooseTheme(ctx echo.Context) error {
	if err := parseForm(ctx); err != nil {
		return err
	}
	form := ctx.Request().PostForm
	chosen := form.Get("theme")
	if !slices.Contains([]string{themeAuto, themeLight, themeDark}, chosen) {
		return gateway.Errorf(gateway.CodeBadRequest, "theme must be auto, light or dark")
	}
	const year = 365 * 24 * time.Hour
	// A choice of the browser and not of the operator, so it holds before the sign-in too.
	c.setCookie(ctx, themeCookie, chosen, base, year)
	target := form.Get("return")
	if target == base+"/sign-in" { // also for operators who have not signed in yet
		return ctx.Redirect(http.StatusSeeOther, target)
	}
	return ctx.Redirect(http.StatusSeeOther, returnPath(target))
}

// help answers GET /console/help.
func (c *Console) help(ctx echo.Context) error {
	return c.render(ctx, http.StatusOK, "help", document{Title: "Help"})
}
