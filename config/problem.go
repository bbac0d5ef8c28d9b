package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in the configuration. It never contains the value of a secret.
type Problem struct {
	// Path is the key, such as redis.timeout or storage[0].buckets[1]; "" if the problem
	// is not about a single key.
	Path string
	// Line is the line of the key in the file, or of the section that lacks the key. It
	// is 0 if the file has neither.
	Line int
	// Variable is the environment variable that set the key, or "".
	Variable string
	// Message says what is wrong and how to correct it.
	Message string
}

// String returns one line: the variable or the line of the file, the key and the message.
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

// Problems is the error of Load and Prepare. It contains all problems: first those with a
// line of the file, in the order of the lines, then the others.
type Problems []Problem

// Error returns one line for each problem.
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

// The codes of warnings.
const (
	WarnHTTPPublicURL   = "http_public_url"   // links are sent unencrypted
	WarnHTTPOperatorURL = "http_operator_url" // operator keys are sent unencrypted
	WarnHTTPOperator    = "http_operator"     // the operators' listener is plain http on other interfaces than loopback
	WarnHTTPEndpoint    = "http_endpoint"     // objects and signatures are sent unencrypted
	WarnSecretFileMode  = "secret_file_mode"  // every user of the machine can read a secret
	WarnNoOperatorKeys  = "no_operator_keys"  // no operator can use the API
	WarnDottedBucket    = "dotted_bucket"     // the store's certificate will not match
	WarnUnknownBucket   = "unknown_bucket"    // a pattern that matches no configured bucket
	WarnLongCap         = "long_cap"          // a leaked link can be used for a long time
	WarnUnusedLimit     = "unused_limit"      // a limit that never applies, because other limits are shorter
	WarnNoOrganization  = "no_organization"   // recipients do not learn whose files these are
	WarnUnusedLink      = "unused_link"       // a link of the pages' footer that no page shows
	WarnSharedOrigin    = "shared_origin"     // objects have the origin of the pages
)

// Warning is a setting that works but has a risk that an operator should know.
type Warning struct {
	// Code is one of the Warn constants.
	Code string
	// Path is the key.
	Path string
	// Message says what can happen and what to do.
	Message string
}

// String returns one line: the key and the message.
func (w Warning) String() string { return w.Path + ": " + w.Message }
