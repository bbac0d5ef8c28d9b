package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
)

// coverageLine matches the result in the output of go test. A package without statements
// has "[no statements]" instead.
var coverageLine = regexp.MustCompile(`coverage: ([0-9.]+)% of statements`)

// coverage runs the tests of a package and returns the percentage of its statements
// that they execute, or a dash for a package without statements or tests. Tests of other
// packages do not count. GOFLAGS can add build tags. A failed test is an error, because
// the percentage would be too low.
func coverage(root, dir string) (string, error) {
	var output bytes.Buffer
	test := exec.Command("go", "test", "-cover", "-timeout", "15m", "./"+dir) //nolint:gosec // a package of the tree
	test.Dir = root
	// The output is shown only if a test fails: it would be between the rows of the table.
	test.Stdout, test.Stderr = &output, &output
	if err := test.Run(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			return "", err
		}
		return "", fmt.Errorf("go test -cover ./%s: %w\n%s", dir, err, output.Bytes())
	}
	found := coverageLine.FindSubmatch(output.Bytes())
	if found == nil {
		return "–", nil
	}
	return string(found[1]), nil
}
