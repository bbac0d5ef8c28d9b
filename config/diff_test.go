package config

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	base := func() *Config {
		c := Default()
		c.Operator.Keys = []OperatorKey{{Name: "a", SHA256: "1", Can: []string{"read"}}, {Name: "b", SHA256: "2"}}
		c.Storage = []Storage{{Name: "main", Buckets: []string{"x"}}}
		c.Redis.Password = NewSecret("one")
		return c
	}
	tests := map[string]struct {
		change func(*Config)
		want   []string
	}{
		"nothing":    {func(*Config) {}, nil},
		"a duration": {func(c *Config) { c.Redis.Timeout = time.Hour }, []string{"redis.timeout"}},
		"a preset":   {func(c *Config) { c.Policy.Presets.Handoff = time.Hour }, []string{"policy.presets.handoff"}},
		"a list":     {func(c *Config) { c.Storage[0].Buckets = []string{"x", "y"} }, []string{"storage[0].buckets"}},
		"a secret":   {func(c *Config) { c.Redis.Password = NewSecret("two") }, []string{"redis.password"}},
		"of one key": {
			func(c *Config) { c.Operator.Keys[1].MaxExpiry = time.Hour },
			[]string{"operator.keys[1].max_expiry"},
		},
		"an empty list": {func(c *Config) { c.Operator.Keys[0].Can = []string{} }, []string{"operator.keys[0].can"}},
		"a key more": {
			func(c *Config) { c.Operator.Keys = append(c.Operator.Keys, OperatorKey{Name: "c"}) },
			keyPaths(2),
		},
		"a key less": {func(c *Config) { c.Operator.Keys = c.Operator.Keys[:1] }, keyPaths(1)},
		"two of sections": {func(c *Config) { c.Log.Level, c.Public.URL = "debug", "x" }, []string{
			"log.level",
			"public.url",
		}},
	}
	for name, tt := range tests {
		changed := base()
		tt.change(changed)
		if got := Diff(base(), changed); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
		if got := Diff(changed, base()); !slices.Equal(got, tt.want) {
			t.Errorf("%s, the other way: got %v, want %v", name, got, tt.want)
		}
	}
}

// keyPaths are the paths of one operator key.
func keyPaths(i int) []string {
	var paths []string
	for _, field := range []string{"can", "display_name", "max_expiry", "name", "objects", "sha256"} {
		paths = append(paths, fmt.Sprintf("operator.keys[%d].%s", i, field))
	}
	return paths
}
