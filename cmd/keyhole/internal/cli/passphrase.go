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

// maxPassphraseFile is the size of the largest passphrase file, in bytes. The service
// accepts no longer passphrase.
const maxPassphraseFile = 1 << 10

// readPassphrase reads a file with a passphrase on one line, without the line break at
// its end. Errors do not contain the text of the file.
func readPassphrase(stderr io.Writer, path string) (string, error) {
	text, err := readSecretFile(stderr, "passphrase file", path, maxPassphraseFile)
	if err != nil {
		return "", command.Usage(fmt.Sprintf("cannot read the passphrase file: %v", err),
			"name a readable file in --passphrase-file")
	}
	// Editors end the line with a break. Spaces stay, because they may be meant.
	passphrase := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	switch {
	case !utf8.ValidString(passphrase):
		return "", command.Usage("the passphrase is not valid UTF-8", "save the file of --passphrase-file in UTF-8")
	case strings.ContainsFunc(passphrase, unicode.IsControl):
		return "", command.Usage("the passphrase contains line breaks or control characters, which recipients cannot type",
			"write one line into the file of --passphrase-file")
	case passphrase == "":
		return "", command.Usage("the passphrase file is empty", "write the passphrase into the file of --passphrase-file")
	}
	return passphrase, nil
}

// makePassphrase draws a passphrase of 80 random bits that is easy to read out: lower-case
// letters and digits in four groups, without 0 and 1, which look like letters.
func makePassphrase() string {
	// Each character of rand.Text is one of 32 and has 5 random bits.
	text := strings.ToLower(rand.Text()[:16])
	return strings.Join([]string{text[:4], text[4:8], text[8:12], text[12:]}, "-")
}

// tellPassphrase prints a generated passphrase, separately from the URL.
func tellPassphrase(stderr io.Writer, passphrase string, quiet bool) {
	fmt.Fprintf(stderr, "\nPassphrase: %s\n", passphrase)
	if !quiet {
		fmt.Fprintln(stderr,
			"Recipients type it in lower case, with the hyphens. Send it by another way than the\nlink, for example by "+
				"phone. It is shown only once.")
	}
}
