package cli

import (
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// A link is shown by the first characters of its ID too. The other commands refuse them,
// because they may name another link later.
func TestShowByReference(t *testing.T) {
	t.Parallel()
	for _, reference := range []string{testID()[:8], testID()[:25], " (" + testID()[:8] + "). "} {
		sent := strings.Trim(reference, " ().")
		f := &fakeAPI{answers: map[string]any{"GET /api/v1/links/" + sent: testLink()}}
		got := runOver(t, f, "show", reference)
		if got.code != command.ExitOK {
			t.Errorf("%q: %+v", reference, got)
		}
		has(t, got.stdout, testID())
	}
	for _, args := range [][]string{
		{"show", testID()[:7]},
		{"show", strings.ToUpper(testID()[:8])},
		{"change", testID()[:8], "--pause"},
		{"events", testID()[:8]},
		{"revoke", testID()[:8]},
	} {
		f := &fakeAPI{}
		got := runOver(t, f, args...)
		if got.code != command.ExitUsage || len(f.requests) != 0 {
			t.Errorf("%q: %+v after %d requests", args, got, len(f.requests))
		}
	}
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/links/" + testID()[:8]: api.Problem{
		Status: 409, Code: "ambiguous", Detail: "2 links have IDs that begin with aaaaaaaa; send more characters of the ID",
	}}}
	got := runOver(t, f, "show", testID()[:8])
	if got.code != command.ExitFailed {
		t.Errorf("several links: %+v", got)
	}
	has(t, got.stderr, "2 links have IDs", "give more characters of the ID")
}
