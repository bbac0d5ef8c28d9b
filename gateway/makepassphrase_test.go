package gateway

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"regexp"
	"testing"
)

// A generated passphrase has groups of four, is as long as the policy asks for, and has at
// least 80 random bits.
func TestMakePassphrase(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^[a-z2-7]{4}(-[a-z2-7]{4})*$`)
	for asked, want := range map[int]int{-1: 19, 0: 19, 8: 19, 19: 19, 20: 24, 24: 24, 25: 29, 60: 64, 64: 64} {
		seen := map[string]bool{}
		for range 100 {
			passphrase, err := MakePassphrase(rand.Reader, asked)
			if err != nil || len(passphrase) != want || !shape.MatchString(passphrase) || seen[passphrase] {
				t.Fatalf("%d characters: got %q, %v", asked, passphrase, err)
			}
			seen[passphrase] = true
		}
	}
}

// The same bytes make the same passphrase, and every bit of them counts.
func TestMakePassphraseAgain(t *testing.T) {
	t.Parallel()
	bits := []byte("0123456789abcdef0123456789abcdef012")
	of := func(b []byte) string {
		t.Helper()
		passphrase, err := MakePassphrase(bytes.NewReader(b), 64)
		if err != nil {
			t.Fatal(err)
		}
		return passphrase
	}
	first := of(bits)
	if again := of(bits); again != first {
		t.Errorf("%q, then %q", first, again)
	}
	seen := map[string]bool{first: true}
	for i := range 13 * 20 { // bits of 13 groups
		other := bytes.Clone(bits)
		other[i/8] ^= 0x80 >> (i % 8)
		if got := of(other); seen[got] {
			t.Errorf("bit %d does not count: %q", i, got)
		} else {
			seen[got] = true
		}
	}
	if got, err := MakePassphrase(bytes.NewReader(bits[:9]), 0); got != "" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("too few bytes: %q, %v", got, err)
	}
}
