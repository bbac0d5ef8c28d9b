package term

import (
	"bytes"
	"fmt"
	"strings"

	"rsc.io/qr"
)

// QuietZone is the light margin that readers need around a code, in modules (ISO/IEC 18004
// section 6.3.8).
const QuietZone = 4

// QRPixels is the width of a module in a picture, in pixels.
const QRPixels = 8

// EncodeQR makes the code of a URL. The error does not contain the URL, which opens the
// link. The code stays readable if a seventh of it is damaged.
func EncodeQR(url string) (*qr.Code, error) {
	code, err := qr.Encode(url, qr.M)
	if err != nil {
		return nil, fmt.Errorf("make the QR code: %w", err)
	}
	code.Scale = QRPixels
	return code, nil
}

// QRSVG draws a code as SVG.
func QRSVG(code *qr.Code) []byte {
	var b bytes.Buffer
	width := code.Size + 2*QuietZone
	fmt.Fprintf(&b,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" width="%[2]d" height="%[2]d" `+
			`shape-rendering="crispEdges">`+
			`<path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path d="`, width, width*QRPixels)
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+QuietZone, y+QuietZone)
			}
		}
	}
	b.WriteString("\"/></svg>\n")
	return b.Bytes()
}

// QRText draws a code in characters, two rows of modules on each line. A block is a light
// module. On a terminal it sets the colours, because some terminals show dark on light.
func QRText(code *qr.Code, coloured bool) string {
	var b strings.Builder
	light := func(x, y int) bool { return !code.Black(x, y) } // also outside of the code
	for y := -QuietZone; y < code.Size+QuietZone; y += 2 {
		if coloured {
			b.WriteString("\x1b[97;40m")
		}
		for x := -QuietZone; x < code.Size+QuietZone; x++ {
			upper, lower := light(x, y), light(x, y+1) && y+1 < code.Size+QuietZone
			switch {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		if coloured {
			b.WriteString("\x1b[0m")
		}
		b.WriteByte('\n')
	}
	return b.String()
}
