package operatorkey

import (
	"regexp"
	"testing"
)

func TestNew(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		key := New()
		if !regexp.MustCompile(`^khk_[A-Z2-7]{26}$`).MatchString(key) || seen[key] {
			t.Fatalf("got %q", key)
		}
		seen[key] = true
	}
}

// The hash is what sha256sum prints of the key without a line break.
func TestHash(t *testing.T) {
	t.Parallel()
	const want = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"
	if got := Hash("key"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"` + New() + `" is not an object`:             `"khk_…" is not an object`,
		"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln, x": "eyJ…, x",
		"s3://reports/khk_2026.pdf":                    "s3://reports/khk_…",
		"keys begin with khk_":                         "keys begin with khk_",
		"":                                             "",
	} {
		if got := Redact(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
