package doctor

import (
	"testing"

	"keyhole/cmd/keyhole/internal/inprocess"
	"keyhole/config"
	"keyhole/gateway/console"
)

// The console shows the same findings as the command.
func TestExamine(t *testing.T) {
	t.Parallel()
	redis, err := inprocess.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	path := writeConfig(t, redis.Addr(), startStorage(t, nil))
	cfg, _, err := config.Load(config.LoadOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	found, err := Examine(t.Context(), cfg)
	if err != nil || len(found) != 23 {
		t.Fatalf("%v, %d findings: %+v", err, len(found), found)
	}
	if want := (console.Finding{
		Subject: "redis", Check: "reachable", Level: console.LevelOK, Message: redis.Addr() + " responds",
	}); found[0] != want {
		t.Errorf("got %+v, want %+v", found[0], want)
	}
	for _, f := range found {
		if (f.Level == console.LevelOK) != (f.Do == "") {
			t.Errorf("a finding has the wrong advice: %+v", f)
		}
	}
}

// The levels of the command and of the console have the same names.
func TestLevels(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		console.LevelOK: levelOK, console.LevelWarning: levelWarning, console.LevelFailure: levelFailure,
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A mistake in the configuration is an error, with the findings until then.
func TestExamineFails(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Redis.Addresses = []string{"127.0.0.1:1"}
	cfg.Redis.TLS.Enabled, cfg.Redis.TLS.CAFile = true, t.TempDir()
	if found, err := Examine(t.Context(), cfg); err == nil || len(found) > 0 {
		t.Errorf("got %+v", found)
	}
}
