package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// Labels and creators of the newest links are completed, each once.
func TestCompletionsOfSelections(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/links": api.LinkPage{Links: []api.Link{
		{CreatedBy: "ci", Labels: map[string]string{"team": "b", "case": "7"}},
		{CreatedBy: "ann", Labels: map[string]string{"team": "a\x1b"}},
		{CreatedBy: "ci", Labels: map[string]string{"team": "b"}},
	}}}}
	for args, want := range map[string]string{
		"list --label": "case=7\nteam=b\n", "revoke --label": "case=7\nteam=b\n", "share --label": "case=7\nteam=b\n",
		"change x --label": "case=7\nteam=b\n", "list --created-by": "ann\nci\n", "revoke --created-by": "ann\nci\n",
	} {
		got := completed(t, f, want, append(strings.Fields(args), "")...)
		if got.code != command.ExitOK || !strings.HasPrefix(got.stdout, want) || strings.Contains(got.stdout, "\x1b") {
			t.Errorf("%s: got %q, want %q", args, got.stdout, want)
		}
		got = runOver(t, &fakeAPI{}, append([]string{"__complete"}, append(strings.Fields(args), "")...)...)
		if got.stdout != ":4\n" {
			t.Errorf("%s after a failure: %q", args, got.stdout)
		}
	}
}

// Completion and help show the lengths of the presets in the service; without a service
// they show the names.
func TestPresetsOfService(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/operator": aOperator()}}
	if got := completed(t, f, "10m", "share", "--preset", ""); got.stdout !=
		"handoff\t10m\ntroubleshooting\nbusiness\t12h\nextended\n:4\n" {
		t.Errorf("got %q", got.stdout)
	}
	const names = "handoff\ntroubleshooting\nbusiness\nextended\n:4\n"
	if got := runOver(t, &fakeAPI{}, "__complete", "share", "--preset", ""); got.stdout != names {
		t.Errorf("after a failure: %q", got.stdout)
	}
	for _, args := range [][]string{{"share", "--help"}, {"help", "share"}} {
		got := inTime("a preset of the service", func() result { return runOver(t, f, args...) })
		if got.code != command.ExitOK || got.stderr != "" {
			t.Errorf("%q: %+v", args, got)
		}
		has(t, got.stdout, "by a preset of the service: handoff (10m), business (12h)",
			"the object is sensitive: the link lives 10m without --expires, and at most 2h\n",
			"the object is not sensitive: the link lives 12h without --expires, and at most 2h\n")
		got = runOver(t, &fakeAPI{}, args...)
		has(t, got.stdout, "by a preset: handoff, troubleshooting, business or extended")
	}
	if got := runAs(t, "", nil, "share", "--help"); got.code != command.ExitOK || got.stderr != "" ||
		!strings.Contains(got.stdout, "by a preset: handoff") {
		t.Errorf("without a key: %+v", got)
	}
	hostile := aOperator()
	hostile.Presets[0].ExpiresIn = "\x1b[2J"
	f = &fakeAPI{answers: map[string]any{"GET /api/v1/operator": hostile}}
	if got := runOver(t, f, "share", "--help"); strings.Contains(got.stdout, "\x1b") {
		t.Error("text of the service reaches the terminal")
	}
}

// A service that does not answer delays a help text for a moment only.
func TestHelpOfSilentService(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 5)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done() // until the command gives up
	}))
	t.Cleanup(server.Close)
	untilAsked(t, asked, func() {
		got := runAs(t, "", []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL}, "share", "--help")
		if got.code != command.ExitOK || !strings.Contains(got.stdout, "by a preset: handoff") {
			t.Errorf("%+v", got)
		}
	})
}

// Words of other tools lead to the right command or flag.
func TestWordsOfOthers(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"delete x":                        "did you mean: keyhole revoke\n",
		"rm x":                            "did you mean: keyhole revoke\n",
		"ls":                              "did you mean: keyhole list\n",
		"ls s3://reports":                 "did you mean: keyhole objects\n",
		"create s3://reports/a":           "did you mean: keyhole share\n",
		"get x":                           "did you mean: keyhole show\n",
		"get s3://reports/a":              "did you mean: keyhole share\n",
		"url s3://reports/a":              "did you mean: keyhole share\n",
		"url":                             "did you mean: keyhole share\n",
		"PRESIGN s3://reports/a":          "did you mean: keyhole share\n",
		"login":                           "did you mean: keyhole context add\n",
		"setup":                           "did you mean: keyhole context add\n",
		"stop x":                          "did you mean: keyhole revoke\n",
		"end x":                           "did you mean: keyhole revoke\n",
		"who":                             "did you mean: keyhole audit\n",
		"explain x":                       "did you mean: keyhole show or keyhole events\n",
		"why x":                           "did you mean: keyhole show or keyhole events\n",
		"reference x":                     "did you mean: keyhole show or keyhole events\n",
		"erase 192.0.2.7":                 "did you mean: keyhole audit erase\n",
		"forget 192.0.2.7":                "did you mean: keyhole audit erase\n",
		"key login":                       "see: keyhole key --help\n",
		"change x --new-passphrase":       "did you mean --make-passphrase? see: keyhole change --help\n",
		"change x --no-passphras":         "did you mean --no-passphrase? see: keyhole change --help\n",
		"change x --xo-passphrase":        "see: keyhole change --help\n",
		"change x --on-allow":             "see: keyhole change --help\n",
		"list --unused":                   "did you mean --used never? see: keyhole list --help\n",
		"audit --downloads":               "did you mean --kind redirected? see: keyhole audit --help\n",
		"share a --downloads 1":           "did you mean --max-clicks? see: keyhole share --help\n",
		"share a --uses 1":                "did you mean --max-clicks? see: keyhole share --help\n",
		"audit --kind download":           "did you mean redirected? use one of issued, ",
		"whoami":                          "did you mean: keyhole key\n",
		"contxt":                          "did you mean: keyhole context\n",
		"key delete":                      "see: keyhole key --help\n",
		"keys whoami":                     "did you mean: keyhole key check\n",
		"key create":                      "did you mean: keyhole key new\n",
		"share a --password x":            "did you mean --make-passphrase or --passphrase-file? see: keyhole share --help\n",
		"share a --password=x":            "did you mean --make-passphrase or --passphrase-file?",
		"share a --max-downloads 1":       "did you mean --max-clicks?",
		"share a --expire 1h":             "did you mean --expires?",
		"share a --ttl 1h":                "did you mean --expires?",
		"share a --profile prod":          "did you mean --context?",
		"share a --token khk_canary12345": "an operator key is never an argument",
		"share a -o json":                 "did you mean --json?",
		"share a -z":                      "see: keyhole share --help",
		"revoke --force":                  "did you mean --yes?",
		"list --output json":              "did you mean --json?",
		"list --status active":            "did you mean --state?",
		"list --max-results 5":            "did you mean --limit?",
		"list --url x":                    "did you mean --operator-url?",
		"version --password":              "see: keyhole version --help",
	} {
		got := runOver(t, &fakeAPI{}, strings.Fields(args)...)
		if got.code != command.ExitUsage || got.stdout != "" || !strings.Contains(got.stderr, "\n  "+want) ||
			strings.Contains(got.stderr, "canary") {
			t.Errorf("%q: %+v, want %q", args, got, want)
		}
	}
}
