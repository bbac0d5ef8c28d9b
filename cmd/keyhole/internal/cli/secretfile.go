package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"keyhole/cmd/keyhole/internal/cli/term"
)

// readSecretFile reads a file of at most limit bytes that a user named, and warns if
// everyone may read it. Errors do not contain the name, because users sometimes type the
// secret in its place.
func readSecretFile(stderr io.Writer, what, path string, limit int64) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the file that the user named
	if err != nil {
		return "", withoutPath(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	// A pipe, such as <(pass show key), has no mode of its own.
	if info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0 {
		fmt.Fprintf(stderr, "warning: everyone on this machine can read the %s: chmod 600 %s\n", what,
			term.Plain(term.ShellWord(path)))
	}
	// One byte more than allowed tells a file that is too large from one that just fits.
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("it is larger than %d bytes", limit)
	}
	return string(text), withoutPath(err)
}

// withoutPath returns the reason of an error about a file, without its name.
func withoutPath(err error) error {
	if of, ok := errors.AsType[*fs.PathError](err); ok {
		return of.Err
	}
	return err
}
