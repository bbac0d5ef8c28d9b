package console

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
)

// pausesView is the view of pauses.html: the report about links that were paused or resumed.
type pausesView struct {
	Paused  bool     // else resumed
	Changed []string // the IDs of the links, for the button that undoes the change
	Ended   int      // links that had ended, or that no longer exist
	Stopped bool     // the run ended before its end
}

// pauseLinks answers POST /console/links/pause, resumeLinks the one of resume.
func (c *Console) pauseLinks(ctx echo.Context) error { return c.pauseSelection(ctx, true) }

func (c *Console) resumeLinks(ctx echo.Context) error { return c.pauseSelection(ctx, false) }

// pauseSelection pauses or resumes selected links. It asks nothing, because the report has a
// button that undoes it.
func (c *Console) pauseSelection(ctx echo.Context, paused bool) error {
	if err := parseForm(ctx); err != nil {
		return err
	}
	texts := ctx.Request().PostForm["id"]
	if len(texts) == 0 {
		return c.nothingSelected(ctx, linksPath(filterOf(ctx.Request().PostForm), ""), "link")
	}
	ids, err := parseIDs(texts)
	if err != nil {
		return err
	}
	view := pausesView{Paused: paused}
	for _, id := range ids {
		_, err := c.o.Service.Change(ctx.Request().Context(), actorOf(ctx), id, &gateway.ChangeRequest{Paused: &paused})
		known, isKnown := errors.AsType[*gateway.Error](err)
		switch {
		case err == nil:
			view.Changed = append(view.Changed, id.String())
			continue
		// A link that has ended needs no change, and must not keep the others from theirs.
		case isKnown && (known.Code == gateway.CodeNotActive || known.Code == gateway.CodeNotFound):
			view.Ended++
			continue
		case len(view.Changed) == 0:
			return err
		}
		// The next links would most likely fail with the same error, each after a timeout.
		// The report has the links that were changed.
		c.o.Logger.Warn("change of selected links stopped", "changed", len(view.Changed), "error", err)
		view.Stopped = true
		return c.renderPauses(ctx, http.StatusServiceUnavailable, view)
	}
	return c.renderPauses(ctx, http.StatusOK, view)
}

// nothingSelected answers a button for selected rows of a list that was pressed without any. back
// is the address of the list, and thing the name of its rows.
func (c *Console) nothingSelected(ctx echo.Context, back, thing string) error {
	return c.render(ctx, http.StatusUnprocessableEntity, "error", document{Title: "Nothing is selected", View: errorView{
		Heading: "Nothing is selected",
		Message: "Nothing was changed, because no " + thing + " is selected. Please go back and select some.",
		Name:    requestName(ctx), Back: back,
	}})
}

// renderPauses answers with the report.
func (c *Console) renderPauses(ctx echo.Context, status int, view pausesView) error {
	return c.render(ctx, status, "pauses", document{Title: "Pause links", Section: sectionLinks, View: view})
}
