package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// withSecrets is a configuration in which every secret is the canary.
func withSecrets(t *testing.T) *Config {
	t.Helper()
	text := minimal + `    access_key_id: AKID
redis: {mode: sentinel, master_name: m, password_file: /secrets/a, sentinel_password_file: /secrets/a}
`
	text = strings.Replace(text, "operator:\n", `operator:
  oidc:
    issuer: https://login.example.com
    audience: keyhole
    client_id: console
    client_secret_file: /secrets/a
    grants: [{name: g, claim: groups, value: v, can: [read]}]
`, 1)
	c, _, err := loadText(text, disk{"/secrets/a": canary}, "KEYHOLE_STORAGE_MAIN_SECRET_ACCESS_KEY="+canary)
	if err != nil {
		t.Fatal(err)
	}
	secrets := 0
	for _, s := range settings(c) {
		if isSecret(s.value.Type()) {
			secrets++
			if got := s.value.Interface().(Secret).Reveal(); got != canary {
				t.Fatalf("%s is %q: the test would prove nothing", s.path, got)
			}
		}
	}
	if secrets != 4 {
		t.Fatalf("%d secrets, want 4", secrets)
	}
	return c
}

// hidden holds the configuration where fmt may call no method.
type hidden struct {
	value   Config
	pointer *Config
	secret  Secret
	list    []Secret
	byName  map[string]Secret
	any     any
}

func printed(t *testing.T, c *Config) map[string]string {
	t.Helper()
	out := map[string]string{}
	s := c.Redis.Password
	for what, v := range map[string]any{
		"value": *c, "pointer": c, "secret": s, "pointer to secret": &s,
		"list": []Secret{s}, "map": map[string]Secret{"a": s}, "any": []any{s, c.Redis},
		"hidden": hidden{*c, c, s, []Secret{s}, map[string]Secret{"a": s}, s},
	} {
		for _, verb := range []string{
			"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%c", "%U", "%p",
			"%e", "%10.3s", "%!",
		} {
			out[what+" "+verb] = fmt.Sprintf(verb, v)
		}
		out[what+" Sprint"] = fmt.Sprint(v)
		out[what+" error"] = fmt.Errorf("wrapped: %w", errors.New(fmt.Sprint(v))).Error()

		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out[what+" json"] = string(j)
		if what != "hidden" {
			y, err := yaml.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			out[what+" yaml"] = string(y)
		}
		var b bytes.Buffer
		o := &slog.HandlerOptions{Level: slog.LevelDebug}
		slog.New(slog.NewJSONHandler(&b, o)).Debug("configuration", "v", v, slog.Group("g", "v", v))
		slog.New(slog.NewTextHandler(&b, o)).Debug("configuration", "v", v, slog.Group("g", "v", v))
		out[what+" slog"] = b.String()
	}
	x, err := xml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	out["xml"] = string(x)
	var b strings.Builder
	if err := template.Must(template.New("t").Parse("{{.}} {{.Redis.Password}} {{printf \"%d\" "+
		".Redis.Password}}")).Execute(&b, c); err != nil {
		t.Fatal(err)
	}
	out["template"] = b.String()
	return out
}

func TestNoFormOfPrintingShowsSecrets(t *testing.T) {
	hex := fmt.Sprintf("%x", canary)
	for how, text := range printed(t, withSecrets(t)) {
		if strings.Contains(text, canary) || strings.Contains(strings.ToLower(strings.ReplaceAll(text, " ", "")), hex) {
			t.Errorf("%s shows a secret: %s", how, text)
		}
	}
}

// Where a method can be called, what is printed says that there was something.
func TestRedacted(t *testing.T) {
	s := NewSecret(canary)
	j, _ := json.Marshal(s)
	y, _ := yaml.Marshal(s)
	text, _ := s.MarshalText()
	for how, got := range map[string]string{
		"%v": fmt.Sprintf("%v", s), "%+v": fmt.Sprintf("%+v", s), "%#v": fmt.Sprintf("%#v", s), "%d": fmt.Sprintf("%d",
			s), "%s": fmt.Sprint(s),
		"String": s.String(), "GoString": s.GoString(), "text": string(text),
		"json": strings.Trim(string(j), `"`), "yaml": strings.Trim(string(y), "'\n"), "slog": s.LogValue().String(),
		"empty": fmt.Sprint(Secret{}),
	} {
		if got != "[redacted]" {
			t.Errorf("%s prints %q", how, got)
		}
	}
}

func TestReveal(t *testing.T) {
	if got := NewSecret(canary).Reveal(); got != canary {
		t.Errorf("Reveal is %q", got)
	}
	if got := (Secret{}).Reveal(); got != "" {
		t.Errorf("Reveal of none is %q", got)
	}
}

// A secret in the wrong place is not repeated by the problem that refuses it.
func TestProblemsShowNoSecrets(t *testing.T) {
	for name, tt := range map[string]struct{ text, environ string }{
		"plain in the file":   {"redis: {password: " + canary + "}\n", "A=b"},
		"in a URL":            {"redis: {addresses: [\"redis://u:" + canary + "@h:1\"]}\n", "A=b"},
		"before an address":   {"redis: {addresses: [\"default:" + canary + "@h:6379\"]}\n", "A=b"},
		"in an endpoint":      {"    endpoint: https://u:" + canary + "@s3.example.com\n", "A=b"},
		"in a broken URL":     {"    endpoint: \"https://u:" + canary + "/@s3.example.com\"\n", "A=b"},
		"in a public URL":     {"", "KEYHOLE_PUBLIC_URL=https://u:" + canary + "@h"},
		"in a control string": {"", "KEYHOLE_REDIS_PASSWORD=" + canary + "\x00"},
		"key for its hash":    {"", "KEYHOLE_OPERATOR_KEYS_CI_SHA256=" + canary},
		"as a section":        {"redis: " + canary + "\n", "A=b"},
		"as a list":           {"policy: {sensitive_objects: " + canary + "}\n", "A=b"},
		"as an alias":         {"redis: {password: *" + canary + "}\n", "A=b"},
		"in the wrong file":   {"    ca_file: /secrets/a\n", "A=b"},
		"as a certificate":    {"", "KEYHOLE_PUBLIC_TLS_CERT_FILE=/secrets/a"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := loadText(minimal+tt.text, disk{"/secrets/a": canary}, tt.environ)
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("shows it: %v", err)
			}
		})
	}
}
