package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rsc.io/qr"
)

// quietZone is the light margin that a reader needs around a code, in modules,
// ISO/IEC 18004 section 6.3.8.
const quietZone = 4

// qrPixels is the width of a module in a picture, in pixels.
const qrPixels = 8

// qrWriters are the formats of a file with a QR code, by its extension.
func qrWriters() map[string]func(*qr.Code) []byte {
	return map[string]func(*qr.Code) []byte{".png": (*qr.Code).PNG, ".svg": qrSVG}
}

// checkQRFile refuses a file whose format its name does not tell.
func checkQRFile(path string) error {
	if _, ok := qrWriters()[strings.ToLower(filepath.Ext(path))]; path != "" && !ok {
		return usage("a QR code is written as PNG or SVG", "name the file so, such as --qr-file link.png")
	}
	return nil
}

// encodeQR makes the code of a URL. It survives that a seventh of it cannot be read.
func encodeQR(url string) (*qr.Code, error) {
	code, err := qr.Encode(url, qr.M)
	if err != nil {
		return nil, fmt.Errorf("make the QR code: %w", err)
	}
	code.Scale = qrPixels
	return code, nil
}

// qrFile is a file with a QR code that is about to be written: one that its owner alone
// can read, for whoever has the code has the link. It takes the place of what had its
// name when it is whole.
type qrFile struct {
	path string
	file *os.File
}

// createQRFile begins a file, before there is a link that it could fail to hold.
func createQRFile(path string) (*qrFile, error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".keyhole-qr-*") // with mode 0600
	if err != nil {
		return nil, usage(fmt.Sprintf("the QR code cannot be written: %v", withoutPath(err)), "name a file in a directory that you can write into by --qr-file")
	}
	return &qrFile{path: path, file: file}, nil
}

// write writes a code and gives the file its name.
func (f *qrFile) write(code *qr.Code) error {
	_, err := f.file.Write(qrWriters()[strings.ToLower(filepath.Ext(f.path))](code))
	if err = errors.Join(err, f.file.Close()); err == nil {
		err = os.Rename(f.file.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("the QR code cannot be written: %w", err)
	}
	return nil
}

// discard takes away what was not written.
func (f *qrFile) discard() {
	_ = f.file.Close()           // It may be closed.
	_ = os.Remove(f.file.Name()) // It may have its name.
}

// qrSVG draws a code as SVG.
func qrSVG(code *qr.Code) []byte {
	var b bytes.Buffer
	width := code.Size + 2*quietZone
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" width="%[2]d" height="%[2]d" shape-rendering="crispEdges">`+
		`<path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path d="`, width, width*qrPixels)
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quietZone, y+quietZone)
			}
		}
	}
	b.WriteString("\"/></svg>\n")
	return b.Bytes()
}

// qrText draws a code in characters, two rows of modules in a line: light where a
// block is. On a terminal the colours are said, for those who read dark on light.
func qrText(code *qr.Code, coloured bool) string {
	var b strings.Builder
	light := func(x, y int) bool { return !code.Black(x, y) } // outside of it too
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		if coloured {
			b.WriteString("\x1b[97;40m")
		}
		for x := -quietZone; x < code.Size+quietZone; x++ {
			upper, lower := light(x, y), light(x, y+1) && y+1 < code.Size+quietZone
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
