//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/gateway/api"
)

// scoped is an object of the matrix, and whether the keys' objects have it.
type scoped struct {
	name                 string
	storage, bucket, key string
	inside               bool
}

// scopeObjects are one of the keys' objects, which are main:reports/team/a/*, and
// what must not be taken for one.
func scopeObjects() []scoped {
	return []scoped{
		{"own", "main", "reports", "team/a/x.txt", true},
		{"prefix neighbour", "main", "reports", "team/ab/x.txt", false},
		{"other case", "main", "reports", "team/A/x.txt", false},
		{"foreign", "main", "exports", "team/a/x.txt", false},
		{"other storage", "other", "reports", "team/a/x.txt", false},
	}
}

// scopeRow is what a route answers to a key that may do what it needs.
type scopeRow struct {
	operation string // operationId of the description
	what      string // where a route has several rows
	needs     string // what of can; empty: any key
	inside    string // of an object of the key's
	outside   string // of any other
	ask       func(m *scopeProbe, o *scoped) string
}

// scopeProbe is one key before one object, with a link to it.
type scopeProbe struct {
	t    *testing.T
	g    *instance
	key  string
	link api.Link
}

// send sends a request with the key.
func (m *scopeProbe) send(method, path, body string) answer {
	m.t.Helper()
	c := unfollowed()
	defer c.CloseIdleConnections()
	headers := []string{"Authorization", "Bearer " + m.key}
	if body != "" {
		headers = append(headers, "Content-Type", "application/json")
	}
	a, err := ask(m.t.Context(), c, method, m.g.operator+path, strings.NewReader(body), headers...)
	if err != nil {
		m.t.Fatal(err)
	}
	return a
}

// outcome is the code of a refusal, or done.
func (m *scopeProbe) outcome(method, path, body string) string {
	m.t.Helper()
	a := m.send(method, path, body)
	if a.status < 300 {
		return "done"
	}
	var p api.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		m.t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return p.Code
}

// seen tells whether the answer of a listing has text in it.
func (m *scopeProbe) seen(path, text string) string {
	m.t.Helper()
	a := m.send(http.MethodGet, path, "")
	if a.status != http.StatusOK {
		return m.outcome(http.MethodGet, path, "")
	}
	if strings.Contains(a.body, text) {
		return "seen"
	}
	return "left out"
}

