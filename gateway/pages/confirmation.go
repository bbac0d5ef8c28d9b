package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"time"

	"keyhole/gateway"
)

// Confirmation is the view of the page with the button that starts a download.
type Confirmation struct {
	// Page holds the facts that recipients may see, and the nonce of the form.
	Page *gateway.Page
	// WrongPassphrase says that the form was sent with a wrong passphrase, and AttemptsLeft
	// how many attempts the client has left.
	WrongPassphrase bool
	AttemptsLeft    int       // or gateway.AttemptsUnknown
	Now             time.Time // the time from which the page calculates distances
}

// confirmationValues are the values of templates/confirmation.html.
type confirmationValues struct {
	catalogue    *catalogue
	Heading      template.HTML
	Wrong        bool
	AttemptsLeft string
	Hidden       bool // the page shows nothing about the file before the passphrase
	Filename     string
	Type, Size   string
	Host         string // the host that delivers the file
	Expires      template.HTML
	Note, Nonce  string
	Passphrase   bool // the link has one
	Button       string
	Explanation  string // what the button does
	Uses         string // a sentence with the remaining downloads; "" for a link without a limit
	Resume       string // what to do if the download stops
	Contact      template.HTML
	Reference    string
}

// Text returns a text of the catalogue.
func (v *confirmationValues) Text(key string) string { return v.catalogue.text(key) }

// Confirmation renders a page in HTML. It fails only if a template is broken.
func (l *Locale) Confirmation(view Confirmation) ([]byte, error) {
	link, c := &view.Page.Link, &l.catalogue
	reference := link.ID.Reference()
	values := &confirmationValues{
		catalogue: c,
		Heading:   l.heading(link),
		Wrong:     view.WrongPassphrase, AttemptsLeft: c.attemptsLeft(view.AttemptsLeft),
		Hidden:   link.Reveal == gateway.RevealAfter,
		Filename: link.SaveAs(), Type: c.fileType(link.SaveAs(), link.Object.ContentType), Size: c.size(link.Object.Size),
		Host:    hostOf(view.Page.Origin),
		Expires: template.HTML(c.appendTime(nil, link.ExpiresAt, view.Now)), //nolint:gosec // appendTime escapes.
		Note:    link.Note, Nonce: view.Page.Nonce, Passphrase: link.Passphrase,
		Button: c.text("button_download"), Explanation: c.text("explain_download"),
		Uses: c.uses(link), Resume: c.resume(link.MaxClicks > 0, view.Page.ResumeWindow),
		Contact: template.HTML(l.contact("contact", reference)), Reference: reference, //nolint:gosec // contact escapes.
	}
	switch {
	case values.Hidden:
		values.Button, values.Explanation = c.text("button_protected"), c.text("explain_protected")
	case link.Disposition == gateway.DispositionInline:
		values.Button, values.Explanation = c.text("button_open"), c.text("explain_open")
	}
	var html bytes.Buffer
	if err := l.confirmation.Execute(&html, values); err != nil {
		return nil, fmt.Errorf("render the confirmation page: %w", err)
	}
	return l.page(html.Bytes()), nil
}

// heading returns the heading, which names the sender.
func (l *Locale) heading(link *gateway.Link) template.HTML {
	key, sender := "shared", l.sender(link)
	if sender != "" {
		key = "shared_by"
	}
	return template.HTML(l.catalogue.markup(key, //nolint:gosec // markup escapes the text.
		"sender", "<bdi>"+template.HTMLEscapeString(sender)+"</bdi>"))
}

// hostOf returns the host of an origin.
func hostOf(origin string) string {
	_, host, _ := strings.Cut(origin, "://")
	return host
}

// attemptsLeft returns a sentence with the attempts that are left.
func (c *catalogue) attemptsLeft(left int) string {
	switch left {
	case gateway.AttemptsUnknown:
		return ""
	case 0:
		return c.text("no_attempts_left")
	}
	return c.count("attempts_left", int64(left))
}

// uses returns a sentence with the remaining downloads of a link.
func (c *catalogue) uses(link *gateway.Link) string {
	switch link.MaxClicks {
	case 0:
		return ""
	case 1:
		return c.text("single_use")
	}
	return c.count("downloads_left", max(link.MaxClicks-link.Clicks, 1))
}

// resume returns what the recipient can do if the download stops. On the page of a link with
// a limit, pressing the button again within the window does not use up another download.
func (c *catalogue) resume(limited bool, window time.Duration) string {
	switch {
	case !limited:
		return c.text("resume_always")
	case window < time.Minute:
		return c.count("resume_seconds", int64(window/time.Second))
	case window < 2*time.Hour:
		return c.count("resume_minutes", int64(window/time.Minute))
	}
	return c.count("resume_hours", int64(window/time.Hour))
}
