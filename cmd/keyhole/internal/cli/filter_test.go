package cli

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// queryOf returns the query of a request that a fake API has recorded.
func queryOf(t *testing.T, r fakeRequest) url.Values {
	t.Helper()
	u, err := url.Parse(strings.Fields(r.line)[1])
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// list and revoke send the same filters: one in the query, one in the body.
func TestFiltersOfListAndRevoke(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/links":        api.LinkPage{Links: []api.Link{testLink()}},
		"POST /api/v1/revocations": api.Revocation{Matched: 1, Revoked: 1, Done: true},
	}}
	filters := []string{
		"--state", "active,paused", "--state", "used_up", "--label", "team=a", "--label", "case=a,b=c",
		"--since", "2026-11-25", "--used", "never", "--ends-within", "2d",
		"--ends-after", "1d", "--bucket", "b", "--created-by", "ci",
	}
	for _, verb := range []string{"list", "revoke"} {
		if got := runOver(t, f, append([]string{verb}, filters...)...); got.code != command.ExitOK {
			t.Fatalf("%s: %+v", verb, got)
		}
	}
	query, body := queryOf(t, f.requests[0]), f.requests[1].body
	for name, want := range map[string]string{
		"state": "active,paused,used_up", "since": "2026-11-25T00:00:00Z", "used": "never", "ends_within": "2d",
		"ends_after": "1d",
		"bucket":     "b", "created_by": "ci",
	} {
		if query.Get(name) != want || body[name] != want {
			t.Errorf("%s: list sends %q, revoke %v, want %q", name, query.Get(name), body[name], want)
		}
	}
	if labels := query["label"]; !slices.Equal(labels, []string{"team=a", "case=a,b=c"}) {
		t.Errorf("list sends the labels %q", labels)
	}
	if want := map[string]any{"team": "a", "case": "a,b=c"}; !reflect.DeepEqual(body["labels"], want) {
		t.Errorf("revoke sends the labels %v", body["labels"])
	}
	// An age is counted back by the service.
	runOver(t, f, "list", "--since", "24h")
	if got := queryOf(t, f.requests[2]).Get("since"); got != "24h" {
		t.Errorf("an age is sent as %s", got)
	}
	// A date is one in UTC, as in --since.
	runOver(t, f, "list", "--ends-after", "2026-12-01")
	if got := queryOf(t, f.requests[3]).Get("ends_after"); got != "2026-12-01T00:00:00Z" {
		t.Errorf("a date is sent as %s", got)
	}
	// A service of an earlier version knows one label.
	runOver(t, f, "revoke", "--label", "team=a")
	if body := f.requests[4].body; body["label"] != "team=a" || body["labels"] != nil {
		t.Errorf("one label is sent as %v", body)
	}
}

// The help and the completion of revoke offer only what revoke accepts; list offers every
// state, and needs no bucket.
func TestFiltersOfRevokeAreRevocable(t *testing.T) {
	t.Parallel()
	for verb, want := range map[string][]string{
		"list": {
			"active\npaused\nnot_yet\nexpired\nrevoked\nused_up\n",
			"only links in this state: active, paused, not_yet, expired, revoked or used_up; several",
			" only links to the object with this key",
		},
		"revoke": {
			"active\npaused\nnot_yet\nused_up\n", "only links in this state: active, paused, not_yet or used_up; several",
			"with --bucket: only links to the object with this key",
		},
	} {
		if got := runOver(t, &fakeAPI{}, "__complete", verb, "--state", ""); !strings.HasPrefix(got.stdout, want[0]+":") {
			t.Errorf("%s --state completes to %q", verb, got.stdout)
		}
		help := strings.Join(strings.Fields(runOver(t, &fakeAPI{}, verb, "--help").stdout), " ")
		has(t, help, want[1:]...)
		if strings.Contains(help, "with --bucket: only") != (verb == "revoke") {
			t.Errorf("%s: %s", verb, help)
		}
		// Every state that is offered is accepted.
		for state := range strings.SplitSeq(strings.TrimSpace(want[0]), "\n") {
			f := &fakeAPI{answers: map[string]any{
				"GET /api/v1/links":        api.LinkPage{Links: []api.Link{testLink()}},
				"POST /api/v1/revocations": api.Revocation{Matched: 1, Revoked: 1, Done: true},
			}}
			if got := runOver(t, f, verb, "--state", state); got.code != command.ExitOK {
				t.Errorf("%s --state %s: %+v", verb, state, got)
			}
		}
	}
}

