package config

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a value that prints as "[redacted]" in every format, so that it is safe to
// log a whole configuration. The pointer is a second protection: fmt does not call the
// methods of a value in an unexported field of another package. It would print the text
// itself, but for a pointer it prints the address.
type Secret struct {
	value *string
}

// NewSecret returns a Secret that contains s.
func NewSecret(s string) Secret {
	return Secret{value: &s}
}

// Reveal returns the text of the secret, or "" if the secret was not set. Never pass it
// to code that logs.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Format writes "[redacted]" for every verb of fmt. String is not enough, because a wrong
// verb, such as %d, prints the value itself.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, redacted)
}

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (s Secret) GoString() string { return redacted }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]" as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalYAML returns "[redacted]".
func (s Secret) MarshalYAML() (any, error) { return redacted, nil }

// LogValue returns "[redacted]" for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
