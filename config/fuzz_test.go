package config

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// FuzzLoad: whatever stands in the file and the environment, loading ends, with
// a valid configuration or with problems that can be printed, never both.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		"", minimal, twoOfEach, tenMistakes, string(example),
		"storage: &a [*a, *a]\n", "public: {<<: {url: x}}\n", "? [a, b]\n: c\n", "---\n---\n", "\xff\xfe",
		"a: !!binary x\n", "redis: !x {}\n",
		"redis: {timeout: 1e9, database: 0x10, prefix: !!str 5, tls: !!map {}}\n", "log: {level: |\n  a\n  b\n}\n",
		"%YAML 1.1\n---\npublic:\n",
	} {
		f.Add(text, "KEYHOLE_REDIS_TIMEOUT=1s\nKEYHOLE_STORAGE_MAIN_ENDPOINT=http://x\n"+
			"KEYHOLE_REDIS_PASSWORD_FILE=/secrets/a")
		f.Add(text, "KEYHOLE_=\nKEYHOLE_\x00\r=\nKEYHOLE_STORAGE__ENDPOINT=\n"+
			"KEYHOLE_PUBLIC_URL=http://[::1%25a]\n=\nKEYHOLE_OPERATOR_KEYS_CI_CAN=,")
	}
	f.Fuzz(func(t *testing.T, text, environ string) {
		files := disk{"/secrets/a": canary}
		c, _, err := loadText(text, files, strings.Split(environ, "\n")...)
		if (c == nil) == (err == nil) {
			t.Fatalf("configuration %v with error %v", c, err)
		}
		if err != nil {
			var ps Problems
			if !errors.As(err, &ps) || len(ps) == 0 {
				t.Fatalf("the error is %T: %v", err, err)
			}
			for _, p := range ps {
				if p.Message == "" || strings.ContainsAny(p.String(), "\r\n\x00") {
					t.Errorf("not one line: %q", p.String())
				}
			}
			return
		}
		if problems, _ := c.validate(); len(problems) > 0 {
			t.Errorf("loaded, but %v", problems)
		}
		again := *c
		again.normalise(func(string) bool { return true })
		if again.Public.URL != c.Public.URL || again.Storage[0].PublicEndpoint != c.Storage[0].PublicEndpoint {
			t.Errorf("the normal form is not stable: %q %q", c.Public.URL, again.Public.URL)
		}
	})
}
