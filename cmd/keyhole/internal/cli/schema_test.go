package cli

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// listSchema is the part of lists.schema.json that the tests compare with the code.
type listSchema struct {
	Defs map[string]struct {
		Required   []string                   `json:"required"`
		Properties map[string]json.RawMessage `json:"properties"`
	} `json:"$defs"`
}

// readListSchema reads the schema that the manual has.
func readListSchema(t *testing.T) listSchema {
	t.Helper()
	text, err := os.ReadFile("../../../../deploy/docs/build/lists.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema listSchema
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// fieldsOf returns the JSON names of a type's fields, and those that are always there.
func fieldsOf(kind reflect.Type) (all, always []string) {
	for i := range kind.NumField() {
		field := kind.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous:
			more, required := fieldsOf(field.Type)
			all, always = append(all, more...), append(always, required...)
		case name != "-":
			all = append(all, name)
			if options != "omitempty" {
				always = append(always, name)
			}
		}
	}
	slices.Sort(all)
	slices.Sort(always)
	return all, always
}

// The schema of the manual has every field of every item, and no other.
func TestListSchema(t *testing.T) {
	t.Parallel()
	schema := readListSchema(t)
	types := map[string]reflect.Type{
		"document": reflect.TypeFor[document[api.Link]](), "link": reflect.TypeFor[api.Link](),
		"event": reflect.TypeFor[api.Event](), "bucket": reflect.TypeFor[bucketItem](),
		"folder": reflect.TypeFor[folderItem](), "object": reflect.TypeFor[objectItem](),
		"object_info": reflect.TypeFor[api.Object](), "notice": reflect.TypeFor[api.Note](),
		"revocation": reflect.TypeFor[api.Revocation](),
	}
	for name, kind := range types {
		all, always := fieldsOf(kind)
		var described []string
		for property := range schema.Defs[name].Properties {
			described = append(described, property)
		}
		slices.Sort(described)
		required := slices.Sorted(slices.Values(schema.Defs[name].Required))
		if !slices.Equal(all, described) || !slices.Equal(always, required) {
			t.Errorf("%s: the type has %v, always %v; the schema has %v, always %v", name, all, always, described, required)
		}
	}
	for name := range schema.Defs {
		if _, ok := types[name]; !ok && name != "item" {
			t.Errorf("the schema describes %s, which is no type", name)
		}
	}
}

// listAPI answers every list with one page.
func listAPI() *fakeAPI {
	link, event := testLink(), testEvent("redirected")
	path := "/api/v1/links/" + testID()
	return &fakeAPI{answers: map[string]any{
		"GET /api/v1/links": api.LinkPage{Links: []api.Link{link, link}}, "DELETE " + path: link,
		"GET " + path + "/events": api.EventPage{Events: []api.Event{event, event}},
		"GET /api/v1/audit":       api.EventPage{Events: []api.Event{event, event}},
		"GET /api/v1/buckets":     api.BucketList{Buckets: []api.Bucket{{Storage: "main", Bucket: "b"}, {Bucket: "c"}}},
		"GET /api/v1/objects": api.ObjectPage{
			Storage: "main", Bucket: "reports", Folders: []string{"a/"}, Objects: []api.ObjectEntry{{Key: "k\x1b"}},
		},
		"POST /api/v1/revocations": api.Revocation{Matched: 2, Done: true},
	}}
}

// Every list prints one shape with --json, and with --ndjson the same items, each on a line
// of its own with the fields that the schema requires.
func TestListsHaveOneShape(t *testing.T) {
	t.Parallel()
	schema := readListSchema(t)
	for args, kinds := range map[string][]string{
		"list": {"link", "link"}, "events " + testID(): {"event", "event"}, "audit": {"event", "event"},
		"objects": {"bucket", "bucket"}, "objects s3://reports": {"folder", "object"}, "revoke " + testID(): {"link"},
	} {
		f := listAPI()
		got := runOver(t, f, append(strings.Fields(args), "--json")...)
		var whole document[map[string]any]
		if err := json.Unmarshal([]byte(got.stdout), &whole); err != nil || len(whole.Items) != len(kinds) {
			t.Errorf("%s --json: %v, %s", args, err, got.stdout)
			continue
		}
		got = runOver(t, f, append(strings.Fields(args), "--ndjson")...)
		lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
		if got.code != command.ExitOK || got.stderr != "" || len(lines) != len(kinds) ||
			strings.ContainsRune(got.stdout, '\x1b') {
			t.Errorf("%s --ndjson: %+v", args, got)
			continue
		}
		for i, line := range lines {
			var item map[string]any
			if err := json.Unmarshal([]byte(line), &item); err != nil || !reflect.DeepEqual(item, whole.Items[i]) {
				t.Errorf("%s: line %d is %s, %v, and the item %v", args, i+1, line, err, whole.Items[i])
			}
			for _, name := range schema.Defs[kinds[i]].Required {
				if _, ok := item[name]; !ok {
					t.Errorf("%s: %s is missing in %s", args, name, line)
				}
			}
			for name := range item {
				if _, ok := schema.Defs[kinds[i]].Properties[name]; !ok {
					t.Errorf("%s: the schema does not know %s", args, name)
				}
			}
		}
	}
	got := runOver(t, listAPI(), "revoke", "--all", "--dry-run", "--ndjson")
	if got.stdout != `{"matched":2,"revoked":0,"done":true}`+"\n" {
		t.Errorf("revoke --dry-run --ndjson: %+v", got)
	}
	lists := []string{"list", "audit", "objects", "objects s3://b", "events " + testID(), "revoke " + testID()}
	for _, args := range lists {
		got := runOver(t, listAPI(), append(strings.Fields(args), "--json", "--ndjson")...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, "--json and --ndjson cannot be combined") {
			t.Errorf("%s: %+v", args, got)
		}
	}
}
