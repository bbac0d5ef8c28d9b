package server

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
	"keyhole/gateway/logtest"
)

// startReloader starts a server and a reloader of a file that is read by load. logged
// returns what was logged since its last call.
func startReloader(t *testing.T, cfg *config.Config, load loader) (r *reloader, logged func() string) {
	t.Helper()
	out := &logtest.Buffer{}
	s := startServer(t, cfg, out)
	path := filepath.Join(t.TempDir(), "keyhole.yaml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r = newReloader(path, load, stat(path), s)
	return r, func() string {
		closeLog(t, s.log.lines)
		return out.Take()
	}
}

// A reload names what it applied and what needs a restart.
func TestReloaderApplies(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	next := *cfg
	next.Operator.Keys = []config.OperatorKey{testKey("another", operatorkey.New())}
	next.Redis.Prefix = "other"
	warning := config.Warning{Path: "policy.max_expiry", Message: "is long"}
	r, logged := startReloader(t, cfg, func() (*config.Config, []config.Warning, error) {
		return &next, []config.Warning{warning}, nil
	})
	logged()
	r.reload(t.Context())
	text := logged()
	for _, want := range []string{
		`msg="configuration reloaded" changed=`, "operator_keys=[another]",
		`msg="configuration changes need a restart" keys=[redis.prefix]`, "key=policy.max_expiry",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the log: %s", want, text)
		}
	}
	if strings.Contains(text, key) || r.pending {
		t.Errorf("pending %v: %s", r.pending, text)
	}
}

// A configuration with mistakes changes nothing. The failure is repeated, and logged once
// until it is another one.
func TestReloaderFails(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	var failure error
	r, logged := startReloader(t, cfg, func() (*config.Config, []config.Warning, error) { return cfg, nil, failure })
	logged()
	for _, step := range []struct {
		failure error
		logged  string // empty: nothing
	}{
		{config.Problems{{Path: "redis.mode", Message: "is unknown"}}, "redis.mode"},
		{config.Problems{{Path: "redis.mode", Message: "is unknown"}}, ""},
		{config.Problems{{Path: "public.url", Message: "is empty"}}, "public.url"},
		{nil, "configuration reloaded"},
		{config.Problems{{Path: "public.url", Message: "is empty"}}, keptConfiguration},
	} {
		failure = step.failure
		r.reload(t.Context())
		text := logged()
		if r.pending != (failure != nil) || (text == "") != (step.logged == "") || !strings.Contains(text, step.logged) {
			t.Errorf("after %v: pending %v, logged %q, want %q", failure, r.pending, text, step.logged)
		}
	}
	if link, _ := share(t, r.server, key); link.CreatedBy != "ops" {
		t.Errorf("the previous key is not in use: %+v", link)
	}
	page := get(t, "http://"+r.server.OperatorAddr()+"/metrics").body
	if !strings.Contains(page, "\nkeyhole_configuration_reload_failed 1\n") {
		t.Error("the metric does not report the failure")
	}
}

// A directory or pipe in place of the file cannot be read again: the previous
// configuration stays.
func TestReloaderOfADirectory(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	r, logged := startReloader(t, cfg, func() (*config.Config, []config.Warning, error) {
		t.Error("it is read")
		return nil, nil, errors.New("unexpected")
	})
	logged()
	r.path = t.TempDir()
	for _, want := range []string{"it is not a regular file", ""} {
		r.reload(t.Context())
		if text := logged(); !r.pending || (text == "") != (want == "") || !strings.Contains(text, want) {
			t.Errorf("pending %v, logged %q, want %q", r.pending, text, want)
		}
	}
}

