package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"keyhole/cmd/keyhole/internal/cli/term"
)

// readSecretFile reads up to limit bytes of a file that a user named, and warns where
// everybody may read it. No error repeats the name: the secret itself may stand there.
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
	if info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0 {
		fmt.Fprintf(stderr, "warning: everybody on this machine can read the %s: chmod 600 %s\n", what, term.Plain(path))
	}
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("it is larger than %d bytes", limit)
	}
	return string(text), withoutPath(err)
}

// withoutPath is the reason of an error about a file.
func withoutPath(err error) error {
	if of, ok := errors.AsType[*fs.PathError](err); ok {
		return of.Err
	}
	return err
}
