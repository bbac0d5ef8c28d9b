package httpapi

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

//go:embed templates/head.html templates/refusal.html templates/confirm.html
var pageFiles embed.FS

//go:embed templates/page.css
var pageStyle string

// pages holds every answer to a recipient that is no redirect. Refusals are
// rendered once at the start: an answer under attack costs a copy, and unknown and
// malformed are the same bytes because they are the same slice.
type pages struct {
	refused      map[gateway.Outcome]rendered
	prefetch     rendered // of OutcomeBadRequest, for a link that was loaded ahead of time
	policy       string   // the Content-Security-Policy of every refusal
	confirmation *template.Template
}

// rendered is one refusal in the three forms that clients ask for.
type rendered struct {
	status int
	forms  [3]body // by form
}

// body is what an answer carries, with its headers.
type body struct {
	headers []fixedHeader
	content []byte
}

func newBody(contentType string, content []byte) body {
	return body{content: content, headers: []fixedHeader{
		{"Content-Type", []string{contentType}},
		{"Content-Length", []string{strconv.Itoa(len(content))}},
		{"Vary", []string{"Accept"}},
	}}
}

// refusalView is what templates/refusal.html shows.
type refusalView struct {
	Language  string
	PageTitle string
	Style     template.CSS
	Title     string
	Text      string
	Help      string
}

// newPages renders every refusal.
func newPages() (*pages, error) {
	templates, err := template.ParseFS(pageFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	p := &pages{
		refused: map[gateway.Outcome]rendered{}, policy: policyOf(""),
		confirmation: templates.Lookup("confirm.html"),
	}
	page := templates.Lookup("refusal.html")
	for outcome, r := range refusals() {
		if p.refused[outcome], err = render(page, outcome, r); err != nil {
			return nil, err
		}
	}
	if p.prefetch, err = render(page, gateway.OutcomeBadRequest, prefetchRefusal()); err != nil {
		return nil, err
	}
	return p, nil
}

// render renders a refusal in its three forms.
func render(page *template.Template, outcome gateway.Outcome, r refusal) (rendered, error) {
	var html bytes.Buffer
	err := page.Execute(&html, refusalView{
		Language: language, PageTitle: pageTitle,
		Style: template.CSS(pageStyle), //nolint:gosec // our own embedded file
		Title: r.title, Text: r.text, Help: r.help,
	})
	if err != nil {
		return rendered{}, fmt.Errorf("render the page for %s: %w", outcome, err)
	}
	problem := newProblem(r.status, string(outcome), r.text+" "+r.help)
	problemText, err := json.Marshal(problem)
	if err != nil {
		return rendered{}, fmt.Errorf("render the problem for %s: %w", outcome, err)
	}
	return rendered{status: r.status, forms: [...]body{
		formText: newBody("text/plain; charset=utf-8", []byte(r.title+": "+r.text+" "+r.help+"\n")),
		formHTML: newBody("text/html; charset=utf-8", html.Bytes()),
		formJSON: newBody(api.ProblemType, append(problemText, '\n')),
	}}, nil
}

// policyOf returns a Content-Security-Policy: the page's one style is allowed by
// its hash, nothing else is loaded, from here or elsewhere, and no script runs.
// Forms go to the link itself and, where one is given, on to an origin.
func policyOf(origin string) string {
	digest := sha256.Sum256([]byte(pageStyle))
	forms := "'self'"
	if origin != "" {
		forms += " " + origin
	}
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) +
		"'; form-action " + forms + "; base-uri 'none'; frame-ancestors 'none'"
}

// refuse answers a recipient who is not redirected, in the form that the request
// accepts.
func (p *pages) refuse(c echo.Context, answer *gateway.Answer) error {
	r := p.refused[answer.Outcome]
	if answer.Outcome == gateway.OutcomeBadRequest && prefetched(c.Request()) {
		r = p.prefetch
	}
	b := &r.forms[accepted(c.Request().Header["Accept"])]
	setHeaders(c, b.headers)
	h := c.Response().Header()
	switch r.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", publicMethods)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter)
	case http.StatusTooManyRequests:
		h.Set("Retry-After", secondsOf(answer.Wait))
	}
	return writeOut(c, r.status, b.content)
}

// form is one of the three forms of a refusal.
type form int

const (
	formText form = iota
	formHTML
	formJSON
)

// accepted reads which form a client asks for by name; */* asks for none. Where
// both are named the one with the greater weight wins, HTML at a tie (RFC 9110
// section 12.5.1).
func accepted(headers []string) form {
	var html, problem float64
	for _, header := range headers {
		for item := range strings.SplitSeq(header, ",") {
			media, weight := mediaRange(item)
			switch media {
			case "text/html", "application/xhtml+xml":
				html = max(html, weight)
			case api.MediaType, api.ProblemType, "application/*":
				problem = max(problem, weight)
			}
		}
	}
	switch {
	case html > 0 && html >= problem:
		return formHTML
	case problem > 0:
		return formJSON
	}
	return formText
}
