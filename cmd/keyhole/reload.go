package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/config"
)

// lookInterval is how often it is looked whether the configuration's file has
// changed. One that has is read when it has stayed the same for as long: nobody
// reads what is half written.
const lookInterval = time.Second

// reloader brings a configuration that has changed into a service that runs: keys,
// policy, the credentials of storages and the listeners' certificates. No request is
// dropped for it: each is judged by what is in force when it comes.
type reloader struct {
	path    string
	load    func() (*config.Config, []config.Warning, error)
	service *service
	log     *slog.Logger

	regular bool          // the configuration was a file that can be read again, at the start
	inForce config.Config // the service's: what it was started with, and what it has taken up since
	seen    looks         // at the files when they were looked at last
	read    looks         // at them before they were read last
	pending bool          // the last try failed, and is made again
	said    string        // what was last logged of tries that failed
	changed []string      // keys that differ from what was in force when the last try succeeded
}

// looks are what files were like, by path; nil: there was none.
type looks map[string]os.FileInfo

// changedFrom tells whether a file is not what it was before. One that was not looked
// at before is what it is now.
func (now looks) changedFrom(before looks) bool {
	changed := false
	for path, info := range now {
		was, known := before[path]
		if !known {
			before[path] = info
		}
		changed = changed || known && !sameFile(info, was)
	}
	return changed
}

// newReloader reloads what load reads of path, once there is a service; cfg is the
// one that it is started with, and read the file that this was read from.
func newReloader(path string, load func() (*config.Config, []config.Warning, error), cfg *config.Config, read os.FileInfo, log *slog.Logger) *reloader {
	r := &reloader{path: path, load: load, log: log, inForce: *cfg, regular: read == nil || read.Mode().IsRegular()}
	r.inForce.Storage = slices.Clone(cfg.Storage)
	r.read = r.look()
	if r.regular {
		r.read[path] = read
	}
	r.seen = maps.Clone(r.read)
	return r
}

// look looks at the files that are read again where they change: the configuration,
// and the listeners' certificates. Secrets are read where they are used.
func (r *reloader) look() looks {
	now := looks{}
	if r.regular {
		now[r.path] = stat(r.path)
	}
	for _, t := range []config.TLS{r.inForce.Public.TLS, r.inForce.Operator.TLS} {
		if t.CertFile != "" {
			now[t.CertFile], now[t.KeyFile] = stat(t.CertFile), stat(t.KeyFile)
		}
	}
	return now
}

// newReloadFailed registers the gauge that says whether the last try to reload failed.
func newReloadFailed(registry prometheus.Registerer) prometheus.Gauge {
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "keyhole", Name: "configuration_reload_failed",
		Help: "1 while the configuration, or a file that it names, could not be taken up whole, and the log says why; 0 otherwise.",
	})
	registry.MustRegister(gauge)
	return gauge
}

// run reloads on a signal, and when the file has changed, until ctx ends.
func (r *reloader) run(ctx context.Context, signals <-chan os.Signal) {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			r.said = ""
			r.reload(ctx)
		case <-ticker.C:
			now := r.look()
			settled, edited := !now.changedFrom(r.seen), now.changedFrom(r.read)
			r.seen = now
			if settled && edited {
				r.said = ""
			}
			if settled && (edited || r.pending) {
				r.reload(ctx)
			}
		}
	}
}

// stat looks at a file; nil: there is none.
func stat(path string) os.FileInfo {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return info
}

