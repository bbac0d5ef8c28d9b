package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// maxPassphraseFile is the size of the largest passphrase file, in bytes. The service
// accepts no longer passphrase.
const maxPassphraseFile = 1 << 10

// fromInput is the name of a file that means standard input.
const fromInput = "-"

// readPassphrase reads a file with a passphrase on one line, without the line break at
// its end. Errors do not contain the text of the file.
func readPassphrase(ctx context.Context, env *command.Env, path string) (string, error) {
	read := func() (string, error) {
		return readSecretFile(env.Stderr, "passphrase file", path, maxPassphraseFile)
	}
	if path == fromInput {
		read = func() (string, error) { return passphraseOfInput(ctx, env) }
	}
	text, err := read()
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

// passphraseOfInput reads standard input to its end, and on a terminal one line that it does
// not show.
func passphraseOfInput(ctx context.Context, env *command.Env) (string, error) {
	if term.IsTerminal(env.Stdin) && term.IsTerminal(env.Stderr) {
		fmt.Fprint(env.Stderr, "Passphrase for recipients (it is not shown): ")
		defer fmt.Fprintln(env.Stderr)
		return term.ReadSecret(ctx, env.Stdin)
	}
	// One byte more than allowed tells a text that is too long from one that just fits.
	text, err := readAll(ctx, io.LimitReader(env.Stdin, maxPassphraseFile+1))
	if err == nil && len(text) > maxPassphraseFile {
		err = fmt.Errorf("it is larger than %d bytes", maxPassphraseFile)
	}
	return text, err
}

// A generated passphrase has groups of four characters. fewestGroups have 80 random bits.
// mostGroups with their hyphens have 64 characters, the largest policy.passphrase_min.
const (
	groupLength  = 4
	fewestGroups = 4
	mostGroups   = 13
)

// makePassphrase draws a passphrase with a number of groups.
func makePassphrase(groups int) string {
	passphrase, _ := gateway.MakePassphrase(rand.Reader, groups*(groupLength+1)-1) // rand.Reader never fails.
	return passphrase
}

// longerPassphrase replaces a generated passphrase by one with another group, if the service
// refused it as too short and a longer one can be generated.
func longerPassphrase(passphrase *string, refused []api.FieldError) bool {
	tooShort := slices.ContainsFunc(refused, func(f api.FieldError) bool {
		return f.Field == "passphrase" && f.Code == "too_short"
	})
	groups := strings.Count(*passphrase, "-") + 1
	if !tooShort || groups >= mostGroups {
		return false
	}
	*passphrase = makePassphrase(groups + 1)
	return true
}

// lengthenPassphrase is longerPassphrase for the request of share.
func (f *shareFlags) lengthenPassphrase(refused []api.FieldError) bool {
	return f.makePassphrase && longerPassphrase(f.request.Passphrase, refused)
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
