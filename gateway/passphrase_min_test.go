package gateway

import (
	"errors"
	"strings"
	"testing"
)

// TestPassphraseMin issues no link whose passphrase has fewer characters than the policy
// requires. It counts characters, not bytes, and says what the limit is.
func TestPassphraseMin(t *testing.T) {
	t.Parallel()
	for passphrase, want := range map[string]string{
		"abcdefgh": "", "äöüßäöüß": "", "abcdefghi": "",
		"abcdefg":                "passphrase too_short: has 7 characters; the policy requires at least 8",
		"äöüßäöü":                "passphrase too_short: has 7 characters; the policy requires at least 8",
		"":                       "passphrase invalid: must have 1 to 256 bytes",
		strings.Repeat("x", 257): "passphrase invalid: must have 1 to 256 bytes",
	} {
		f := newFixture(t, func(o *Options) { o.Policy.PassphraseMin = 8 })
		_, err := f.service.Issue(t.Context(), everything(), &IssueRequest{
			Bucket: "exports", Key: "q3.pdf", Passphrase: &passphrase,
		})
		var refused *Error
		got := ""
		if errors.As(err, &refused) && len(refused.Fields) == 1 {
			field := refused.Fields[0]
			got = field.Field + " " + field.Code + ": " + field.Message
		}
		if got != want || (err == nil) != (want == "") {
			t.Errorf("%q: got %q, %v, want %q", passphrase, got, err, want)
		}
	}
}
