package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"strconv"
	"time"

	"keyhole/gateway"
)

// Confirmation is the view of the page with the button that starts a download.
type Confirmation struct {
	// Page holds the facts that recipients may see, and the nonce of the form.
	Page *gateway.Page
	// WrongPassphrase says that the form was sent with a wrong passphrase.
	WrongPassphrase bool
}

// confirmationValues are the values of the actions in {{ }} of templates/confirm.html.
type confirmationValues struct {
	Filename       string
	Size           string
	Type           string
	Expires        string
	ExpiresMachine string // Expires for programs
	Note           string
	Nonce          string
	Uses           string // a sentence with the remaining uses; "" for a link without a limit
	Help           string
	Passphrase     bool // the link has one
	Hidden         bool // the page shows nothing about the file before the passphrase
	Wrong          bool
}

// Confirmation renders a page in HTML. It fails only if a template is broken.
func (r *Renderer) Confirmation(view Confirmation) ([]byte, error) {
	link, m := &view.Page.Link, &r.messages.Confirmation
	values := confirmationValues{
		Filename: link.SaveAs(), Size: readableSize(link.Object.Size, m.Bytes), Type: link.Object.ContentType,
		Expires:        link.ExpiresAt.UTC().Format(m.TimeLayout),
		ExpiresMachine: link.ExpiresAt.UTC().Format(time.RFC3339),
		Note:           link.Note, Nonce: view.Page.Nonce,
		Help:       m.Help(link.MaxClicks > 0, view.Page.ResumeWindow),
		Passphrase: link.Passphrase, Hidden: link.Reveal == gateway.RevealAfter, Wrong: view.WrongPassphrase,
	}
	if link.MaxClicks > 0 {
		values.Uses = m.Uses(link.MaxClicks - link.Clicks)
	}
	var html bytes.Buffer
	if err := r.confirmation.Execute(&html, values); err != nil {
		return nil, fmt.Errorf("render the confirmation page: %w", err)
	}
	return html.Bytes(), nil
}

// confirmationTemplate fills the messages into the template of confirmation pages. The
// result has only the actions that depend on the view, because filling in the messages
// for each page would double its cost.
func confirmationTemplate(page *template.Template, m *Messages) (*template.Template, error) {
	var source bytes.Buffer
	values := struct {
		head
		Text *ConfirmationMessages
	}{headOf(m), &m.Confirmation}
	if err := page.Execute(&source, values); err != nil {
		return nil, fmt.Errorf("fill the messages into the confirmation page: %w", err)
	}
	filled, err := template.New("confirmation").Parse(source.String())
	if err != nil {
		return nil, fmt.Errorf("parse the confirmation page with its messages: %w", err)
	}
	return filled, nil
}

// readableSize returns a size in the decimal units that browsers show for downloads, so that
// recipients see the same number twice; "" for an unknown size. Operators see binary units
// and the exact number: explain.Size.
func readableSize(n int64, bytesUnit string) string {
	if n == gateway.UnknownSize {
		return ""
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " " + bytesUnit
	}
	size, unit := float64(n)/1000, 0
	for ; size >= 999.95 && unit < 4; unit++ {
		size /= 1000
	}
	return strconv.FormatFloat(size, 'f', 1, 64) + " " + []string{"kB", "MB", "GB", "TB", "PB"}[unit]
}
