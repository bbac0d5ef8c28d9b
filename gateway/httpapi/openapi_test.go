package httpapi

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// description is the part of openapi.yaml that the tests compare with the code.
type description struct {
	Paths      map[string]map[string]yaml.Node `yaml:"paths"`
	Components struct {
		Schemas map[string]schema `yaml:"schemas"`
	} `yaml:"components"`
}

// operation is one method of one path.
type operation struct {
	OperationID string         `yaml:"operationId"`
	Responses   map[string]any `yaml:"responses"`
}

// schema is one type of the description.
type schema struct {
	Required   []string          `yaml:"required"`
	Properties map[string]schema `yaml:"properties"`
	Enum       []string          `yaml:"enum"`
}

func readDescription(t *testing.T) description {
	t.Helper()
	var d description
	if err := yaml.Unmarshal(openAPIDescription, &d); err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	return d
}

func TestDescriptionHasEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	var described, routed []string
	for path, operations := range readDescription(t).Paths {
		for method, node := range operations {
			if method == "parameters" { // those of every operation of the path
				continue
			}
			if !slices.Contains([]string{"get", "post", "patch", "delete"}, method) {
				t.Errorf("%s: %s is no method", path, method)
			}
			described = append(described, strings.ToUpper(method)+" "+path)
			var o operation
			if err := node.Decode(&o); err != nil {
				t.Errorf("%s %s: %v", method, path, err)
			}
			if o.OperationID == "" {
				t.Errorf("%s %s has no operationId", method, path)
			}
			if _, ok := o.Responses["401"]; !ok {
				t.Errorf("%s %s does not say 401", method, path)
			}
		}
	}
	parameter := regexp.MustCompile(`/:([a-z]+)`)
	for _, r := range routesOf(operators) {
		routed = append(routed, r.method+" "+parameter.ReplaceAllString(r.path, "/{$1}"))
	}
	slices.Sort(described)
	slices.Sort(routed)
	if !slices.Equal(described, routed) {
		t.Errorf("openapi.yaml describes\n  %s\nroutes.go has\n  %s", strings.Join(described, "\n  "),
			strings.Join(routed, "\n  "))
	}
}

func TestDescriptionHasEveryFieldAndNoOther(t *testing.T) {
	t.Parallel()
	schemas := readDescription(t).Components.Schemas
	types := map[string]reflect.Type{
		"IssueRequest":      reflect.TypeFor[api.IssueRequest](),
		"BatchRequest":      reflect.TypeFor[api.BatchRequest](),
		"BatchResult":       reflect.TypeFor[api.BatchResult](),
		"Batch":             reflect.TypeFor[api.Batch](),
		"ChangeRequest":     reflect.TypeFor[api.ChangeRequest](),
		"RevocationRequest": reflect.TypeFor[api.RevocationRequest](),
		"Revocation":        reflect.TypeFor[api.Revocation](),
		"Link":              reflect.TypeFor[api.Link](),
		"Object":            reflect.TypeFor[api.Object](),
		"Warning":           reflect.TypeFor[api.Warning](),
		"LinkPage":          reflect.TypeFor[api.LinkPage](),
		"Bucket":            reflect.TypeFor[api.Bucket](),
		"BucketList":        reflect.TypeFor[api.BucketList](),
		"Caps":              reflect.TypeFor[api.Caps](),
		"ObjectEntry":       reflect.TypeFor[api.ObjectEntry](),
		"ObjectPage":        reflect.TypeFor[api.ObjectPage](),
		"Event":             reflect.TypeFor[api.Event](),
		"EventPage":         reflect.TypeFor[api.EventPage](),
		"ErasureRequest":    reflect.TypeFor[api.ErasureRequest](),
		"Erasure":           reflect.TypeFor[api.Erasure](),
		"Remainder":         reflect.TypeFor[api.Note](),
		"FieldError":        reflect.TypeFor[api.FieldError](),
		"Note":              reflect.TypeFor[api.Note](),
		"Operator":          reflect.TypeFor[api.Operator](),
		"Preset":            reflect.TypeFor[api.Preset](),
		"Problem":           reflect.TypeFor[api.Problem](),
	}
	for name, typ := range types {
		schema, ok := schemas[name]
		if !ok {
			t.Errorf("openapi.yaml has no schema %s", name)
			continue
		}
		var fields, always, described []string
		for i := range typ.NumField() {
			tag, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if tag == "-" { // It stands in a header.
				continue
			}
			fields = append(fields, tag)
			if options != "omitempty" {
				always = append(always, tag)
			}
		}
		for property := range schema.Properties {
			described = append(described, property)
		}
		required := slices.Sorted(slices.Values(schema.Required))
		slices.Sort(fields)
		slices.Sort(always)
		slices.Sort(described)
		if !slices.Equal(fields, described) {
			t.Errorf("%s: the type has %v, openapi.yaml %v", name, fields, described)
		}
		if !slices.Equal(always, required) {
			t.Errorf("%s: always there are %v, openapi.yaml requires %v", name, always, required)
		}
	}
	for name := range schemas {
		if _, ok := types[name]; !ok && name != "State" && name != "EventKind" {
			t.Errorf("openapi.yaml has a schema %s of no type", name)
		}
	}
}

func TestDescriptionHasEveryValueOfClosedSets(t *testing.T) {
	t.Parallel()
	schemas := readDescription(t).Components.Schemas
	var states, kinds []string
	for _, s := range gateway.States() {
		states = append(states, string(s))
	}
	for _, k := range gateway.EventKinds() {
		kinds = append(kinds, string(k))
	}
	tests := []struct {
		name      string
		got, want []string
	}{
		{"State", schemas["State"].Enum, states},
		{"EventKind", schemas["EventKind"].Enum, kinds},
		{"IssueRequest.preset", schemas["IssueRequest"].Properties["preset"].Enum, gateway.Presets()},
		{
			"IssueRequest.language", schemas["IssueRequest"].Properties["language"].Enum,
			append([]string{""}, gateway.Languages()...),
		},
		{
			"ChangeRequest.language", schemas["ChangeRequest"].Properties["language"].Enum,
			append([]string{""}, gateway.Languages()...),
		},
		{"Link.preset", schemas["Link"].Properties["preset"].Enum, append(gateway.Presets(), gateway.PresetCustom)},
		{"Preset.name", schemas["Preset"].Properties["name"].Enum, gateway.Presets()},
		{"Operator.admitted_by", schemas["Operator"].Properties["admitted_by"].Enum, []string{
			api.AdmittedByKey, api.AdmittedByToken,
		}},
		{"Warning.code", schemas["Warning"].Properties["code"].Enum, gateway.WarningCodes()},
		{"Note.code", schemas["Note"].Properties["code"].Enum, gateway.NoteCodes()},
		{"Problem.code", schemas["Problem"].Properties["code"].Enum, []string{
			"bad_request", "unauthorized", "forbidden", "out_of_scope", "not_found", "method_not_allowed", "ambiguous",
			"not_active", "idempotency_conflict", "precondition_failed",
			"invalid", "too_large", "unsupported_media_type", "rate_limited", "unavailable", "not_confirmed", "internal",
		}},
	}
	for _, tt := range tests {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: openapi.yaml has %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}