// Mistakes are found before a request is sent.
func TestFilterMistakes(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{}
	for args, want := range map[string]string{
		"list --state active,gone":                      `--state is "gone"`,
		"list --state activ":                            "did you mean active?",
		"list --state active,":                          "--state is empty",
		"list --used yes":                               `--used is "yes"`,
		"list --ends-within soon":                       `--ends-within is "soon", which is not a duration`,
		"list --ends-within 24h --state revoked":        "--ends-within selects links that have not ended",
		"list --ends-after soon":                        `--ends-after is "soon", which is neither a time nor a duration`,
		"list --ends-after 24h --state revoked":         "--ends-after selects links that have not ended",
		"list --ends-after 24h --ends-within 1d":        "--ends-after must be shorter than --ends-within",
		"list --since yesterday":                        "neither a time nor an age",
		"list --label team":                             "is not a label",
		"list --label team=a --label team=b":            `the label "team" is repeated`,
		"list --quiet --wide":                           "--quiet and --wide cannot be combined",
		"list --used=":                                  "--used is empty",
		"revoke --state active --state revoked":         "--state revoked selects links that cannot be revoked",
		"revoke --prefix p --used never":                "--prefix and --key need a bucket",
		"audit --object reports/q3.pdf --bucket b":      "--object cannot be combined with --bucket or --prefix",
		"audit --object s3://reports":                   "s3://BUCKET/KEY",
		"audit --object q3.pdf":                         "s3://BUCKET/KEY",
		"audit --bucket s3://reports":                   "--bucket takes only the name of a bucket",
		"audit --prefix s3://reports/a":                 "without its bucket",
		"audit --label x":                               "is not a label",
		"audit --outcome expird":                        "did you mean expired?",
		"audit --address here":                          "neither an address, nor a network",
		"audit --actor ci --outcome expired":            "no event matches --kind, --actor and --outcome together",
		"audit --kind redirected --actor ci --follow":   "no event matches",
		"audit --address 192.0.2.0/40 --kind refused":   "neither an address, nor a network",
		"audit --object=":                               "--object is empty",
		"audit --json --ndjson --object s3://reports/k": "--json and --ndjson cannot be combined",
	} {
		got := runOver(t, f, strings.Fields(args)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if len(f.requests) > 0 {
		t.Errorf("sent %v", f.requests)
	}
}

// Every filter of audit reaches the service, and an object is taken apart.
func TestAuditFiltersAreSent(t *testing.T) {
	t.Parallel()
	page := api.EventPage{Events: []api.Event{testEvent("redirected")}}
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/audit": page}}
	runOver(t, f, "audit", "--object", "s3://reports/a b/q3.pdf", "--kind", "redirected", "--outcome", "resumed",
		"--address", "192.0.2.0/24", "--label", "team=a", "--label", "case=7")
	runOver(t, f, "audit", "--bucket", "reports", "--prefix", "p/", "--actor", "ci")
	for i, want := range []url.Values{
		{
			"bucket": {"reports"}, "key": {"a b/q3.pdf"}, "kind": {"redirected"}, "outcome": {"resumed"},
			"address": {"192.0.2.0/24"}, "label": {"team=a", "case=7"}, "limit": {"50"},
		},
		{"bucket": {"reports"}, "prefix": {"p/"}, "actor": {"ci"}, "limit": {"50"}},
	} {
		if got := queryOf(t, f.requests[i]); !reflect.DeepEqual(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	}
}

// The outcome of a click is shown only if the event does not say the same.
func TestOutcomeRepeatsNoEvent(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]api.Event{
		"redirected -":       {Kind: "redirected", Outcome: "redirected"},
		"redirected resumed": {Kind: "redirected", Outcome: "resumed"},
		"page -":             {Kind: "page", Outcome: "page"},
		"refused expired":    {Kind: "refused", Outcome: "expired"},
		"issued -":           {Kind: "issued"},
	} {
		if row := eventRow(&e); row[1]+" "+row[2] != want {
			t.Errorf("got %q, want %q", row[1:3], want)
		}
	}
}

// --wide shows what the other columns leave out.
func TestWideList(t *testing.T) {
	t.Parallel()
	used, unused := testLink(), testLink()
	at := time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC)
	used.LastUsedAt = &at
	unused.MaxClicks, unused.Clicks, unused.Labels, unused.Note = nil, 0, nil, ""
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/links": api.LinkPage{Links: []api.Link{used, unused}}}}
	lines := strings.Split(runOver(t, f, "list", "--wide").stdout, "\n")
	has(t, lines[0], "ISSUED", "LAST USED", "LABELS", "NOTE")
	has(t, lines[1], "2026-11-01T00:00:00Z", "2026-11-02T03:04:05Z", "2/3", "case=7 team=a", "a note",
		`s3://reports/q3\x1b.pdf`)
	if cells := strings.Fields(lines[2]); !slices.Equal(cells[4:9], []string{"never", "0", "ci", "-", "-"}) {
		t.Errorf("the unused link has the cells %q", cells)
	}
}
