package config

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// misplaced are forms in which a secret may stand where a value belongs.
func misplaced() []string {
	return []string{
		canary, "default:" + canary + "@redis.example.com:6379", canary + "@redis.example.com:6379", canary + ":6379",
		"redis.example.com:" + canary, "redis://u:" + canary + "@h:1", "https://u:" + canary + "@h.example.com",
		"https://" + canary + "/@h.example.com", "https://h.example.com/" + canary, "https://" + canary + ".",
		canary + "/*", "x:" + canary, "[fe80::1%" + canary + "]:1", "fe80::1%" + canary, "10.0.0.0/" + canary,
		"arn:aws:s3:::" + canary, canary + "--x-s3", canary + ".mrap", "a." + canary, canary + "\n", canary + "\xff",
		"/secrets/" + canary, "a\"" + canary + "\"b", canary + "." + canary, "1" + canary, canary + "s", canary + "d",
		canary + "://h", "",
	}
}

// tree is the example of the manual, in which every section and list has something,
// as a file is read: keys with values.
func tree(t *testing.T) map[string]any {
	t.Helper()
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := yaml.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	operator := all["operator"].(map[string]any)
	operator["oidc"] = map[string]any{
		"issuer": "https://login.example.com", "audience": "keyhole", "name_claim": "sub", "ca_file": "",
		"grants": []any{map[string]any{
			"name": "g", "display_name": "G", "claim": "groups", "value": "v",
			"can": []any{"read"}, "objects": []any{"*"}, "max_expiry": "1h",
		}},
	}
	operator["trusted_proxies"] = []any{"10.0.0.0/8"}
	all["public"].(map[string]any)["trusted_proxies"] = []any{"10.0.0.0/8"}
	pages := all["pages"].(map[string]any)
	pages["languages"] = []any{"de", "en"}
	pages["links"] = []any{map[string]any{"name": "Privacy", "url": "https://www.example.com/privacy", "language": "en"}}
	return all
}

// eachPlace calls visit for each key and item below node, with what sets it, always in the
// same order.
func eachPlace(node any, path string, visit func(path string, isList bool, set func(any))) {
	place := func(at string, value any, set func(any)) {
		_, isList := value.([]any)
		visit(at, isList, set)
		set(value)
		eachPlace(value, at, visit)
	}
	switch node := node.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			place(join(path, key), node[key], func(v any) { node[key] = v })
		}
	case []any:
		for i, value := range node {
			place(fmt.Sprintf("%s[%d]", path, i), value, func(v any) { node[i] = v })
		}
	}
}

// No message repeats what stands where a value belongs, whichever key it is and
// whatever the form: it may be a secret in the wrong place.
func TestNoMessageRepeatsAValue(t *testing.T) {
	// There are thousands, so each processor writes and loads its part of them.
	parts := runtime.GOMAXPROCS(0)
	for part := range parts {
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			t.Parallel()
			mine := func(n int) bool { return n%parts == part }
			trials, places := misplacedInFile(t, mine)
			more, variables := misplacedInVariables(t, mine)
			if places+variables < 150 {
				t.Errorf("%d places were tried: the test proves too little", places+variables)
			}
			for _, tr := range append(trials, more...) {
				tr.check(t)
			}
		})
	}
}

// trial is one configuration that has the canary in a wrong place.
type trial struct {
	how     string
	text    string
	environ []string
}

// check loads the configuration and looks for the canary in what is reported.
func (tr trial) check(t *testing.T) {
	t.Helper()
	_, warnings, err := loadText(tr.text, nil, tr.environ...)
	if err != nil && strings.Contains(err.Error(), canary) {
		t.Errorf("%s: the problem repeats it: %v", tr.how, err)
	}
	for _, w := range warnings {
		if strings.Contains(w.String(), canary) {
			t.Errorf("%s: the warning repeats it: %s", tr.how, w)
		}
	}
}

// misplacedInFile puts every form of a misplaced secret at every place of the file. It
// returns the trials that are mine, by their numbers, and the number of all places.
func misplacedInFile(t *testing.T, mine func(n int) bool) (trials []trial, places int) {
	t.Helper()
	n := 0
	all := tree(t)
	eachPlace(all, "", func(path string, isList bool, set func(any)) {
		places++
		values := []any{
			[]any{canary, canary}, map[string]any{"password": canary}, map[string]any{"u:" + canary: canary},
		}
		for _, text := range misplaced() {
			values = append(values, text)
			if isList {
				values = append(values, []any{text, text})
			}
		}
		for _, value := range values {
			if n++; !mine(n) {
				continue
			}
			set(value)
			data, err := yaml.Marshal(all)
			if err != nil {
				t.Fatal(err)
			}
			trials = append(trials, trial{how: fmt.Sprintf("%s: %q", path, value), text: string(data)})
		}
	})
	return trials, places
}

// misplacedInVariables sets every variable to every form of a misplaced secret. It
// returns the trials that are mine, by their numbers, and the number of all variables.
func misplacedInVariables(t *testing.T, mine func(n int) bool) (trials []trial, variables int) {
	t.Helper()
	n := 0
	base, err := yaml.Marshal(tree(t))
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := loadText(string(base), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings(c) {
		if s.variable == "" {
			continue
		}
		variables++
		for _, text := range misplaced() {
			if n++; !mine(n) {
				continue
			}
			if isTexts(s.value.Type()) {
				text += "," + text
			}
			trials = append(trials, trial{
				how:  fmt.Sprintf("%s=%q", s.variable, text),
				text: string(base), environ: []string{s.variable + "=" + text},
			})
		}
	}
	return trials, variables
}

// A secret that YAML reads as something else than a value is not repeated either.
func TestNoMessageRepeatsWhatIsNoValue(t *testing.T) {
	for name, text := range map[string]string{
		"a tag":                    "redis: {username: !" + canary + " x}\n",
		"a tag of a handle":        "redis: {username: !a!" + canary + " x}\n",
		"an alias":                 "redis: {username: *" + canary + "}\n",
		"a key without a colon":    "redis: {password " + canary + "}\n",
		"a URL for a section":      "redis: {redis://u:" + canary + "@h:1}\n",
		"a line without a colon":   "redis:\n  password " + canary + "\n",
		"a quote without an end":   "redis: {username: \"" + canary + "}\n",
		"a colon in a plain value": "redis:\n  username: a: " + canary + "\n",
		"a percent sign":           "redis:\n  username: %" + canary + "\n",
		"an at sign":               "redis:\n  username: @" + canary + "\n",
		"a backslash":              "redis:\n  username: \"\\" + canary + "\"\n",
		"a merge key":              "redis: {<<: " + canary + "}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, warnings, err := loadText(minimal+text, nil)
			if err == nil {
				t.Fatal("accepted")
			}
			if all := fmt.Sprint(err, warnings); strings.Contains(all, canary) {
				t.Errorf("repeats it: %s", all)
			}
		})
	}
}
