package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with the configuration. It never contains
// the value of a secret.
type Problem struct {
	// Path is the key, such as redis.timeout or storage[0].buckets[1]; "" where the problem is with no key.
	Path string
	// Line is where the file says so, or the section that lacks the key; 0 where the file does not.
	Line int
	// Variable is the environment variable that says so, or "".
	Variable string
	// Message says what is wrong and what would be right.
	Message string
}

// String is one line: where, which key, what.
func (p Problem) String() string {
	var parts []string
	switch {
	case p.Variable != "":
		parts = append(parts, p.Variable)
	case p.Line > 0:
		parts = append(parts, fmt.Sprintf("line %d", p.Line))
	}
	if p.Path != "" {
		parts = append(parts, p.Path)
	}
	return strings.Join(append(parts, p.Message), ": ")
}

// Problems is the error of Load and Prepare: everything that is wrong, in the
// order of the file, then what the file does not say.
type Problems []Problem

// Error is one line per problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Variable, b.Variable),
		)
	})
}

// Codes of warnings.
const (
	WarnHTTPPublicURL   = "http_public_url"   // links travel in the clear
	WarnHTTPOperatorURL = "http_operator_url" // operator keys travel in the clear
	WarnHTTPEndpoint    = "http_endpoint"     // objects and signatures travel in the clear
	WarnSecretFileMode  = "secret_file_mode"  // every user of the machine can read a secret
	WarnNoOperatorKeys  = "no_operator_keys"  // nobody can use the API
	WarnDottedBucket    = "dotted_bucket"     // the store's certificate will not match
	WarnUnknownBucket   = "unknown_bucket"    // a pattern that matches no configured bucket
	WarnLongCap         = "long_cap"          // a link that leaks can be used for long
	WarnUnusedLimit     = "unused_limit"      // a limit that never applies, because others are shorter
)

// Warning is something that works but that an operator should know.
type Warning struct {
	// Code is one of the Warn constants.
	Code string
	// Path is the key.
	Path string
	// Message says what may happen and what to do.
	Message string
}

// String is one line: the key and the message.
func (w Warning) String() string { return w.Path + ": " + w.Message }
