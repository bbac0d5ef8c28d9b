package server

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
	"keyhole/gateway"
)

// Keys keep their name, rights, objects and limit. A hash that is no SHA-256 is an error
// that names the key and not the hash.
func TestOperatorKeys(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	key := testKey("ci", "secret")
	key.Can, key.Objects, key.MaxExpiry = []string{"issue"}, []string{"reports/*"}, time.Hour
	key.DisplayName = "Export service"
	cfg.Operator.Keys = []config.OperatorKey{key, testKey("ops", "other")}
	keys, err := operatorKeys(cfg)
	if err != nil || len(keys) != 2 {
		t.Fatalf("got %+v, %v", keys, err)
	}
	if k := keys[0]; k.Name != "ci" || !slices.Equal(k.Can, []gateway.Action{"issue"}) || k.MaxExpiry != time.Hour ||
		!slices.Equal(k.Objects, []gateway.Pattern{"reports/*"}) || k.DisplayName != "Export service" {
		t.Errorf("got %+v", k)
	}
	if keys[0].SHA256 == keys[1].SHA256 || keys[0].SHA256 == [32]byte{} {
		t.Error("the hashes are lost")
	}
	for _, hash := range []string{"", "canary", operatorkey.Hash("x")[:62], operatorkey.Hash("x") + "00"} {
		cfg.Operator.Keys[1].SHA256 = hash
		if _, err := operatorKeys(cfg); err == nil || !strings.Contains(err.Error(), "operator key ops") ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", hash, err)
		}
	}
}

// Every preset and cap of the configuration reaches the domain.
func TestPolicyOf(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Policy.MaxExpiry = 9 * time.Hour
	cfg.Policy.Caps.Sensitive, cfg.Policy.Caps.NotStated, cfg.Policy.Caps.NotSensitive = 1, 2, 3
	cfg.Policy.Presets.Handoff, cfg.Policy.Presets.Troubleshooting = 4, 5
	cfg.Policy.Presets.Business, cfg.Policy.Presets.Extended = 6, 7
	cfg.Policy.SensitiveObjects, cfg.Policy.PassphraseMin = []string{"reports/*"}, 17
	p := policyOf(cfg)
	if p.MaxExpiry != 9*time.Hour || p.PassphraseMin != 17 ||
		p.Caps != (gateway.Caps{Sensitive: 1, NotStated: 2, NotSensitive: 3}) ||
		!slices.Equal(p.SensitiveObjects, []gateway.Pattern{"reports/*"}) {
		t.Errorf("got %+v", p)
	}
	if len(p.Presets) != len(gateway.Presets()) {
		t.Errorf("got %d presets, want %d", len(p.Presets), len(gateway.Presets()))
	}
	for _, name := range gateway.Presets() {
		if p.Presets[name] == 0 {
			t.Errorf("the preset %s has no time", name)
		}
	}
}

// Without an authority the system's are used; a file without a certificate is an error,
// because nothing would be trusted.
func TestRootCAs(t *testing.T) {
	t.Parallel()
	if pool, err := rootCAs(""); pool != nil || err != nil {
		t.Errorf("without a file: %v, %v", pool, err)
	}
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{empty: "contains no certificate", empty + ".missing": "read ca_file"} {
		if _, err := rootCAs(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A secret file is read again for each use, so that a new secret needs no reload.
func TestSecretOf(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	read := secretOf(&config.Storage{SecretAccessKey: config.NewSecret("inline"), SecretAccessKeyFile: path})
	if _, err := read(); err == nil {
		t.Error("a missing file is a secret")
	}
	for _, text := range []string{"one", "two"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := read(); got != text || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if err := os.Truncate(path, 1<<30); err != nil { // as a log that is written to the wrong path
		t.Fatal(err)
	}
	if got, err := read(); got != "" || err == nil || !strings.Contains(err.Error(), path+": it is larger than") {
		t.Errorf("of 1 GiB: %d bytes, %v", len(got), err)
	}
	inline := secretOf(&config.Storage{SecretAccessKey: config.NewSecret("inline")})
	if got, err := inline(); got != "inline" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// lostKeys are the daily keys of a Redis that does not respond.
type lostKeys struct{}

func (lostKeys) DailyKey(context.Context, string) ([]byte, error) { return nil, gateway.ErrUnavailable }

// Without a hash key the service starts, and says that addresses are not recorded. Only
// the mode hashed needs a key.
func TestRecordAddresses(t *testing.T) {
	t.Parallel()
	background, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	for mode, want := range map[string]struct {
		valid  bool
		logged string
	}{
		"full": {true, ""}, "truncated": {true, ""}, "off": {true, ""}, "nonsense": {false, ""},
		"hashed": {true, "client addresses are not recorded: no hash key yet"},
	} {
		var log bytes.Buffer
		policy, err := recordAddresses(t.Context(), background, config.Audit{ClientAddress: mode}, lostKeys{},
			slog.New(slog.NewTextHandler(&log, nil)))
		if (err == nil) != want.valid || (policy == nil) == want.valid {
			t.Errorf("%s: got %v, %v", mode, policy, err)
		}
		if (log.Len() > 0) != (want.logged != "") || !strings.Contains(log.String(), want.logged) {
			t.Errorf("%s: the log says %q, want %q", mode, log.String(), want.logged)
		}
	}
}
