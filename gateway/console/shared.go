package console

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"rsc.io/qr"

	"keyhole/gateway"
	"keyhole/gateway/convert"
	"keyhole/gateway/explain"
)

// sharedView is the view of shared.html: a link that was issued, shown once.
type sharedView struct {
	URL        string
	Passphrase string // that the service made; empty: none
	Message    string // ready to paste; never with the passphrase
	QR         *qrView
	Path       string // s3://bucket/key
	Expires    moment
	MaxClicks  int64
	Warnings   []gateway.Warning
	Notes      []gateway.Note
	LinkPath   string
	FolderPath string // of the folder of the object
}

// qrView is a QR code as the path of an SVG.
type qrView struct {
	Size int
	Path string
}

// renderShared answers with the link.
func (c *Console) renderShared(ctx echo.Context, issued *gateway.Issued, passphrase string) error {
	link := &issued.Link
	address := c.o.PublicURL + "/" + issued.Token
	view := sharedView{
		URL: address, Passphrase: passphrase, QR: qrOf(address), Path: pathOf(link.Ref.Bucket, link.Ref.Key),
		Expires: newMoment(link.ExpiresAt, c.o.Now()), MaxClicks: link.MaxClicks,
		Warnings: link.Warnings, Notes: link.Notes, LinkPath: linkPath(link.ID),
		FolderPath: folderPath(link.Ref.Storage, link.Ref.Bucket, folderOf(link.Ref.Key)),
	}
	sent := convert.Link(link)
	sent.URL = address
	// In UTC: the service knows neither the operator's time zone nor the recipient's.
	view.Message = explain.MessageFor(&sent, time.UTC)
	return c.render(ctx, http.StatusOK, "shared", document{
		Title: "Shared " + view.Path, Section: sectionObjects, View: view,
	})
}

// linkPath returns the address of the page of a link.
func linkPath(id gateway.ID) string { return base + "/links/" + id.String() }

// newNonce draws the nonce of a form.
func newNonce() string { return rand.Text() }

// qrOf returns a QR code, nil if the text is too long for one.
func qrOf(text string) *qrView {
	// Level M restores about 15 % of the code, enough for a screen or a printed page.
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil
	}
	const quiet = 4 // modules around the code (ISO/IEC 18004)
	var b strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				b.WriteString("M" + strconv.Itoa(x+quiet) + " " + strconv.Itoa(y+quiet) + "h1v1h-1z")
			}
		}
	}
	return &qrView{Size: code.Size + 2*quiet, Path: b.String()}
}
