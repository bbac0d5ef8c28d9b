package main

import (
	"os"
	"strings"
	"testing"
)

// The lists that the scripts use.
const (
	layersList = "../layers.list"
	wordsList  = "../words.list"
)

// text returns a file of deploy.
func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Packages of this tree and those that the design plans are in the layer that it names.
func TestLayersList(t *testing.T) {
	l, err := parseLayers(text(t, layersList))
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"config":                          "leaves",
		"signer":                          "leaves",
		"gateway/api":                     "leaves",
		"gateway":                         "domain",
		"gateway/addresses":               "parts",
		"gateway/admission":               "parts",
		"gateway/explain":                 "parts",
		"gateway/pages":                   "parts",
		"gateway/redisstore/record":       "pieces",
		"gateway/redisstore/batch":        "pieces",
		"gateway/redisstore":              "adapters",
		"gateway/objects":                 "adapters",
		"gateway/objects/s3test":          "adapters",
		"gateway/identity":                "adapters",
		"gateway/client":                  "adapters",
		"gateway/httpapi":                 "adapters",
		"gateway/console":                 "adapters",
		"gateway/webhook":                 "adapters",
		"cmd/keyhole/internal/server":     "wiring",
		"cmd/keyhole/internal/cli/term":   "wiring",
		"cmd/keyhole":                     "programs",
		"deploy":                          "programs",
		"deploy/source":                   "programs",
		"deploy/bench/clicks":             "programs",
		"elsewhere":                       "",
		"cmd/other":                       "",
		"configuration":                   "",
		"gatewayed/but/not/below/gateway": "",
	} {
		got := ""
		if layer := l.of(dir); layer >= 0 {
			got = l.names[layer]
		}
		if got != want {
			t.Errorf("%s is in %q, want %q", dir, got, want)
		}
	}
}

// Imports that the design forbids are found, and those that it wants are not.
func TestLayersListForbids(t *testing.T) {
	l, err := parseLayers(text(t, layersList))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		from, to string
		allowed  bool
	}{
		{"gateway", "signer", true},
		{"gateway/httpapi", "gateway", true},
		{"gateway/httpapi", "gateway/console", true},
		{"gateway/httpapi", "gateway/pages", true},
		{"gateway/redisstore", "gateway/redisstore/batch", true},
		{"gateway/client", "gateway/api", true},
		{"cmd/keyhole/internal/server", "gateway/redisstore", true},
		{"cmd/keyhole/internal/doctor", "cmd/keyhole/internal/server", true},
		{"cmd/keyhole", "cmd/keyhole/internal/cli", true},
		{"deploy/bench/clicks", "gateway/client", true},

		{"config", "gateway", false},
		{"config", "signer", false},
		{"signer", "config", false},
		{"signer", "gateway", false},
		{"gateway", "gateway/redisstore", false},
		{"gateway", "gateway/httpapi", false},
		{"gateway/explain", "gateway/httpapi", false},
		{"gateway/pages", "gateway/redisstore", false},
		{"gateway/redisstore/record", "gateway/redisstore", false},
		{"gateway/httpapi", "cmd/keyhole/internal/server", false},
		{"cmd/keyhole/internal/cli", "cmd/keyhole/internal/server", false},
		{"cmd/keyhole/internal/cli/term", "cmd/keyhole/internal/server", false},
		{"cmd/keyhole/internal/cli", "cmd/keyhole", false},
	} {
		found := graph{tt.from: {tt.to}}.violations(l)
		if allowed := len(found) == 0; allowed != tt.allowed {
			t.Errorf("%s imports %s: allowed %t, %q", tt.from, tt.to, allowed, found)
		}
	}
}

// Old words of the glossary are found, and the new ones and ordinary names are not.
func TestWordsList(t *testing.T) {
	words, err := parseWords(text(t, wordsList))
	if err != nil {
		t.Fatal(err)
	}
	const store, cmd, api = "gateway/redisstore", "cmd/keyhole/internal/cli", "gateway/httpapi"
	for _, tt := range []struct {
		dir, name string
		old       bool
	}{
		{store, "joiner", true},
		{store, "newJoined", true},
		{store, "settleCall", true},
		{store, "queueOf", true},
		{store, "home", true},
		{store, "mistrust", true},
		{store, "see", true},
		{store, "horizon", true},
		{store, "generation", true},
		{store, "lives", true},
		{store, "Lives", true},
		{store, "untry", true},
		{"gateway", "Untry", true},
		{"gateway", "Try", true},
		{"gateway", "NewGuesses", true},
		{"gateway", "judgePolicy", true},
		{"gateway/addresses", "Keeper", true},
		{"gateway/addresses", "KeepAddress", true},
		{"signer", "held", true},
		{"signer", "fresh", true},
		{"signer", "flight", true},
		{cmd, "world", true},
		{cmd, "surroundings", true},
		{cmd, "hinted", true},
		{cmd, "exchangeable", true},
		{cmd, "blind", true},
		{cmd, "takeUp", true},
		{cmd, "inForce", true},
		{api, "whose", true},
		{api, "hashPatience", true},

		{store, "pendingClick", false},
		{store, "batcher", false},
		{store, "shardQueue", false},
		{store, "retentionHorizon", false},
		{store, "judge", false}, // the decision of the script
		{store, "retention", false},
		{store, "lazyTimeout", false},
		{"gateway", "attempt", false},
		{"gateway", "entry", false},
		{"gateway", "retry", false},
		{"gateway", "aliveLinks", false},
		{"signer", "cached", false},
		{"signer", "inflight", false},
		{api, "TrustedProxies", false},
		{api, "home", false},
		{api, "whoseClock", false},
		{cmd, "env", false},
		{cmd, "seen", false},
		{cmd, "lookup", false},
		{"config", "trustedProxies", false},
		{"config", "names", false},
	} {
		found := findOld([]identifier{{name: tt.name, dir: tt.dir, position: tt.dir}}, words)
		if (len(found) > 0) != tt.old {
			t.Errorf("%s in %s: %q", tt.name, tt.dir, found)
		}
	}
}

// Old names of files are found in their directories only.
func TestWordsListFiles(t *testing.T) {
	words, err := parseWords(text(t, wordsList))
	if err != nil {
		t.Fatal(err)
	}
	for path, old := range map[string]bool{
		"gateway/misses.go":           true,
		"gateway/ratelimit.go":        false,
		"gateway/retry.go":            true,
		"gateway/idempotency.go":      false,
		"gateway/client/retry.go":     false, // it repeats requests
		"gateway/httpapi/client.go":   true,
		"gateway/client/client.go":    false,
		"gateway/httpapi/wire.go":     true,
		"gateway/redisstore/store.go": false,
		"cmd/keyhole/store.go":        true,
		"cmd/keyhole/storages.go":     true,
		"cmd/keyhole/hints.go":        true,
		"cmd/keyhole/print.go":        true,
		"cmd/keyhole/main.go":         false,
	} {
		slash := strings.LastIndexByte(path, '/')
		id := identifier{name: strings.TrimSuffix(path[slash+1:], ".go"), file: true, dir: path[:slash], position: path}
		if found := findOld([]identifier{id}, words); (len(found) > 0) != old {
			t.Errorf("%s: %q", path, found)
		}
	}
}
