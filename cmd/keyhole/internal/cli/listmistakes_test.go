package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// Mistakes in the flags of commands that read lists have exact messages, each with what to
// type instead, and no request is sent.
func TestListMistakes(t *testing.T) {
	t.Parallel()
	const age = "  write it as 2026-11-25T08:00:00Z, 2026-11-25 (UTC), 24h or 7d\n"
	const takes = " takes flags, and one object or folder as s3://BUCKET/KEY or s3://BUCKET/PREFIX/\n  filter by " +
		"--bucket, --prefix or --key; for one link: keyhole show or keyhole events\n  usage: "
	const s3 = " [s3://BUCKET/KEY | s3://BUCKET/PREFIX/] [flags]\n"
	f := &fakeAPI{}
	for args, want := range map[string]string{
		"list reports": "keyhole: keyhole list" + takes + "keyhole list" + s3,
		"list --limit ten": "keyhole: --limit is \"ten\"; it must be a whole number\n" +
			"  see: keyhole list --help\n",
		"list --limit -5":    "keyhole: --limit is -5; it must be 0 or more\n  omit it for 50; 0 means all\n",
		"audit --limit -5":   "keyhole: --limit is -5; it must be 0 or more\n  omit it for 50; 0 means all\n",
		"objects --limit -5": "keyhole: --limit is -5; it must be 0 or more\n  omit it for 50; 0 means all\n",
		"objects s3://reports --limit -5": "keyhole: --limit is -5; it must be 0 or more\n" +
			"  omit it for 50; 0 means all\n",
		"list --ends-within 1x":  "keyhole: --ends-within is \"1x\", which is not a duration\n  write it as 24h or 7d\n",
		"list --since 24":        "keyhole: --since is \"24\", which is neither a time nor an age\n" + age,
		"audit --until tomorrow": "keyhole: --until is \"tomorrow\", which is neither a time nor an age\n" + age,
		"audit --since 2026-11-25T08:00": "keyhole: --since is \"2026-11-25T08:00\", which is neither a time nor an age\n" +
			age,
		"audit --follow --until 1h": "keyhole: --follow cannot be combined with --until or --limit, " +
			"because --follow has no end\n  omit them\n",
		"audit --follow --limit 50": "keyhole: --follow cannot be combined with --until or --limit, " +
			"because --follow has no end\n  omit them\n",
		"audit " + testID(): "keyhole: keyhole audit" + takes + "keyhole audit" + s3,
		"audit --address 192.0.2.300": "keyhole: --address: \"192.0.2.300\" is neither an address, nor a network, " +
			"nor a recorded hash\n  write it as 192.0.2.7, 192.0.2.0/24 or as the audit shows it\n",
		"audit --kind revoked --outcome expired": "keyhole: no event matches --kind, --actor and --outcome together\n" +
			"  clicks have no actor, and events of operators have no outcome; omit one of the flags\n",
		"events": "keyhole: keyhole events needs one link, by ID, URL or reference\n" +
			"  usage: keyhole events ID|URL|REFERENCE [flags]\n",
		"events a b": "keyhole: keyhole events takes one link, by ID, URL or reference, not 2 arguments\n" +
			"  usage: keyhole events ID|URL|REFERENCE [flags]\n",
		"events --limit 501 " + testID(): "keyhole: --limit is 501; it must be 1 to 500\n  omit it for 100\n",
		"events --follow --limit 100 " + testID(): "keyhole: --follow and --limit cannot be combined, " +
			"because --follow has no end\n  omit one of them\n",
		"events --kind refused " + testID(): "keyhole: unknown flag: --kind\n  see: keyhole events --help\n",
		"objects s3://a s3://b":             "keyhole: only one bucket at a time\n  see: keyhole objects --help\n",
		"objects --storage main": "keyhole: --storage needs a bucket or --search\n" +
			"  name it: keyhole objects s3://BUCKET\n",
		"objects s3://": "keyhole: \"s3://\" is not a bucket\n  write it as s3://BUCKET or s3://BUCKET/PREFIX; " +
			"keyhole objects lists buckets and objects\n",
		"objects https://s3.example.com/reports/2026/?X-Amz-Signature=secret": "keyhole: a URL is not a bucket\n" +
			"  did you mean s3://reports/2026/?\n",
		"objects s3://reports --search=": "keyhole: --search is empty; omit it or give it a value\n" +
			"  is the variable in it unset?\n",
	} {
		got := runOver(t, f, strings.Fields(args)...)
		if got != (result{command.ExitUsage, "", want}) {
			t.Errorf("%s: %+v, want %s", args, got, want)
		}
	}
	if len(f.requests) > 0 {
		t.Errorf("sent %v", f.requests)
	}
}

