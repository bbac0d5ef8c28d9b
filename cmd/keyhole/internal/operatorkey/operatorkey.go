package operatorkey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

// prefix lets scanners for leaked secrets recognise an operator key.
const prefix = "khk_"

// New draws an operator key of at least 130 random bits. rand.Text cannot fail.
func New() string { return prefix + rand.Text() }

// Hash returns the SHA-256 of a key in hexadecimal digits. The configuration
// holds only this hash.
func Hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// secrets are operator keys and the tokens of identity providers, which are JSON Web
// Tokens (RFC 7519): three parts, of which the first begins with {" in base64url.
var secrets = regexp.MustCompile(`(khk_|eyJ)[A-Za-z0-9_.-]{8,}`)

// Redact returns text with every operator key and token replaced by its first
// characters. Keys get into messages if a user types one in the place of another
// argument.
func Redact(text string) string { return secrets.ReplaceAllString(text, "$1…") }
