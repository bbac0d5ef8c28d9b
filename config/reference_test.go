package config

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// update writes the generated document instead of comparing it.
//
//nolint:gochecknoglobals // a flag of the test binary
var update = flag.Bool("update", false, "write deploy/docs/run/configuration.md")

const referenceFile = "../deploy/docs/run/configuration.md"

func TestReferenceDocument(t *testing.T) {
	want, err := referenceText()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(referenceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is out of date: run go test ./config -run TestReferenceDocument -update", referenceFile)
	}
}

// The document names every key and every variable that loading knows.
func TestReferenceIsComplete(t *testing.T) {
	text, err := referenceText()
	if err != nil {
		t.Fatal(err)
	}
	entry := strings.NewReplacer("[0]", "[]")
	for _, s := range settings(valid(t)) {
		variable := strings.NewReplacer("_MAIN_", "_<NAME>_", "_CI_", "_<NAME>_").Replace(s.variable)
		if s.variable != "" && strings.Count(text, "| `"+variable+"` |") != 1 {
			t.Errorf("%s stands in no row, or in several", variable)
		}
		row := "| `" + entry.Replace(s.path) + "` |"
		if !isSecret(s.value.Type()) && strings.Count(text, row) != 1 {
			t.Errorf("%s stands in no row, or in several", s.path)
		}
	}
	for _, section := range yamlFields(reflect.TypeFor[Config]()).names {
		if !strings.Contains(text, "\n## "+section+"\n\n") {
			t.Errorf("%s has no heading", section)
		}
	}
}

func TestSplitDefault(t *testing.T) {
	for name, tt := range map[string]struct {
		comment           string
		value             any
		meaning, standard string
		problem           string
	}{
		"text":  {"The mode. Default: single.", "single", "The mode.", "`single`", ""},
		"empty": {"A file. Default: empty.", "", "A file.", "empty", ""},
		"explained": {
			"A file. Default: empty, which means AWS: all of it.", "", "A file.",
			"empty, which means AWS: all of it", "",
		},
		"list":       {"Many. Default: a, b.", []string{"a", "b"}, "Many.", "`a, b`", ""},
		"no list":    {"Many. Default: none.", []string{}, "Many.", "none", ""},
		"duration":   {"Long. Default: 168h.", 168 * time.Hour, "Long.", "`168h`", ""},
		"number":     {"One. Default: 0.", 0, "One.", "`0`", ""},
		"truth":      {"So. Default: false.", false, "So.", "`false`", ""},
		"required":   {"A name. Required.", "", "A name.", "required", ""},
		"another":    {"Long. Default: 167h.", 168 * time.Hour, "", "", `says the default is "167h", which is "168h"`},
		"only begun": {"Long. Default: 168h30m.", 168 * time.Hour, "", "", `says the default is "168h30m", which is "168h"`},
		"none":       {"Long.", 168 * time.Hour, "", "", "does not end in a default"},
	} {
		t.Run(name, func(t *testing.T) {
			meaning, standard, err := splitDefault(tt.comment, reflect.ValueOf(tt.value))
			if tt.problem != "" {
				if err == nil || err.Error() != tt.problem {
					t.Errorf("error %v, want %s", err, tt.problem)
				}
				return
			}
			if err != nil || meaning != tt.meaning || standard != tt.standard {
				t.Errorf("got %q, %q, %v", meaning, standard, err)
			}
		})
	}
}

const exampleFile = "../deploy/docs/run/keyhole.yaml"

func TestExampleLoads(t *testing.T) {
	c, warnings, err := Load(LoadOptions{Path: exampleFile})
	if err != nil {
		t.Fatal(err)
	}
	wantWarnings(t, warnings)
	// Beyond what has no default, the example shows the defaults.
	want := Default()
	want.Public.URL, want.Storage, want.Operator.Keys = c.Public.URL, c.Storage, c.Operator.Keys
	want.Operator.OIDC.AuthorizedParties = []string{}
	want.Pages.Organization, want.Pages.Languages = c.Pages.Organization, []string{}
	want.Pages.Links = []PageLink{}
	want.Public.TrustedProxies, want.Operator.TrustedProxies = []string{}, []string{}
	want.Operator.Hosts, want.Public.TLS.ACME.Domains = []string{}, []string{}
	want.Operator.OIDC.Grants = []OIDCGrant{}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("the example says\n%+v\nthe defaults are\n%+v", c, want)
	}
}

// The example has every key, so that nobody needs the table to find one.
func TestExampleIsComplete(t *testing.T) {
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	c, f := Default(), newFindings()
	if p := f.decode(data, c); p != nil {
		t.Fatal(p)
	}
	for _, s := range settings(c) {
		if !isSecret(s.value.Type()) && !f.stated(s.path) {
			t.Errorf("the example lacks %s", s.path)
		}
	}
}
