package cli

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
	"keyhole/gateway/api"
)

// key new prints the secret to standard output and its hash to standard error.
func TestKeyNew(t *testing.T) {
	t.Parallel()
	got := runOver(t, &fakeAPI{}, "key", "new", "--name", "ci")
	if got.code != command.ExitOK || !strings.HasPrefix(got.stdout, "khk_") ||
		strings.Contains(got.stderr, strings.TrimSpace(got.stdout)) {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, "# Add this to operator.keys", "- name: ci", "sha256:", "can: [issue, read, revoke, browse]")
	if got := runOver(t, &fakeAPI{}, "key", "new", "--name", "a b"); got.code != command.ExitUsage {
		t.Errorf("a name with a space: %+v", got)
	}
	got = runOver(t, &fakeAPI{}, "key", "new")
	if got.code != command.ExitUsage || got.stdout != "" ||
		!strings.HasPrefix(got.stderr, "keyhole: --name is missing\n  ") {
		t.Errorf("without a name: %+v", got)
	}
}

// The stanza has everything that the flags say, and serve accepts it.
func TestKeyNewStanza(t *testing.T) {
	t.Parallel()
	got := runOver(t, &fakeAPI{}, "key", "new", "--name", "web", "--can", "issue,read", "--can", "browse",
		"--objects", "main:reports/*", "--objects", `odd"\\é,*/x`, "--max-expiry", "2d", "--display-name", `Ann "A"`)
	if got.code != command.ExitOK {
		t.Fatalf("%+v", got)
	}
	_, stanza, _ := strings.Cut(got.stderr, "within seconds:\n")
	var keys []config.OperatorKey
	if err := yaml.Unmarshal([]byte(strings.Replace(stanza, "max_expiry: 2d", "max_expiry: 48h", 1)), &keys); err != nil {
		t.Fatalf("%v\n%s", err, stanza)
	}
	hash := operatorkey.Hash(strings.TrimSpace(got.stdout))
	want := []config.OperatorKey{{
		Name: "web", DisplayName: `Ann "A"`, SHA256: hash, Can: []string{"issue", "read", "browse"},
		Objects: []string{"main:reports/*", `odd"\\é,*/x`}, MaxExpiry: 48 * time.Hour,
	}}
	if !reflect.DeepEqual(keys, want) || config.CheckOperatorKey(keys[0]) != nil {
		t.Errorf("got %+v, want %+v", keys, want)
	}
	has(t, got.stderr, "one pattern with a comma", "      max_expiry: 2d\n")
}

// A valid name that means something else in YAML is quoted, so that the entry keeps it.
func TestKeyNewQuotesNames(t *testing.T) {
	t.Parallel()
	for name, written := range map[string]string{
		"null": `"null"`, "Null": `"Null"`, "-": "'-'", "true": `"true"`, "123": `"123"`, "ci": "ci", "a.b_c-1": "a.b_c-1",
	} {
		got := must(t, "", nil, "key", "new", "--name="+name)
		_, stanza, _ := strings.Cut(got.stderr, "within seconds:\n")
		var keys []config.OperatorKey
		if err := yaml.Unmarshal([]byte(stanza), &keys); err != nil || len(keys) != 1 || keys[0].Name != name ||
			!strings.HasPrefix(stanza, "    - name: "+written+"\n") {
			t.Errorf("%s: got %+v, %v\n%s", name, keys, err, stanza)
		}
	}
}

// An entry that serve would refuse is refused before a key is printed. The message names the
// flag.
func TestKeyNewMistakes(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--can isue":             "--can must be issue, read, revoke or browse; did you mean issue?",
		"--can issue,issue":      "--can issue is listed twice",
		"--can=":                 "--can is empty",
		"--objects reports":      "--objects matches no object: a pattern for a whole bucket ends in /*",
		"--max-expiry 1x":        `--max-expiry: "1x" is not a duration`,
		"--max-expiry 0s":        `--max-expiry: "0s" is too short`,
		"--display-name \u202ex": "--display-name must not have control characters",
		"--permissions read":     "did you mean --can?",
		"extra":                  "takes only flags, not 1 argument",
	} {
		got := runOver(t, &fakeAPI{}, append([]string{"key", "new", "--name", "ci"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || got.stdout != "" || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v, want %q", args, got, want)
		}
	}
}

// aOperator is what the service says of a key.
func aOperator() api.Operator {
	return api.Operator{
		Name: "ci", AdmittedBy: api.AdmittedByKey, Can: []string{"issue", "read"}, Objects: []string{"reports/*", "a\x1b/*"},
		Caps:    api.Caps{Sensitive: "2h", NotStated: "2h", NotSensitive: "2h"},
		Presets: []api.Preset{{Name: "handoff", ExpiresIn: "10m"}, {Name: "business", ExpiresIn: "12h"}}, Version: "1.2.3",
		MaxExpiry: new("2h"),
	}
}

// key check and keys check print what the service says, and where address and key come
// from.
func TestKeyCheck(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/operator": aOperator()}}
	for _, name := range []string{"key", "keys"} {
		got := runOver(t, f, name, "check")
		if got.code != command.ExitOK || got.stderr != "" || strings.Contains(got.stdout, "khk_") {
			t.Errorf("%+v", got)
		}
		has(t, got.stdout, "(1.2.3), from KEYHOLE_OPERATOR_URL\n", "from KEYHOLE_KEY\n", "ci, an operator key\n",
			"may         issue, read\n", `reports/* a\x1b/*`, "at most 2h for sensitive objects", "max_expiry  2h\n",
			"preset      business 12h\n")
	}
	has(t, runOver(t, f, "key", "check", "--json").stdout, `"admitted_by": "key"`, `"version": "1.2.3"`)
	refused := &fakeAPI{answers: map[string]any{"GET /api/v1/operator": api.Problem{
		Status: 401, Code: "unauthorized", Detail: "unknown operator key",
	}}}
	if got := runOver(t, refused, "key", "check"); got.code != command.ExitFailed || got.stdout != "" ||
		!strings.Contains(got.stderr, "unknown operator key\n") {
		t.Errorf("a wrong key: %+v", got)
	}
	if got := runOver(t, &fakeAPI{}, "keys", "check"); got.code != command.ExitFailed ||
		!strings.Contains(got.stderr, "the service is older than this client") {
		t.Errorf("an old service: %+v", got)
	}
	token := api.Operator{Name: "oidc:bob", DisplayName: "Bob", AdmittedBy: api.AdmittedByToken}
	f = &fakeAPI{answers: map[string]any{"GET /api/v1/operator": token}}
	has(t, runOver(t, f, "key", "check").stdout, "oidc:bob, a token without a grant",
		"nothing: the token matches no grant", "objects   none", "Bob (for recipients)")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	env := command.Env{Stdout: &out, Build: command.Build{Version: "v1", Revision: "abc", GoVersion: "go1"}}
	if code := runCLI(t.Context(), []string{"version"}, env); code != command.ExitOK ||
		out.String() != "keyhole v1\nrevision abc\ngo1\n" {
		t.Errorf("exit %d, %q", code, out.String())
	}
}
