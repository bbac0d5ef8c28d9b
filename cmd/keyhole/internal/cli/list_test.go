package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// Lists are tables, JSON or IDs. A list that is cut says so; an empty one, too.
func TestList(t *testing.T) {
	t.Parallel()
	const path = "GET /api/v1/links"
	page := api.LinkPage{Links: []api.Link{testLink()}, Next: "more"}
	got := runOver(t, &fakeAPI{answers: map[string]any{path: page}}, "list", "--limit", "1", "--state", "active")
	has(t, got.stdout, "ID ", "STATE", testID(), `s3://reports/q3\x1b.pdf`)
	has(t, got.stderr, "There are more: use --limit 2, or --limit 0 for all.")
	got = runOver(t, &fakeAPI{answers: map[string]any{path: page}}, "list", "--limit", "1", "--quiet")
	if got.stdout != testID()+"\n" {
		t.Errorf("--quiet prints %q", got.stdout)
	}
	empty := &fakeAPI{answers: map[string]any{
		path: api.LinkPage{}, "GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Bucket: "reports"}}},
	}}
	if got := runOver(t, empty, "list"); got.code != command.ExitOK || got.stderr != "No links found.\n" ||
		got.stdout != "" {
		t.Errorf("an empty list: %+v", got)
	}
	got = runOver(t, empty, "list", "--bucket", "report")
	if got.code != command.ExitFailed || !strings.Contains(got.stderr, "did you mean --bucket reports?") {
		t.Errorf("a mistyped bucket: %+v", got)
	}
	for args, want := range map[string]string{
		"--limit -1":         "--limit is -1; it must be 0 or more",
		"--state x":          `--state is "x"`,
		"--bucket s3://b/k":  "--bucket b --prefix k",
		"--prefix a --key b": "--prefix and --key cannot be combined",
		"--prefix s3://a/b":  "without its bucket",
		"--label x":          "is not a label",
	} {
		got := runOver(t, empty, append([]string{"list"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// pagedAPI answers a list in pages of two links.
func pagedAPI(t *testing.T, total int) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("cursor")) // empty: the first page
		limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
		if err != nil {
			t.Error(err)
		}
		page := api.LinkPage{Links: []api.Link{}}
		for i := from; i < min(from+min(limit, 2), total); i++ {
			page.Links = append(page.Links, api.Link{ID: strconv.Itoa(i), State: "active"})
		}
		if end := from + len(page.Links); end < total {
			page.Next = strconv.Itoa(end)
		}
		w.Header().Set("Content-Type", api.MediaType)
		if err := json.NewEncoder(w).Encode(page); err != nil {
			t.Error(err)
		}
	})
}

// A list follows cursors until it has enough links, and requests no more than it needs.
func TestListFollowsCursors(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(pagedAPI(t, 5))
	t.Cleanup(server.Close)
	for limit, want := range map[int]int{0: 5, 1: 1, 2: 2, 3: 3, 5: 5, 50: 5} {
		var stdout, stderr strings.Builder
		code := runCLI(t.Context(), []string{"list", "--quiet", "--limit", strconv.Itoa(limit)}, command.Env{
			Stdout: &stdout, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		if n := strings.Count(stdout.String(), "\n"); code != command.ExitOK || n != want {
			t.Errorf("--limit %d: exit %d, %d links, want %d", limit, code, n, want)
		}
		if more := strings.Contains(stderr.String(), "There are more"); more != (want < 5) {
			t.Errorf("--limit %d says that there are more: %v", limit, more)
		}
	}
}

// A page is never larger than the API allows, and the last one is as large as needed.
func TestNextLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ limit, have, want int }{
		{0, 0, api.MaxLimit},
		{0, 5000, api.MaxLimit},
		{50, 0, 50},
		{50, 20, 30},
		{api.MaxLimit + 1, 0, api.MaxLimit},
		{api.MaxLimit + 1, api.MaxLimit, 1},
	} {
		if got := nextLimit(tt.limit, tt.have); got != tt.want {
			t.Errorf("%d of %d: got %d, want %d", tt.have, tt.limit, got, tt.want)
		}
	}
}

// Every filter of list reaches the service under its name in the API.
func TestListFilters(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/links": api.LinkPage{Links: []api.Link{testLink()}}}}
	got := runOver(t, f, "list", "--state", "active", "--bucket", "b", "--prefix", "p/ä", "--created-by", "ci",
		"--label", "team=a", "--json")
	if got.code != command.ExitOK {
		t.Fatalf("%+v", got)
	}
	sent, err := url.Parse(strings.Fields(f.requests[0].line)[1])
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"state": "active", "bucket": "b", "prefix": "p/ä", "created_by": "ci", "label": "team=a", "limit": "50", "key": "",
	} {
		if got := sent.Query().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	var page document[api.Link]
	if err := json.Unmarshal([]byte(got.stdout), &page); err != nil || len(page.Items) != 1 {
		t.Errorf("--json: %v, %s", err, got.stdout)
	}
}