// Objects and folders are one table whose last column can be copied into share. What the
// storage does not say is a dash.
func TestObjectTable(t *testing.T) {
	t.Parallel()
	size, zero, modified := int64(3<<20), int64(0), time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/objects": api.ObjectPage{
		Storage: "main", Bucket: "reports", Folders: []string{"2026/", "a\u202e/"}, Next: "more",
		Objects: []api.ObjectEntry{
			{Key: "q3 final.pdf", Size: &size, LastModified: &modified}, {Key: "empty", Size: &zero}, {Key: "unknown\x1b"},
		},
	}}}
	const more = "There are more: use --limit 10, or --limit 0 for all.\n"
	got := runOver(t, f, "objects", "s3://reports", "--limit", "5")
	want := []string{
		"SIZE MODIFIED OBJECT", "- - s3://reports/2026/", `- - s3://reports/a\u202e/`,
		"3.0 MiB 2026-11-01T08:00:00Z s3://reports/q3 final.pdf", "0 B - s3://reports/empty",
		`- - s3://reports/unknown\x1b`,
	}
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.Join(strings.Fields(lines[i]), " ")
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") || got.stderr != more || got.code != command.ExitOK {
		t.Errorf("%q, want %q; %+v", lines, want, got)
	}
	got = runOver(t, f, "objects", "s3://reports", "--limit", "5", "--ndjson")
	if got.stderr != more || strings.Count(got.stdout, "\n") != 5 {
		t.Errorf("--ndjson: %+v", got)
	}
	got = runOver(t, f, "objects", "s3://reports", "--limit", "5", "--json")
	var whole document[map[string]any]
	if err := json.Unmarshal([]byte(got.stdout), &whole); err != nil || len(whole.Items) != 5 || got.stderr != "" {
		t.Fatalf("--json: %v, %+v", err, got)
	}
	if whole.Next != "more" || whole.Items[0]["type"] != "folder" || whole.Items[4]["key"] != "unknown\x1b" ||
		whole.Items[4]["storage"] != "main" {
		t.Errorf("--json: %+v", whole)
	}
}

// Lists without entries say so on standard error, and are empty documents or no lines for
// programs.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/buckets": api.BucketList{}, "GET /api/v1/objects": api.ObjectPage{Bucket: "reports"},
		"GET /api/v1/links": api.LinkPage{}, "GET /api/v1/audit": api.EventPage{},
		"GET /api/v1/links/" + testID() + "/events": map[string]any{}, // a service that omits empty lists
	}}
	for args, want := range map[string]string{
		"objects": "No buckets found.\n", "objects s3://reports": "No objects found.\n", "list": "No links found.\n",
		"list --wide": "No links found.\n", "audit": "No events found.\n", "events " + testID(): "No events found.\n",
	} {
		if got := runOver(t, f, strings.Fields(args)...); got != (result{command.ExitOK, "", want}) {
			t.Errorf("%s: %+v", args, got)
		}
		got := runOver(t, f, append(strings.Fields(args), "--json")...)
		if got != (result{command.ExitOK, "{\n  \"items\": []\n}\n", ""}) {
			t.Errorf("%s --json: %+v", args, got)
		}
		if got := runOver(t, f, append(strings.Fields(args), "--ndjson")...); got.stdout != "" || got.code != command.ExitOK {
			t.Errorf("%s --ndjson: %+v", args, got)
		}
	}
	if got := runOver(t, f, "list", "--quiet"); got != (result{command.ExitOK, "", ""}) {
		t.Errorf("list --quiet: %+v", got)
	}
}

// A search that goes on shows on a terminal how far it is, and removes that before the
// result. Services of earlier versions do not say how much they have searched.
func TestProgressOfSearches(t *testing.T) {
	t.Parallel()
	raw := func(texts ...string) (answers []wireAnswer) {
		for _, text := range texts {
			answers = append(answers, wireAnswer{body: text})
		}
		return answers
	}
	const link, event = `{"id":"a","state":"active"}`, `{"kind":"issued"}`
	for name, tt := range map[string]struct {
		args    []string
		answers []wireAnswer
		want    []string
	}{
		"links": {
			[]string{"list"},
			raw(`{"links":[`+link+`],"next":"1","searched":5000}`, `{"links":[],"next":"2","searched":5000}`,
				`{"links":[],"searched":7}`),
			[]string{"\r\x1b[K1 found, searched 5000 links so far\r\x1b[K1 found, searched 10000 links so far\r\x1b[K"},
		},
		"links of an earlier version": {
			[]string{"list", "--quiet"},
			raw(`{"links":[`+link+`],"next":"1"}`, `{"links":[]}`),
			[]string{"\r\x1b[K1 found, searching\r\x1b[K"},
		},
		"events": {
			[]string{"audit"},
			raw(`{"events":[`+event+`],"next":"1","more":true,"searched":400}`, `{"events":[],"searched":3}`),
			[]string{"\r\x1b[K1 found, searched 400 events so far\r\x1b[K"},
		},
		"events as lines": { // a line of the result removes the progress
			[]string{"audit", "--ndjson"},
			raw(`{"events":[],"next":"1","searched":400}`, `{"events":[`+event+`],"next":"2","searched":400}`, `{"events":[]}`),
			[]string{
				"\r\x1b[K0 found, searched 400 events so far\r\x1b[K",
				"\r\x1b[K1 found, searched 800 events so far\r\x1b[K",
			},
		},
		"objects": {
			[]string{"objects", "s3://reports"},
			raw(`{"bucket":"reports","folders":["a/"],"objects":[{"key":"k"}],"next":"1"}`, `{"bucket":"reports"}`),
			[]string{"\r\x1b[K2 found, searching\r\x1b[K"},
		},
		"an erasure": {
			[]string{"audit", "erase", "--address", "192.0.2.7", "--yes"},
			raw(`{"feed_events":2,"link_events":1,"next":"1"}`, `{"done":true}`),
			[]string{"\r\x1b[K3 addresses erased, continuing\r\x1b[K"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, service := runOnScreen(t, "", tt.answers, tt.args...)
			if got.code != command.ExitOK || len(service.requests) != len(tt.answers) || got.stdout == "" {
				t.Fatalf("%+v after %d requests", got, len(service.requests))
			}
			if want := strings.Join(tt.want, ""); got.stderr != want {
				t.Errorf("got %q, want %q", got.stderr, want)
			}
		})
	}
}