// A signal reloads at once, and logs a failure again that was logged before.
func TestReloaderOnASignal(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	loaded := make(chan struct{}, 2)
	r, _ := startReloader(t, cfg, func() (*config.Config, []config.Warning, error) {
		loaded <- struct{}{}
		return cfg, nil, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	signals := make(chan os.Signal)
	var running sync.WaitGroup
	running.Go(func() { r.run(ctx, signals) })
	for range 2 {
		signals <- os.Interrupt // any signal: the caller chooses it
		<-loaded
	}
	cancel()
	running.Wait()
}

// A file counts as changed if it was written, replaced, created or removed since. One that
// is named only now is remembered and unchanged.
func TestSnapshots(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, other := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	take := func(paths ...string) snapshot {
		s := snapshot{}
		for _, p := range paths {
			s[p] = stat(p)
		}
		return s
	}
	write(path, "one")
	before := take(path, other)
	if take(path, other).changedSince(before) {
		t.Error("unchanged files count as changed")
	}
	write(path, "longer")
	if !take(path).changedSince(before) {
		t.Error("a written file counts as unchanged")
	}
	write(other, "new")
	if !take(other).changedSince(before) {
		t.Error("a created file counts as unchanged")
	}
	before = take(path)
	if take(path, other).changedSince(before) {
		t.Error("a file that is named only now counts as changed")
	}
	if _, known := before[other]; !known {
		t.Error("it is not remembered")
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if !take(path, other).changedSince(before) {
		t.Error("a removed file counts as unchanged")
	}
}

// Only the credentials of a storage are applied without a restart: with another endpoint,
// new credentials may belong to another storage.
func TestOnlyCredentialsDiffer(t *testing.T) {
	t.Parallel()
	base := config.DefaultStorage()
	base.Name, base.Endpoint, base.Buckets = "main", "https://s3.test", []string{"reports"}
	for name, tt := range map[string]struct {
		change func(*config.Storage)
		only   bool
	}{
		"nothing":     {func(*config.Storage) {}, true},
		"the key ID":  {func(c *config.Storage) { c.AccessKeyID = "id" }, true},
		"the secret":  {func(c *config.Storage) { c.SecretAccessKey = config.NewSecret("x") }, true},
		"its file":    {func(c *config.Storage) { c.SecretAccessKeyFile = "/x" }, true},
		"the host":    {func(c *config.Storage) { c.Endpoint = "https://other.test"; c.AccessKeyID = "id" }, false},
		"the buckets": {func(c *config.Storage) { c.Buckets = []string{"reports", "more"} }, false},
		"the region":  {func(c *config.Storage) { c.Region = "eu-west-1" }, false},
	} {
		next := base
		tt.change(&next)
		if got := onlyCredentialsDiffer(&base, &next); got != tt.only {
			t.Errorf("%s: got %v", name, got)
		}
	}
	cfg := &config.Config{Storage: []config.Storage{base}}
	if storageNamed(cfg, "main") != &cfg.Storage[0] || storageNamed(cfg, "other") != nil {
		t.Error("a storage is not found by its name")
	}
	if got := StorageNames(cfg); !slices.Equal(got, []string{"main"}) {
		t.Errorf("got %q", got)
	}
}

// A part that cannot be applied keeps its previous state, and the others are applied.
func TestReloadInPart(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	s := startServer(t, cfg, io.Discard)
	next := *cfg
	next.Policy.SensitiveObjects = []string{"reports/*"}
	next.Storage = slices.Clone(cfg.Storage)
	next.Storage[0].SecretAccessKeyFile = "/does/not/exist"
	next.Operator.OIDC.Issuer, next.Operator.OIDC.CAFile = "https://id.test", "/does/not/exist"
	err := s.Reload(t.Context(), &next)
	for _, want := range []string{"storage main keeps its previous credentials", "operator.oidc: read ca_file"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if link, _ := share(t, s, key); link.Sensitive == nil || !*link.Sensitive {
		t.Errorf("the policy is not applied: %+v", link)
	}
	// The part is tried again by the next reload.
	if waiting := config.Diff(&s.current, &next); len(waiting) == 0 {
		t.Error("nothing is left to apply")
	}
	s.current.Public.TLS.CertFile, next.Public.TLS.CertFile = "/previous", "/does/not/exist"
	if err := s.reloadCertificates(&next); err == nil || s.current.Public.TLS.CertFile != "/previous" ||
		!strings.Contains(err.Error(), "read the certificate of "+s.PublicAddr()) {
		t.Errorf("a missing certificate: %v", err)
	}
}

// Problems of a configuration are counted, one line each, and the hint fits the cause.
func TestConfigError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyhole.yaml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	one := config.Problems{{Path: "redis.mode", Message: "is unknown"}}
	for name, tt := range map[string]struct {
		path       string
		err        error
		text, hint string
	}{
		"one problem": {path, one, path + ": 1 problem in the configuration\n", "keyhole serve --check"},
		"two problems": {
			path, append(one, config.Problem{Path: "public.url", Message: "is empty"}),
			path + ": 2 problems in the configuration\n", "correct the named keys",
		},
		"no file": {
			path + ".missing",
			config.Problems{{Message: path + ".missing cannot be read: no such file or directory"}},
			"the configuration file " + path + ".missing does not exist", "--config or in KEYHOLE_CONFIG",
		},
		"unreadable": {path, errors.New("permission denied"), "permission denied", "keyhole serve --check"},
	} {
		var known *command.Error
		err := ConfigError(tt.path, tt.err)
		if !errors.As(err, &known) || known.Code != command.ExitUsage || !strings.HasPrefix(err.Error(), tt.text) ||
			!strings.Contains(known.Hint, tt.hint) {
			t.Errorf("%s: got %v, %+v", name, err, known)
		}
	}
}

// Changed pages of recipients need no restart, and a logo is read again if its file has
// changed under the same name. A logo that is refused keeps the previous pages.
func TestReloadPages(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	logo := filepath.Join(t.TempDir(), "logo.svg")
	write := func(text string) {
		if err := os.WriteFile(logo, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`<svg xmlns="http://www.w3.org/2000/svg"/>`)
	next := *cfg
	next.Pages.Organization, next.Pages.LogoFile = "Another", logo
	next.Pages.Links = []config.PageLink{{Name: "Privacy", URL: "https://example.com/privacy"}}
	r, logged := startReloader(t, cfg, func() (*config.Config, []config.Warning, error) { return &next, nil, nil })
	logged()
	r.reload(t.Context())
	text := logged()
	if !strings.Contains(text, "pages.links[0].url pages.logo_file pages.organization") ||
		strings.Contains(text, "restart") {
		t.Errorf("got %s", text)
	}
	before := r.snapshot()
	write(`<svg xmlns="http://www.w3.org/2000/svg"><g/></svg>`)
	if !r.snapshot().changedSince(before) {
		t.Error("a changed logo is not noticed")
	}
	write(`<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`)
	next.Pages.Organization = "A third"
	r.reload(t.Context())
	if text := logged(); !r.pending || r.server.current.Pages.Organization != "Another" ||
		!strings.Contains(text, "the recipients' pages keep their previous appearance") ||
		!strings.Contains(text, "the element <script> in line 1") {
		t.Errorf("pending %v: %s", r.pending, text)
	}
	write(`<svg xmlns="http://www.w3.org/2000/svg"/>`)
	r.reload(t.Context())
	if logged(); r.pending || r.server.current.Pages.Organization != "A third" {
		t.Errorf("pending %v, pages %+v", r.pending, r.server.current.Pages)
	}
}