// scopeRows has a row for every route, in an order in which one leaves the next
// something to do.
func scopeRows() []scopeRow {
	return []scopeRow{
		{"issueLink", "", "issue", "done", "out_of_scope", func(m *scopeProbe, o *scoped) string {
			return m.outcome(http.MethodPost, "/api/v1/links",
				fmt.Sprintf(`{"storage":%q,"bucket":%q,"key":%q}`, o.storage, o.bucket, o.key))
		}},
		{"issueLinks", "", "issue", "201", "403", func(m *scopeProbe, o *scoped) string {
			return m.batch(fmt.Sprintf(`{"links":[{"storage":%q,"bucket":%q,"key":%q}]}`, o.storage, o.bucket, o.key))
		}},
		{"listLinks", "", "read", "seen", "left out", func(m *scopeProbe, _ *scoped) string {
			return m.seen("/api/v1/links?limit=500", m.link.ID)
		}},
		{"listLinks", "by key", "read", "seen", "left out", func(m *scopeProbe, o *scoped) string {
			return m.seen("/api/v1/links?limit=500&bucket="+o.bucket+"&key="+url.QueryEscape(o.key), m.link.ID)
		}},
		{"showLink", "", "read", "done", "not_found", func(m *scopeProbe, _ *scoped) string {
			return m.outcome(http.MethodGet, "/api/v1/links/"+m.link.ID, "")
		}},
		{"linkEvents", "", "read", "done", "not_found", func(m *scopeProbe, _ *scoped) string {
			return m.outcome(http.MethodGet, "/api/v1/links/"+m.link.ID+"/events", "")
		}},
		{"audit", "", "read", "seen", "left out", func(m *scopeProbe, _ *scoped) string {
			return m.seen("/api/v1/audit?limit=500", m.link.ID)
		}},
		{"changeLink", "note", "issue", "done", "not_found", func(m *scopeProbe, _ *scoped) string {
			return m.outcome(http.MethodPatch, "/api/v1/links/"+m.link.ID, `{"note":"n"}`)
		}},
		{"changeLink", "paused", "revoke", "done", "not_found", func(m *scopeProbe, _ *scoped) string {
			return m.outcome(http.MethodPatch, "/api/v1/links/"+m.link.ID, `{"paused":true}`)
		}},
		{"listBuckets", "", "browse", "seen", "", func(m *scopeProbe, o *scoped) string {
			return m.seen("/api/v1/buckets", fmt.Sprintf(`{"storage":%q,"bucket":%q}`, o.storage, o.bucket))
		}},
		{"listObjects", "", "browse", "seen", "", func(m *scopeProbe, o *scoped) string {
			return m.seen(fmt.Sprintf("/api/v1/objects?storage=%s&bucket=%s&prefix=%s", o.storage, o.bucket,
				url.QueryEscape(o.key)), fmt.Sprintf(`"key":%q`, o.key))
		}},
		{"listObjects", "search", "browse", "seen", "", func(m *scopeProbe, o *scoped) string {
			return m.seen(fmt.Sprintf("/api/v1/objects?storage=%s&bucket=%s&search=team", o.storage, o.bucket),
				fmt.Sprintf(`"key":%q`, o.key))
		}},
		{"openAPI", "", "", "done", "done", func(m *scopeProbe, _ *scoped) string {
			return m.outcome(http.MethodGet, "/api/v1/openapi.yaml", "")
		}},
		{"revokeLinks", "", "revoke", "1", "0", func(m *scopeProbe, _ *scoped) string {
			return m.bulk(fmt.Sprintf(`{"label":"link=%s"}`, m.link.Labels["link"]))
		}},
		{"eraseAddresses", "of a link", "revoke", "done", "not_found", func(m *scopeProbe, _ *scoped) string {
			return m.outcome(http.MethodPost, "/api/v1/audit/erasures", fmt.Sprintf(`{"link":%q}`, m.link.ID))
		}},
		{"eraseAddresses", "of all links", "revoke", "out_of_scope", "out_of_scope", func(m *scopeProbe, _ *scoped) string {
			return m.outcome(http.MethodPost, "/api/v1/audit/erasures", `{"address":"192.0.2.7"}`)
		}},
		{"showOperator", "", "", "done", "done", func(m *scopeProbe, _ *scoped) string {
			return m.outcome(http.MethodGet, "/api/v1/operator", "")
		}},
		{"revokeLink", "", "revoke", "done", "not_found", func(m *scopeProbe, _ *scoped) string {
			return m.outcome(http.MethodDelete, "/api/v1/links/"+m.link.ID, "")
		}},
	}
}

// batch returns the status of the only link of a batch, or the code of a refusal of all.
func (m *scopeProbe) batch(body string) string {
	m.t.Helper()
	a := m.send(http.MethodPost, "/api/v1/links:batch", body)
	if a.status != http.StatusOK {
		var p api.Problem
		if err := json.Unmarshal([]byte(a.body), &p); err != nil {
			m.t.Fatalf("%d %s: %v", a.status, a.body, err)
		}
		return p.Code
	}
	var answered struct{ Results []struct{ Status int } }
	if err := json.Unmarshal([]byte(a.body), &answered); err != nil || len(answered.Results) != 1 {
		m.t.Fatalf("%s: %v", a.body, err)
	}
	return strconv.Itoa(answered.Results[0].Status)
}

// bulk returns how many links a bulk revocation would end.
func (m *scopeProbe) bulk(body string) string {
	m.t.Helper()
	a := m.send(http.MethodPost, "/api/v1/revocations", strings.TrimSuffix(body, "}")+`,"dry_run":true}`)
	if a.status != http.StatusOK {
		return m.outcome(http.MethodPost, "/api/v1/revocations", body)
	}
	var r api.Revocation
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		m.t.Fatal(err)
	}
	return fmt.Sprint(r.Matched)
}

