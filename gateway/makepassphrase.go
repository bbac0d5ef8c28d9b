package gateway

import (
	"encoding/base32"
	"fmt"
	"io"
	"strings"
)

// A generated passphrase has groups of passphraseGroup characters with hyphens between
// them. Each group has 20 random bits; leastGroups have 80.
const (
	passphraseGroup = 4
	leastGroups     = 4
)

// passphraseAlphabet has lower-case letters and digits without 0 and 1, which look like
// letters.
const passphraseAlphabet = "abcdefghijklmnopqrstuvwxyz234567"

// MakePassphrase makes a passphrase that is easy to read out, with at least 80 random bits
// and at least the given number of characters, hyphens included. It reads 5 bytes of
// random for each two groups of four characters, so at most 35 bytes for 64 characters,
// the largest policy.passphrase_min. The same bytes make the same passphrase. The error
// is that of random.
func MakePassphrase(random io.Reader, characters int) (string, error) {
	// n groups have n*passphraseGroup characters and n-1 hyphens.
	groups := max(leastGroups, (characters+1+passphraseGroup)/(passphraseGroup+1))
	drawn := make([]byte, (groups+1)/2*5) // base32 makes two groups of five bytes
	if _, err := io.ReadFull(random, drawn); err != nil {
		return "", fmt.Errorf("draw a passphrase: %w", err)
	}
	text := base32.NewEncoding(passphraseAlphabet).EncodeToString(drawn)
	all := make([]string, groups)
	for i := range all {
		all[i] = text[i*passphraseGroup:][:passphraseGroup]
	}
	return strings.Join(all, "-"), nil
}