// sameFile tells whether two looks found the same file with the same content, as far as
// that can be told without reading it.
func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// reload reads the configuration and takes up what can be. One with a mistake
// changes nothing. What fails is tried again, as a file that it names may be there by
// then, or Redis, and it is logged once.
func (r *reloader) reload(ctx context.Context) {
	defer func() {
		failed := 0.0
		if r.pending {
			failed = 1
		}
		r.service.reloadFailed.Set(failed)
	}()
	r.read = r.look()
	if file := stat(r.path); file != nil && !file.Mode().IsRegular() {
		// What is in a pipe has been read. One that has taken the place of a file will go.
		r.pending = r.regular
		if r.says(errNoFile) {
			r.log.Error("configuration not reloaded, and that of before stays in force", "error", errNoFile)
		}
		return
	}
	cfg, warnings, err := r.load()
	if err != nil {
		r.pending = true
		if r.says(err) {
			var problems config.Problems
			errors.As(err, &problems) // Load has no other errors.
			for _, p := range problems {
				r.log.Error("configuration not reloaded: it has a mistake, and that of before stays in force", "problem", p.String())
			}
		}
		return
	}
	r.changed = append(r.changed, config.Diff(&r.inForce, cfg)...)
	slices.Sort(r.changed)
	r.changed = slices.Compact(r.changed)
	err = r.takeUp(ctx, cfg)
	waiting := config.Diff(&r.inForce, cfg)
	inForce := slices.DeleteFunc(slices.Clone(r.changed), func(path string) bool { return slices.Contains(waiting, path) })
	if r.pending = err != nil; r.pending {
		if r.says(err) {
			r.log.Error("configuration not wholly reloaded, and tried again every second", "changed", inForce, "error", err)
		}
		return
	}
	r.said, r.changed = "", nil
	for _, w := range warnings {
		r.log.Warn("configuration", "key", w.Path, "warning", w.Message)
	}
	if len(waiting) > 0 {
		r.log.Warn("the configuration has changes that need a restart", "keys", waiting)
	}
	names := make([]string, len(cfg.Operator.Keys))
	for i := range cfg.Operator.Keys {
		names[i] = cfg.Operator.Keys[i].Name
	}
	r.log.Info("configuration reloaded", "changed", inForce, "operator_keys", names)
}

// errNoFile means that the configuration is a pipe, a directory or a device.
var errNoFile = errors.New("it is no regular file")

// says tells whether err is to be logged: it was not what the last try failed by.
func (r *reloader) says(err error) bool {
	again := err.Error() == r.said
	r.said = err.Error()
	return !again
}

// takeUp takes up what can be: who may do what first, and then what others must be
// asked for.
func (r *reloader) takeUp(ctx context.Context, cfg *config.Config) error {
	keys, err := operatorKeys(cfg)
	if err != nil {
		return err
	}
	r.service.api.SetKeys(keys)
	r.inForce.Operator.Keys = cfg.Operator.Keys

	var failed error
	if !reflect.DeepEqual(r.inForce.Operator.OIDC, cfg.Operator.OIDC) {
		tokens, err := operatorTokens(cfg)
		r.service.api.SetTokens(tokens) // nil with an error: what was in force is not any more
		r.inForce.Operator.OIDC = cfg.Operator.OIDC
		if err != nil {
			r.inForce.Operator.OIDC = config.OIDC{}
		}
		failed = errors.Join(failed, err)
	}
	for _, t := range []struct {
		on      *listener
		was, is *config.TLS
	}{
		{r.service.listeners.public, &r.inForce.Public.TLS, &cfg.Public.TLS},
		{r.service.listeners.operator, &r.inForce.Operator.TLS, &cfg.Operator.TLS},
	} {
		if t.was.CertFile == "" || t.is.CertFile == "" {
			continue // To begin with TLS, or to end it, needs a restart.
		}
		if err := t.on.renew(*t.is); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		*t.was = *t.is
	}
	for i, storage := range r.service.storages {
		was, is := &r.inForce.Storage[i], storageNamed(cfg, storage.name)
		if is == nil || !onlyCredentialsDiffer(was, is) || reflect.DeepEqual(was, is) {
			continue // Others may belong to another endpoint.
		}
		if err := storage.setCredentials(ctx, is); err != nil {
			failed = errors.Join(failed, fmt.Errorf("storage %s keeps its credentials: %w", storage.name, err))
			continue
		}
		*was = *is
	}

	if reflect.DeepEqual(r.inForce.Policy, cfg.Policy) {
		return failed
	}
	if err := r.service.store.SetLives(ctx, livesOf(cfg)); err != nil {
		return errors.Join(failed, fmt.Errorf("the policy stays as it was: %w", err))
	}
	r.service.domain.SetPolicy(policyOf(cfg))
	r.inForce.Policy = cfg.Policy
	return failed
}

// storageNamed returns the storage of that name, nil where there is none.
func storageNamed(cfg *config.Config, name string) *config.Storage {
	for i := range cfg.Storage {
		if cfg.Storage[i].Name == name {
			return &cfg.Storage[i]
		}
	}
	return nil
}

// onlyCredentialsDiffer tells whether two configurations of a storage are the same
// but for its credentials.
func onlyCredentialsDiffer(a, b *config.Storage) bool {
	c := *b
	c.AccessKeyID, c.SecretAccessKey, c.SecretAccessKeyFile = a.AccessKeyID, a.SecretAccessKey, a.SecretAccessKeyFile
	return reflect.DeepEqual(*a, c)
}
