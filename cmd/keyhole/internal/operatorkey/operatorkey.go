package operatorkey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
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
