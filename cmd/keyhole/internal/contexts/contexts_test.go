package contexts

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// The first context becomes the current one; a name is replaced only on request.
func TestAdd(t *testing.T) {
	t.Parallel()
	c := &Config{}
	prod, test := Context{Name: "prod", URL: "https://p", Key: "k"}, Context{Name: "test", URL: "https://t", Key: "k"}
	if err := errors.Join(c.Add(prod, false), c.Add(test, false)); err != nil || c.Current != "prod" {
		t.Fatalf("current is %q, %v", c.Current, err)
	}
	other := Context{Name: "test", URL: "https://other", Key: "k"}
	if err := c.Add(other, false); !errors.Is(err, ErrExists) {
		t.Errorf("the same name: %v", err)
	}
	if x, _ := c.Find("test"); x != test {
		t.Errorf("the refused context replaced the old one: %+v", x)
	}
	if err := c.Add(other, true); err != nil || c.Current != "prod" || !slices.Equal(c.Names(), []string{"prod", "test"}) {
		t.Errorf("replaced: %+v, %v", c, err)
	}
	if x, err := c.Find("test"); err != nil || x != other {
		t.Errorf("got %+v, %v", x, err)
	}
	if err := c.Add(Context{Name: "new", URL: "https://n", Key: "k"}, true); err != nil || len(c.Contexts) != 3 {
		t.Errorf("replacing nothing: %+v, %v", c, err)
	}
}

// Removing the current context chooses no other one.
func TestUseAndRemove(t *testing.T) {
	t.Parallel()
	c := &Config{Current: "a", Contexts: []Context{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
	if err := c.Use("b"); err != nil || c.Current != "b" {
		t.Errorf("current is %q, %v", c.Current, err)
	}
	if err := c.Use("z"); !errors.Is(err, ErrUnknown) || c.Current != "b" {
		t.Errorf("an unknown one: current is %q, %v", c.Current, err)
	}
	if err := c.Remove("a"); err != nil || c.Current != "b" {
		t.Errorf("after another one was removed, current is %q, %v", c.Current, err)
	}
	if err := c.Remove("b"); err != nil || c.Current != "" || !slices.Equal(c.Names(), []string{"c"}) {
		t.Errorf("%+v, %v", c, err)
	}
	if err := c.Remove("b"); !errors.Is(err, ErrUnknown) {
		t.Errorf("twice: %v", err)
	}
	if _, err := c.Find("b"); !errors.Is(err, ErrUnknown) {
		t.Errorf("found: %v", err)
	}
}

func TestValidName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"prod": true, "eu-west_1.test": true, "1": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, ".a": false, "a b": false, "a/b": false, "é": false, "a\n": false,
		strings.Repeat("a", 64): false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}
