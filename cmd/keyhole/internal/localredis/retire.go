package localredis

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// retiredName is the file that Retire writes.
const retiredName = "moved"

// maxRetired is the longest text of that file that an error repeats, in bytes.
const maxRetired = 200

// Retire marks a directory whose data was moved to another Redis, so that no service starts
// on it any more: it does not know what is revoked at the other Redis. to says where the
// data is now, and mark identifies the move; each is one line. When Retire returns without
// error, both are on the disk. The error is an *Error.
func Retire(directory, to, mark string) error {
	path := filepath.Join(directory, retiredName)
	err := writeSynced(path+".new", to+"\n"+mark+"\n")
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDirectory(directory)
	}
	if err != nil {
		return unusable(directory, err)
	}
	return nil
}

// writeSynced writes a file and waits until it is on the disk.
func writeSynced(path, text string) error {
	//nolint:gosec // in the service's own directory
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}

// syncDirectory waits until the names in a directory are on the disk.
func syncDirectory(path string) error {
	directory, err := os.Open(path) //nolint:gosec // the service's own directory
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// unknownMark is the mark of a directory whose file names no move.
const unknownMark = "unknown"

// RetiredBy returns the mark of the move that retired the directory; "": it is in use. The
// error is an *Error.
func RetiredBy(directory string) (mark string, err error) {
	text, err := readRetired(directory)
	if text == "" || err != nil {
		return "", err
	}
	_, mark, _ = strings.Cut(text, "\n")
	return cmp.Or(strings.TrimSpace(mark), unknownMark), nil
}

// checkRetired returns an *Error if Retire has marked the directory.
func checkRetired(directory string) error {
	text, err := readRetired(directory)
	if text == "" || err != nil {
		return err
	}
	to, _, _ := strings.Cut(text[:min(len(text), maxRetired)], "\n")
	return &Error{
		fmt.Sprintf("the links in %s were moved to %s; the old data knows no later revocation", directory, to),
		"start the service with the configuration of that Redis; to go back to the old data, remove " +
			filepath.Join(directory, retiredName) + " and revoke the links again that were revoked since the move",
	}
}

// readRetired returns what Retire has written; "": nothing.
func readRetired(directory string) (string, error) {
	text, err := os.ReadFile(filepath.Join(directory, retiredName)) //nolint:gosec // in the service's own directory
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", unusable(directory, err)
	}
	return string(text), nil
}
