package localredis

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Find prefers redis-server, passes over versions that are too old, and knows Valkey.
func TestFind(t *testing.T) {
	for name, tt := range map[string]struct {
		programs map[string]string
		want     string // the name and version, or a part of the error
	}{
		"redis":     {map[string]string{"redis-server": "Redis server v=7.0.15 sha=0"}, "redis-server 7.0.15"},
		"newer":     {map[string]string{"redis-server": "Redis server v=10.2.0 sha=0"}, "redis-server 10.2.0"},
		"valkey":    {map[string]string{"valkey-server": "Valkey server v=8.1.1 sha=0"}, "valkey-server 8.1.1"},
		"old":       {map[string]string{"redis-server": "Redis server v=6.2.14 sha=0"}, "version 6.2.14, which is too old"},
		"none":      {nil, "neither redis-server nor valkey-server"},
		"something": {map[string]string{"redis-server": "hello"}, "it prints no version"},
		"old and newer": {
			map[string]string{"redis-server": "Redis server v=6.0.16 ", "valkey-server": "Valkey server v=7.2.5 "},
			"valkey-server 7.2.5",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for program, text := range tt.programs {
				if err := os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\necho '"+text+"'\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", dir)
			p, err := Find(t.Context())
			got := p.Name + " " + p.Version
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
