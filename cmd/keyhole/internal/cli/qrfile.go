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

// checkQRFile refuses a file whose format its name does not tell.
func checkQRFile(path string) error {
	if _, ok := qrWriters()[strings.ToLower(filepath.Ext(path))]; path != "" && !ok {
		return command.Usage("a QR code is written as PNG or SVG", "name the file so, such as --qr-file link.png")
	}
	return nil
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
		return nil, command.Usage(fmt.Sprintf("the QR code cannot be written: %v", withoutPath(err)), "name a file in a directory that you can write into by --qr-file")
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
