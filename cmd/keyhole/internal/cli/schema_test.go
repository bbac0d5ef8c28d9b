package cli

import (
	"encoding/json"
	"errors"
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
		"revocation": reflect.TypeFor[revocationItems](),
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
		"POST /api/v1/links":      link,
		"GET " + path + "/events": api.EventPage{Events: []api.Event{event, event}},
		"GET /api/v1/audit":       api.EventPage{Events: []api.Event{event, event}},
		"GET /api/v1/buckets":     api.BucketList{Buckets: []api.Bucket{{Storage: "main", Bucket: "b"}, {Bucket: "c"}}},
		"GET /api/v1/objects": api.ObjectPage{
			Storage: "main", Bucket: "reports", Folders: []string{"a/"}, Objects: []api.ObjectEntry{{Key: "k\x1b"}},
		},
		"POST /api/v1/revocations": api.Revocation{Matched: 2, Done: true},
	}}
}

// check fails unless an item that a command printed has every field of its kind that is
// always there, and no field that the schema does not describe.
func (s *listSchema) check(t *testing.T, args, kind string, item map[string]any) {
	t.Helper()
	for _, name := range s.Defs[kind].Required {
		if _, ok := item[name]; !ok {
			t.Errorf("%s: %s is missing in %v", args, name, item)
		}
	}
	for name := range item {
		if _, ok := s.Defs[kind].Properties[name]; !ok {
			t.Errorf("%s: the schema does not know %s", args, name)
		}
	}
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
			schema.check(t, args, kinds[i], item)
		}
	}
	got := runOver(t, listAPI(), "revoke", "--all", "--dry-run", "--ndjson")
	if !strings.HasSuffix(got.stdout, "\n"+`{"matched":2,"revoked":0,"done":true}`+"\n") ||
		strings.Count(got.stdout, "\n") != 3 {
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

// share of several objects prints the links in the shape of all lists, also if --partial
// leaves only one of them. The link of one object is printed as a link.
func TestShareHasTheShapeOfLists(t *testing.T) {
	t.Parallel()
	schema := readListSchema(t)
	const both = "share s3://reports/a s3://reports/b --json --quiet"
	for args, keys := range map[string][]string{both: {"a", "b"}, both + " --partial": {"b"}} {
		f := batchAPI(nil, nil)
		if len(keys) == 1 {
			f = batchAPI(map[string]api.Problem{"a": missing()}, nil)
		}
		got := runOver(t, f, strings.Fields(args)...)
		var raw map[string]json.RawMessage
		var whole document[map[string]any]
		err := errors.Join(json.Unmarshal([]byte(got.stdout), &raw), json.Unmarshal([]byte(got.stdout), &whole))
		if err != nil || len(raw) != 1 || len(whole.Items) != len(keys) {
			t.Errorf("%s: %v, %s", args, err, got.stdout)
			continue
		}
		for i, item := range whole.Items {
			schema.check(t, args, "link", item)
			if item["key"] != keys[i] || item["url"] == "" {
				t.Errorf("%s: item %d is %v, want %s", args, i, item, keys[i])
			}
		}
	}
	got := runOver(t, listAPI(), "share", "s3://reports/a", "--json", "--quiet")
	var link map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &link); err != nil {
		t.Fatalf("one object: %v, %+v", err, got)
	}
	schema.check(t, "share of one object", "link", link)
}
