package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
)

//go:embed templates
var templateDir embed.FS

// templates are the parsed pages, by the name of their file without the extension. Each has
// the layout and the parts that pages share.
type templates map[string]*template.Template

// The files that every page includes.
const (
	layoutFile = "layout.html"
	partsFile  = "parts.html"
)

// parseTemplates parses the embedded templates.
func parseTemplates(static *staticFiles) (templates, error) {
	files, err := fs.Glob(templateDir, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the templates of the console: %w", err)
	}
	shared := template.New("layout").Funcs(template.FuncMap{
		"static": static.path, "number": number, "size": size, "plural": plural, "field": field, "input": input,
		"choice": choice, "long": splitName,
	})
	shared, err = shared.ParseFS(templateDir, "templates/"+layoutFile, "templates/"+partsFile)
	if err != nil {
		return nil, fmt.Errorf("parse the layout of the console: %w", err)
	}
	parsed := templates{}
	for _, file := range files {
		name := path.Base(file)
		if name == layoutFile || name == partsFile {
			continue
		}
		own, err := shared.Clone()
		if err == nil {
			own, err = own.ParseFS(templateDir, file)
		}
		if err != nil {
			return nil, fmt.Errorf("parse a template of the console: %w", err)
		}
		parsed[strings.TrimSuffix(name, path.Ext(name))] = own
	}
	return parsed, nil
}

// The sections of the console, as the navigation marks them.
const (
	sectionObjects = "objects"
	sectionLinks   = "links"
	sectionAudit   = "audit"
	sectionHealth  = "health"
)

// document is a page: what the layout needs, and the view of its template.
type document struct {
	Title   string
	Section string // one of the sections; empty: none
	View    any
	// The rest is filled in by render.
	Operator    string // who has signed in; empty: nobody
	DisplayName string
	Nav         []navEntry
	Theme       string
	Return      string // the path of this page after a change of the theme; empty: it offers none
	Version     string
}

// navEntry is an entry of the navigation.
type navEntry struct {
	Name, Path, Shortcut string
	Current              bool
}

// render answers with a page. It renders all of the page before it sends the first byte.
func (c *Console) render(ctx echo.Context, status int, name string, d document) error {
	if session := sessionOf(ctx); session != nil {
		d.Operator, d.DisplayName = session.Actor.Name, session.Actor.DisplayName
		d.Nav = c.navigation(session.Actor, d.Section)
	}
	d.Theme, d.Return, d.Version = theme(ctx.Request()), returnPath(ctx.Request().URL.RequestURI()), c.o.Version
	if ctx.Request().Method == http.MethodPost {
		d.Return = "" // a change of the colours would lose what was entered, or the URL of a new link
	}
	// A template that fails halfway must become an error page with its own status.
	var out bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&out, "layout", d); err != nil {
		return fmt.Errorf("render the page %s: %w", name, err)
	}
	return c.writePage(ctx, status, out.Bytes())
}

// navigation returns the sections that an operator may use.
func (c *Console) navigation(actor *gateway.Actor, section string) []navEntry {
	all := []struct {
		section, name, shortcut string
		allowed                 bool
	}{
		{sectionObjects, "Objects", "g o", may(actor, gateway.ActionBrowse)},
		{sectionLinks, "Links", "g l", may(actor, gateway.ActionRead)},
		{sectionAudit, "Audit", "g a", may(actor, gateway.ActionRead)},
		{sectionHealth, "Health", "g h", c.health != nil && actor.Unrestricted()},
	}
	var entries []navEntry
	for _, e := range all {
		if e.allowed {
			entries = append(entries, navEntry{
				Name: e.name, Path: base + "/" + e.section, Shortcut: e.shortcut, Current: e.section == section,
			})
		}
	}
	return entries
}

// may reports whether an operator has a right. Pages do not offer what an operator may not
// do; the service refuses it as well.
func may(actor *gateway.Actor, action gateway.Action) bool { return actor.Allowed(action) == nil }
