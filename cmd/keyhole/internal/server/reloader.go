package server

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/cmd/keyhole/internal/systemd"
	"keyhole/config"
	"keyhole/signer"
)

// reloadInterval is how often the reloader checks whether a file has changed. It
// reads a changed file when the file has stayed the same for one interval, so that
// it does not read a half-written one.
const reloadInterval = time.Second

// loader reads and checks the configuration.
type loader func() (*config.Config, []config.Warning, error)

// reloader reloads the configuration of a running server when its files change, and
// on SIGHUP.
type reloader struct {
	path   string
	load   loader
	server *Server
	log    *Log
	// manager hears of the reloads that it asked for.
	manager systemd.Manager

	regular  bool     // at the start, the configuration was a file that can be read again
	previous snapshot // of the files at the last check
	loaded   snapshot // of the files just before they were read last
	pending  bool     // the last attempt failed and is repeated
	reported string   // the failure that was logged last
	changed  []string // keys that have changed since the last attempt that succeeded
	waiting  []string // keys that differ from what is in force and need a restart
}

// snapshot is the state of files by path. A file that does not exist is nil.
type snapshot map[string]os.FileInfo

// changedSince tells whether a file differs from an earlier snapshot. A file that is
// new in this snapshot is added to the earlier one and counts as unchanged.
func (now snapshot) changedSince(earlier snapshot) bool {
	changed := false
	for path, info := range now {
		before, known := earlier[path]
		if !known {
			earlier[path] = info
		}
		changed = changed || known && !signer.SameFile(info, before)
	}
	return changed
}

// newReloader returns a reloader of a server. read is the state of the file at path
// when the server's configuration was read from it.
func newReloader(path string, load loader, read os.FileInfo, s *Server) *reloader {
	r := &reloader{path: path, load: load, server: s, log: s.log, regular: read == nil || read.Mode().IsRegular()}
	r.loaded = r.snapshot()
	if r.regular {
		r.loaded[path] = read
	}
	r.previous = maps.Clone(r.loaded)
	return r
}

// snapshot returns the state of the files that are read again when they change: the
// configuration, the listeners' certificates, the secret of the identity provider's client
// and the logo of the recipients' pages. Other secrets are read where they are used.
func (r *reloader) snapshot() snapshot {
	now := snapshot{}
	if r.regular {
		now[r.path] = stat(r.path)
	}
	for _, t := range []config.TLS{r.server.current.Public.TLS.Files(), r.server.current.Operator.TLS} {
		if t.CertFile != "" {
			now[t.CertFile], now[t.KeyFile] = stat(t.CertFile), stat(t.KeyFile)
		}
	}
	if secret := r.server.current.Operator.OIDC.ClientSecretFile; secret != "" {
		now[secret] = stat(secret)
	}
	if logo := r.server.current.Pages.LogoFile; logo != "" {
		now[logo] = stat(logo)
	}
	return now
}

// newReloadFailed registers the gauge of failed reloads.
func newReloadFailed(registry prometheus.Registerer) prometheus.Gauge {
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "keyhole", Name: "configuration_reload_failed",
		Help: "1 if the configuration, or a file that it names, could not be applied completely (see the log); otherwise 0.",
	})
	registry.MustRegister(gauge)
	return gauge
}

// run reloads on a signal and when a file has changed, until ctx ends.
func (r *reloader) run(ctx context.Context, signals <-chan os.Signal) {
	ticker := time.NewTicker(reloadInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			r.reported = ""
			r.server.report(ctx, r.manager.Reloading)
			r.reload(ctx)
			r.server.report(ctx, r.manager.Ready)
		case <-ticker.C:
			now := r.snapshot()
			stable, edited := !now.changedSince(r.previous), now.changedSince(r.loaded)
			r.previous = now
			if stable && edited {
				r.reported = "" // after an edit, the same failure is logged again
			}
			if stable && (edited || r.pending) {
				r.reload(ctx)
			}
		}
	}
}

// stat returns the state of a file, nil if it does not exist. Another error counts as a
// missing file too: reading the file then reports it.
func stat(path string) os.FileInfo {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return info
}

// keptConfiguration is the log message of a reload that changed nothing.
const keptConfiguration = "configuration reload failed; keeping the previous configuration"

// errNotRegular means that the configuration is a pipe, a directory or a device.
var errNotRegular = errors.New("it is not a regular file")

// reload reads the configuration and applies it. A configuration with a mistake
// changes nothing. A failed reload is repeated, because a missing file or Redis may
// be back by then; the same failure is logged once.
func (r *reloader) reload(ctx context.Context) {
	defer func() { r.server.recordReload(r.pending, r.reported, r.waiting) }()
	r.loaded = r.snapshot()
	if file := stat(r.path); file != nil && !file.Mode().IsRegular() {
		// A pipe can be read only once. If it replaced a file, the file will be back.
		r.pending = r.regular
		if r.isNew(errNotRegular) {
			r.log.Error(keptConfiguration, "error", errNotRegular)
		}
		return
	}
	cfg, warnings, err := r.load()
	if err != nil {
		r.pending = true
		if r.isNew(err) {
			var problems config.Problems
			errors.As(err, &problems) // Load has no other errors.
			for _, p := range problems {
				r.log.Error(keptConfiguration, "problem", p.String())
			}
		}
		return
	}
	r.apply(ctx, cfg, warnings)
}

// apply applies a valid configuration and logs what has changed.
func (r *reloader) apply(ctx context.Context, cfg *config.Config, warnings []config.Warning) {
	current := &r.server.current
	r.changed = append(r.changed, config.Diff(current, cfg)...)
	slices.Sort(r.changed)
	r.changed = slices.Compact(r.changed)
	err := r.server.Reload(ctx, cfg)
	waiting := config.Diff(current, cfg)
	r.waiting = waiting
	applied := slices.DeleteFunc(slices.Clone(r.changed), func(path string) bool { return slices.Contains(waiting, path) })
	if r.pending = err != nil; r.pending {
		if r.isNew(err) {
			r.log.Error("configuration reload incomplete; retrying every second", "changed", applied, "error", err)
		}
		return
	}
	r.reported, r.changed = "", nil
	for _, w := range warnings {
		r.log.Warn("configuration", "key", w.Path, "warning", w.Message)
	}
	if len(waiting) > 0 {
		r.log.Warn("configuration changes need a restart", "keys", waiting)
	}
	names := make([]string, len(cfg.Operator.Keys))
	for i := range cfg.Operator.Keys {
		names[i] = cfg.Operator.Keys[i].Name
	}
	r.log.Info("configuration reloaded", "changed", applied, "operator_keys", names)
}

// isNew tells whether a failure is to be logged: the last attempt failed otherwise.
func (r *reloader) isNew(err error) bool {
	repeated := err.Error() == r.reported
	r.reported = err.Error()
	return !repeated
}