// outsideOf is what browsing answers for what is not the key's: a bucket of which it
// sees something shows no more than that, and another does not exist for it.
func outsideOf(operation string, o *scoped) string {
	sameBucket := o.storage == "main" && o.bucket == "reports"
	switch {
	case operation == "listBuckets" && sameBucket:
		return "seen"
	case operation == "listBuckets", sameBucket:
		return "left out"
	}
	return "not_found"
}

// TestScopeMatrix asks every route with every kind of key for every kind of object.
// The routes are those of the API's description: a new one needs a row.
func TestScopeMatrix(t *testing.T) {
	in := install(t)
	objects := scopeObjects()
	for _, o := range objects {
		in.s3.Put(t, o.bucket, o.key, "text/plain", []byte("x"))
	}
	in.storages = fmt.Sprintf(`  - name: other
    timeout: 20s
    endpoint: %q
    region: us-east-1
    path_style: true
    buckets: [reports]
    access_key_id: %s
    secret_access_key_file: %s
`, in.s3.Endpoint(), in.s3KeyID, in.dir+"/s3-secret")
	g := in.start()
	kinds := []string{"issue", "read", "revoke", "browse", "issue, read, revoke, browse"}
	stanzas := "  keys:\n"
	for _, can := range kinds {
		stanzas += fmt.Sprintf("    - { name: scoped, sha256: %s, can: [%s], objects: [\"main:reports/team/a/*\"] }\n",
			operatorkey.Hash("key "+can), can)
	}
	g.edit(t, "  keys:\n", stanzas)
	g.hangUp(t)

	rows := scopeRows()
	wantARowForEachRoute(t, in, g, rows)
	asked := 0
	for k, can := range kinds {
		for i := range objects {
			o := &objects[i]
			name := fmt.Sprintf("%d-%d", k, i)
			link, err := g.client.Issue(t.Context(), api.IssueRequest{
				Storage: o.storage, Bucket: o.bucket, Key: o.key, Labels: map[string]string{"link": name},
			})
			if err != nil {
				t.Fatal(err)
			}
			m := &scopeProbe{t: t, g: g, key: "key " + can, link: link}
			for _, row := range rows {
				want := row.outside
				switch {
				case row.needs != "" && !slices.Contains(strings.Split(can, ", "), row.needs):
					want = "forbidden"
				case o.inside:
					want = row.inside
				case want == "":
					want = outsideOf(row.operation, o)
				}
				if got := row.ask(m, o); got != want {
					t.Errorf("%s %s by a key that can %s, of the %s object: %s, want %s", row.operation, row.what, can, o.name, got,
						want)
				}
				asked++
			}
		}
	}
	t.Logf("%d routes in %d rows, %d keys, %d objects: %d requests", len(routesOf(t, in, g)), len(rows), len(kinds),
		len(objects), asked)
}

// wantARowForEachRoute compares the rows with the description.
func wantARowForEachRoute(t *testing.T, in *installation, g *instance, rows []scopeRow) {
	t.Helper()
	for _, operation := range routesOf(t, in, g) {
		if !slices.ContainsFunc(rows, func(r scopeRow) bool { return r.operation == operation }) {
			t.Errorf("the matrix has no row for %s", operation)
		}
	}
}

// routesOf returns the operations of the description that need a key.
func routesOf(t *testing.T, in *installation, g *instance) []string {
	t.Helper()
	a := get(t, http.MethodGet, g.operator+"/api/v1/openapi.yaml", "Authorization", "Bearer "+in.key)
	var description struct {
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	if err := yaml.Unmarshal([]byte(a.body), &description); err != nil {
		t.Fatal(err)
	}
	var operations []string
	for path, methods := range description.Paths {
		for _, node := range methods {
			var method struct {
				OperationID string `yaml:"operationId"`
			}
			if node.Kind != yaml.MappingNode { // parameters of all methods
				continue
			}
			if err := node.Decode(&method); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(path, "/api/") {
				operations = append(operations, method.OperationID)
			}
		}
	}
	if len(operations) < 11 {
		t.Fatalf("the description has the operations %v", operations)
	}
	slices.Sort(operations)
	return operations
}
