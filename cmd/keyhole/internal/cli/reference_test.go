package cli

import (
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
)

// An error about an unknown link names the link by its ID or reference, and never by the
// token of a URL.
func TestUnknownLinkIsNamed(t *testing.T) {
	t.Parallel()
	const token = "1111111111111111111111"
	id := gateway.IDOf(token).String()
	for arg, want := range map[string]string{
		testID(): testID(), testID()[:8]: testID()[:8], strings.ToUpper(id): id,
		"https://dl.example.com/" + token: id, token: id,
	} {
		for _, name := range []string{"show", "events", "events --follow", "change --pause", "resend", "revoke"} {
			shows := name == "show" || strings.HasPrefix(name, "events")
			if !shows && (arg == testID()[:8] || arg == strings.ToUpper(id)) {
				continue // The other commands need an ID as it is listed.
			}
			got := runOver(t, &fakeAPI{}, append(strings.Fields(name), arg)...)
			if got.code != command.ExitFailed || !strings.Contains(got.stderr, want+": there is no such link\n") ||
				strings.Contains(got.stderr, token) {
				t.Errorf("%s %s: %+v", name, arg, got)
			}
		}
	}
	got := runOver(t, &fakeAPI{}, "audit", "erase", "--yes", "--link", "https://dl.example.com/"+token)
	if got.code != command.ExitFailed || !strings.Contains(got.stderr, "link "+id+": there is no such link\n") ||
		strings.Contains(got.stderr, token) {
		t.Errorf("audit erase: %+v", got)
	}
}
