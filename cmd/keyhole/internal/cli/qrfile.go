package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rsc.io/qr"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
)

// qrWriters are the formats of a file with a QR code, by its extension.
func qrWriters() map[string]func(*qr.Code) []byte {
	return map[string]func(*qr.Code) []byte{".png": (*qr.Code).PNG, ".svg": term.QRSVG}
}

// checkQRFile refuses a file name without the extension of a known format.
func checkQRFile(path string) error {
	if _, ok := qrWriters()[strings.ToLower(filepath.Ext(path))]; path != "" && !ok {
		return command.Usage("a QR code can be written as PNG or SVG",
			"name the file with this extension, such as --qr-file link.png")
	}
	return nil
}

// qrFile is a file with a QR code that is being written. Only its owner can read it,
// because the code is the link. It replaces a file of its name when it is complete.
type qrFile struct {
	path string
	file *os.File
}

// createQRFile creates a file. It is called before the link is issued, so that a link is
// not issued in vain.
func createQRFile(path string) (*qrFile, error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".keyhole-qr-*") // with mode 0600
	if err != nil {
		return nil, command.Usage(fmt.Sprintf("cannot write the QR code: %v", withoutPath(err)),
			"name a file in a writable directory in --qr-file")
	}
	return &qrFile{path: path, file: file}, nil
}

// write writes a code, then gives the file its name. A file of that name is replaced as a whole.
func (f *qrFile) write(code *qr.Code) error {
	// The rename comes last, so that nobody reads half a file.
	_, err := f.file.Write(qrWriters()[strings.ToLower(filepath.Ext(f.path))](code))
	if err = errors.Join(err, f.file.Close()); err == nil {
		err = os.Rename(f.file.Name(), f.path)
	}
	// The caller adds the ID of the link, which was issued before.
	if err != nil {
		return fmt.Errorf("cannot write the QR code: %w", err)
	}
	return nil
}

// discard removes a file that was not written.
func (f *qrFile) discard() {
	_ = f.file.Close()           // It may be closed.
	_ = os.Remove(f.file.Name()) // It may have its name.
}
