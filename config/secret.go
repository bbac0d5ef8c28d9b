package config

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a value that no form of printing shows, so that a configuration can
// be logged whole. The pointer is the second line of defence: inside another
// package's unexported field fmt calls no method and would print the text, but
// of a pointer it prints the address.
type Secret struct {
	value *string
}

// NewSecret hides s.
func NewSecret(s string) Secret {
	return Secret{value: &s}
}

// Reveal is the secret itself, "" where none was given. Hand it to what needs
// it, and to nothing that logs.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Format answers every verb of fmt alike. String alone would not do: a verb that
// does not fit, such as %d, prints the value itself.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, redacted)
}

// String is "[redacted]".
func (s Secret) String() string { return redacted }

// GoString is "[redacted]".
func (s Secret) GoString() string { return redacted }

// MarshalText writes "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON writes "[redacted]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalYAML writes "[redacted]".
func (s Secret) MarshalYAML() (any, error) { return redacted, nil }

// LogValue is "[redacted]" to slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
