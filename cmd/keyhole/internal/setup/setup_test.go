package setup

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/contexts"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
)

// result is what a run of init left.
type result struct {
	stdout, stderr string
	err            error
}

// initialise runs init with arguments, a home directory and variables over credentials.
func initialise(t *testing.T, home string, args []string, environ ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := &command.Env{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Environ: append([]string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + home, "USER=ada", "AWS_ACCESS_KEY_ID=the-id",
		"AWS_SECRET_ACCESS_KEY=the-secret",
	}, environ...)}
	cmd := NewCommand(env)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(context.WithoutCancel(t.Context()))
	return result{stdout.String(), stderr.String(), err}
}

// load loads the configuration that init wrote. It has no warnings.
func load(t *testing.T, directory string) *config.Config {
	t.Helper()
	cfg, warnings, err := config.Load(config.LoadOptions{Path: filepath.Join(directory, configFile)})
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	return cfg
}

// loadWarned is load for a configuration with risks that the user has chosen.
func loadWarned(t *testing.T, directory string) *config.Config {
	t.Helper()
	cfg, _, err := config.Load(config.LoadOptions{Path: filepath.Join(directory, configFile)})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestInit(t *testing.T) {
	home, directory := t.TempDir(), filepath.Join(t.TempDir(), `it's "new"`)
	got := initialise(t, home, []string{
		"--directory", directory, "--bucket", "reports", "--bucket", "exports", "--endpoint", "http://127.0.0.1:9000",
	})
	if got.err != nil {
		t.Fatal(got.err)
	}
	cfg := load(t, directory)
	storage := cfg.Storage[0]
	if !storage.PathStyle || len(storage.Buckets) != 2 || storage.AccessKeyID != "the-id" ||
		storage.SecretAccessKey.Reveal() != "the-secret" {
		t.Errorf("the storage is %+v", storage)
	}
	if cfg.Redis.Mode != config.RedisLocal || cfg.Redis.Directory != filepath.Join(directory, "redis") {
		t.Errorf("redis is %+v", cfg.Redis)
	}
	key, err := os.ReadFile(filepath.Join(directory, keyFile))
	if err != nil || operatorkey.Hash(strings.TrimSpace(string(key))) != cfg.Operator.Keys[0].SHA256 ||
		cfg.Operator.Keys[0].Name != "ada" {
		t.Errorf("the key does not belong to %+v: %v", cfg.Operator.Keys, err)
	}
	for _, name := range files() {
		if info, err := os.Stat(filepath.Join(directory, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if entries, err := os.ReadDir(directory); err != nil || len(entries) != len(files()) {
		t.Errorf("the directory has %v, %v", entries, err)
	}
	known, err := contexts.Load(filepath.Join(home, "keyhole", "config.yaml"))
	if err != nil || known.Current != "local" || known.Contexts[0].KeyFile != filepath.Join(directory, keyFile) {
		t.Errorf("the contexts are %+v, %v", known, err)
	}
	if strings.Count(got.stdout, "\n") != 2 || !strings.Contains(got.stdout, "keyhole share s3://reports/KEY") {
		t.Errorf("the next commands are %q", got.stdout)
	}
	if all := got.stdout + got.stderr; strings.Contains(all, "the-secret") || strings.Contains(all, "khk_") {
		t.Error("a secret was printed")
	}
	// A second installation has a context of its own and says which one was current.
	second := initialise(t, home, []string{"--directory", t.TempDir(), "--bucket", "reports"})
	if second.err != nil || !strings.Contains(second.stderr, "local-2, now the current one (before: local)") {
		t.Errorf("the second: %v\n%s", second.err, second.stderr)
	}
}

// Without a redis-server the configuration names one that somebody else runs.
func TestWithoutRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	directory := t.TempDir()
	got := initialise(t, t.TempDir(), []string{
		"--directory", directory, "--bucket", "reports", "--endpoint", "https://s3.example.com", "--public-url",
		"https://dl.example.com", "--region", "eu-1",
	}, "USER=not a name")
	if got.err != nil || !strings.Contains(got.stderr, "Redis    neither redis-server nor valkey-server is in PATH; "+
		"the service uses the Redis at 127.0.0.1:6379 (redis.mode: single): start one there, or change redis.addresses\n") {
		t.Fatal(got.err, got.stderr)
	}
	cfg := load(t, directory)
	if cfg.Redis.Mode != "single" || cfg.Redis.Addresses[0] != "127.0.0.1:6379" || cfg.Storage[0].PathStyle ||
		cfg.Storage[0].Region != "eu-1" || cfg.Public.URL != "https://dl.example.com" ||
		cfg.Operator.Keys[0].Name != "operator" {
		t.Errorf("the configuration is %+v", cfg)
	}
}

// What init refuses: it writes nothing at all.
func TestRefused(t *testing.T) {
	bucket := []string{"--bucket", "reports"}
	for name, tt := range map[string]struct {
		args    []string
		environ []string
		exists  string // a file in the directory
		want    string
	}{
		"no bucket":             {want: "--bucket is missing"},
		"temporary credentials": {args: bucket, environ: []string{"AWS_SESSION_TOKEN=x"}, want: "AWS_SESSION_TOKEN is set"},
		"no credentials": {
			args: bucket, environ: []string{"AWS_SECRET_ACCESS_KEY="}, want: "the credentials of the storage are missing",
		},
		"a configuration": {args: bucket, exists: configFile, want: "keyhole.yaml exists already"},
		"a key":           {args: bucket, exists: keyFile, want: "operator.key exists already"},
		"a secret":        {args: bucket, exists: secretFile, want: secretFile + " exists already"},
		"a wrong bucket":  {args: []string{"--bucket", "A_B"}, want: "--bucket A_B must be the name"},
		"a wrong endpoint": {
			args: append([]string{"--endpoint", "ftp://x"}, bucket...), want: "--endpoint must begin with",
		},
		"a wrong URL": {args: append([]string{"--public-url", "dl"}, bucket...), want: "--public-url must begin with"},
	} {
		t.Run(name, func(t *testing.T) {
			home, directory := t.TempDir(), filepath.Join(t.TempDir(), "d")
			if tt.exists != "" {
				if err := os.Mkdir(directory, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(directory, tt.exists), []byte("old"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := initialise(t, home, append([]string{"--directory", directory}, tt.args...), tt.environ...)
			wrong, ok := errors.AsType[*command.Error](got.err)
			if !ok || wrong.Code != command.ExitUsage || !strings.Contains(wrong.Error(), tt.want) {
				t.Errorf("the error is %v, want %q", got.err, tt.want)
			}
			if entries, err := os.ReadDir(directory); tt.exists == "" && err == nil || len(entries) > 1 {
				t.Errorf("the directory has %v", entries)
			}
			if entries, err := os.ReadDir(home); err != nil || len(entries) > 0 {
				t.Errorf("the home directory has %v, %v", entries, err)
			}
		})
	}
}
