package cli

import (
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"keyhole/cmd/keyhole/internal/command"
)

// maxPassphraseFile is more than a passphrase can have, in bytes: what is longer the
// service refuses.
const maxPassphraseFile = 1 << 10

// readPassphrase reads the file with a passphrase, one line. One line break at its end
// is no part of it. The file's text is not repeated.
func readPassphrase(stderr io.Writer, path string) (string, error) {
	text, err := readSecretFile(stderr, "passphrase file", path, maxPassphraseFile)
	if err != nil {
		return "", command.Usage(fmt.Sprintf("the passphrase file cannot be read: %v", err), "give a readable file by --passphrase-file")
	}
	passphrase := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	switch {
	case !utf8.ValidString(passphrase):
		return "", command.Usage("the passphrase is not valid UTF-8", "write it in UTF-8 into the file of --passphrase-file")
	case strings.ContainsFunc(passphrase, unicode.IsControl):
		return "", command.Usage("the passphrase has line breaks or control characters, which recipients cannot type", "write one line into the file of --passphrase-file")
	case passphrase == "":
		return "", command.Usage("the passphrase file is empty", "write the passphrase into the file of --passphrase-file")
	}
	return passphrase, nil
}

// makePassphrase draws a passphrase of 80 bits that can be read out: small letters and
// digits in four groups, without 0 and 1, which letters look like.
func makePassphrase() string {
	text := strings.ToLower(rand.Text()[:16])
	return strings.Join([]string{text[:4], text[4:8], text[8:12], text[12:]}, "-")
}

// tellPassphrase prints a passphrase that was made up, apart from the URL.
func tellPassphrase(stderr io.Writer, passphrase string, quiet bool) {
	fmt.Fprintf(stderr, "\nPassphrase: %s\n", passphrase)
	if !quiet {
		fmt.Fprintln(stderr, "It is typed as it stands: small letters, and the hyphens too. Send it another way\nthan the link, by phone for instance. It is shown this once.")
	}
}
