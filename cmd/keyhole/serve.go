package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/audit"
	"keyhole/gateway/httpapi"
	"keyhole/gateway/redisstore"
)

// newServe builds keyhole serve.
func newServe(world *surroundings) *cobra.Command {
	var (
		path  string
		check bool
	)
	cmd := &cobra.Command{
		Use:   "serve --config keyhole.yaml",
		Short: "Run the service",
		Long: `Runs the service until SIGINT or SIGTERM, and then finishes what it has begun,
within 8 s. A second signal ends it at once.
While Redis cannot be asked it listens and is not ready.

On SIGHUP, and when the file changes, the configuration is read again: operator keys,
the policy, the storages' credentials and the listeners' certificates are in force at
once, and what needs a restart is said in the log. One with mistakes changes nothing.`,
		Args: exactly(0, "flags alone"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// By default SIGHUP ends a program, also one that still reads its configuration.
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			path = cmp.Or(path, world.getenv("KEYHOLE_CONFIG"), "keyhole.yaml")
			load := func() (*config.Config, []config.Warning, error) {
				return config.Load(config.LoadOptions{Path: path, Environ: world.environ})
			}
			read := stat(path)
			cfg, warnings, err := load()
			if check || err != nil {
				for _, w := range warnings {
					fmt.Fprintf(world.stderr, "warning: %s\n", w)
				}
			}
			if err != nil {
				return configError(path, err)
			}
			if check {
				_, err := fmt.Fprintf(world.stdout, "%s: ok\n", path)
				return err
			}
			// By default SIGPIPE ends a program whose log's reader has ended. Once somebody
			// is notified, the write fails instead, to the end: an error is printed last.
			signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
			stderr := newLines(world.stderr, cfg.Log)
			log := newLogger(cfg.Log, stderr)
			for _, w := range warnings {
				log.Warn("configuration", "key", w.Path, "warning", w.Message)
			}
			return stderr.end(runServe(cmd.Context(), cfg, log, stderr, newReloader(path, load, cfg, read, log), hangups))
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the configuration file (default $KEYHOLE_CONFIG or keyhole.yaml)")
	cmd.Flags().BoolVar(&check, "check", false, "only validate the configuration: name every problem and exit 0 or 2")
	return cmd
}

// configError names every problem, a line each.
func configError(path string, err error) error {
	var problems config.Problems
	if errors.As(err, &problems) {
		noun := "problems"
		if len(problems) == 1 {
			noun = "problem"
		}
		err = fmt.Errorf("%s: %d %s in the configuration\n%w", path, len(problems), noun, problems)
	}
	hint := "correct what is named; keyhole serve --check tries it without starting"
	if stat(path) == nil {
		hint = "name the file by --config or KEYHOLE_CONFIG"
	}
	return &hinted{err: err, hint: hint, code: exitUsage}
}

// runServe runs the service until ctx ends, then drains and stops it. Meanwhile
// the configuration is reloaded where it changes, and on a signal of hangups.
func runServe(
	ctx context.Context, cfg *config.Config, log *slog.Logger, written *lines, r *reloader, hangups <-chan os.Signal,
) error {
	s, err := start(ctx, cfg, nil, log, written)
	if err != nil {
		return err
	}
	r.service = s
	untilStop, cancel := context.WithCancel(ctx)
	var reloading sync.WaitGroup
	reloading.Go(func() { r.run(untilStop, hangups) })
	reloading.Go(func() { warnOfProvider(untilStop, cfg, log) })
	select {
	case <-ctx.Done():
		log.Info("stopping", "drain", drainFor.String())
		cancel()
		s.drain()
		timer := time.NewTimer(drainFor)
		defer timer.Stop()
		<-timer.C
	case err = <-s.failed:
		cancel()
	}
	ending, done := context.WithTimeout(context.Background(), reloadWithin)
	defer done()
	if !within(ending, reloading.Wait) { // what it reloads into ends next
		log.Warn("a configuration reload is still under way; not waiting for it")
	}
	return errors.Join(err, s.stop())
}

// service is what start started.
type service struct {
	api       *httpapi.API
	domain    *gateway.Service
	store     *redisstore.Store
	storages  []*storage
	listeners *listeners
	cleanups  *cleanups
	health    *health
	failed    chan error // a listener that ended by itself

	reloadFailed prometheus.Gauge
}

// start is the only wiring: Redis and the storages, then the gateway over them,
// then the handlers on the listeners, which it opens unless they are handed in.
// It is long because it is a list: each line makes one thing out of those above
// it. What it returns is serving; Redis may be away. log is written by written.
func start(ctx context.Context, cfg *config.Config, on *listeners, log *slog.Logger, written *lines) (_ *service, err error) {
	s := &service{cleanups: &cleanups{log: log}, failed: make(chan error, 3)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	written.register(registry)
	b := currentBuild()
	metrics := gateway.NewMetrics(registry, gateway.MetricsOptions{
		Storages: storageNames(cfg), Version: b.version, Revision: b.revision, GoVersion: b.goVersion,
	})

	redis, store, err := openStore(cfg, metrics, log)
	if err != nil {
		return nil, err
	}
	closeRedis := sync.OnceValue(redis.Close)
	s.cleanups.add("redis", func(context.Context) error { return closeRedis() })
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cleanups.add("background", func(context.Context) error { cancel(); return nil })
	if err := admitRedis(ctx, store, cfg.Redis.WaitReplicas, log); err != nil {
		return nil, err
	}
	go watchRedis(background, store)

	storages, err := openStorages(ctx, cfg, metrics, registry)
	if err != nil {
		return nil, err
	}
	for _, storage := range storages {
		go storage.watch(background, log)
	}
	registerStoreMetrics(registry, store, cfg.Redis.Timeout)
	s.reloadFailed = newReloadFailed(registry)

	s.store, s.storages = store, storages
	s.health = &health{store: store, storages: storages, log: log}
	addresses, err := keepAddresses(ctx, background, cfg.Audit, store, log)
	if err != nil {
		return nil, err
	}
	keys, err := operatorKeys(cfg)
	if err != nil {
		return nil, err
	}
	tokens, err := operatorTokens(cfg)
	if err != nil {
		return nil, err
	}
	s.domain = gateway.New(gateway.Options{
		Links: store, Retries: store, Clicks: store, Cursors: store, Storages: domainStorages(storages), Policy: policyOf(cfg),
		Lifetime: cfg.Redirect.Lifetime, MediaLifetime: cfg.Redirect.MediaLifetime, ObjectCheck: cfg.Redirect.ObjectCheck,
		ResumeWindow: cfg.Redirect.ResumeWindow, Hashes: runtime.GOMAXPROCS(0),
		Insecure: cfg.Public.ClearText(), Metrics: metrics, Logger: log, Now: time.Now,
	})
	s.cleanups.add("events of clicks", func(context.Context) error { s.domain.Wait(); return nil })
	s.api, err = httpapi.New(httpapi.Options{
		Service:   s.domain,
		PublicURL: cfg.Public.URL, TrustedProxies: cfg.Public.ProxyPrefixes(), Keys: keys, Tokens: tokens,
		RequestsPerMinute: cfg.Operator.RequestsPerMinute, RequestTimeout: operatorTimeout,
		KeepAddress: addresses.Address,
		Ready:       s.health.readiness, Metrics: metrics,
		MetricsPage:  promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError)}),
		MetricsApart: cfg.Metrics.Listen != "", Logger: log,
	})
	if err != nil {
		return nil, err
	}

	// Nobody is kept waiting for the first look at Redis: the doors open after it.
	if on == nil {
		if on, err = openListeners(ctx, cfg, log); err != nil {
			return nil, err
		}
	}
	s.listeners = on
	s.cleanups.add("listeners", func(ctx context.Context) error {
		// What still waits for Redis then gets an error, and is answered with 503.
		late := time.AfterFunc(interruptAfter, func() { _ = closeRedis() }) // "redis" returns its error
		defer late.Stop()
		return on.stop(ctx)
	})
	if on.metrics != nil {
		on.metrics.serve(s.api.Health(), config.TLS{}, s.failed)
		log.Info("listening", "for", "metrics", "address", on.metrics.address())
	}
	on.operator.serve(s.api.Operator(), cfg.Operator.TLS, s.failed)
	if err := on.public.limitConnections(); err != nil {
		return nil, err
	}
	on.public.net.blind = cfg.Public.TLS.CertFile == "" // a click goes on when its recipient hangs up
	on.public.serve(s.api.Public(), cfg.Public.TLS, s.failed)
	log.Info("listening", "for", "operators", "address", on.operator.address())
	log.Info("listening", "for", "recipients", "address", on.public.address(), "url", cfg.Public.URL)
	return s, nil
}

// addressCheck is how often it is seen to that addresses can be hashed.
const addressCheck = 5 * time.Second

// keepAddresses returns what writes clients' addresses as far as they may be kept,
// and lets it have what it needs for that until background ends.
func keepAddresses(ctx, background context.Context, cfg config.Audit, keys audit.DailyKeys, log *slog.Logger) (*audit.Keeper, error) {
	privacy, err := audit.ParsePrivacy(cfg.ClientAddress)
	if err != nil {
		return nil, err
	}
	keeper := audit.NewKeeper(privacy, keys, time.Now)
	if err := keeper.Refresh(ctx); err != nil {
		log.Warn("addresses cannot be hashed yet, so they are not kept", "error", err)
	}
	go func() {
		ticker := time.NewTicker(addressCheck)
		defer ticker.Stop()
		for {
			select {
			case <-background.Done():
				return
			case <-ticker.C:
				// While Redis is away no click is served, and that has been logged.
				_ = keeper.Refresh(background)
			}
		}
	}()
	return keeper, nil
}

// drain makes the service not ready and lets connections end.
func (s *service) drain() {
	s.health.draining.Store(true)
	for _, l := range s.listeners.all() {
		l.drain()
	}
}

// stop stops everything that was started.
func (s *service) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	return s.cleanups.run(ctx)
}

// newLogger returns the service's log.
func newLogger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // config refused everything else before
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// operatorKeys returns who may use the API.
func operatorKeys(cfg *config.Config) ([]httpapi.OperatorKey, error) {
	keys := make([]httpapi.OperatorKey, 0, len(cfg.Operator.Keys))
	for _, k := range cfg.Operator.Keys {
		key := httpapi.OperatorKey{
			Name: k.Name, Can: convert[gateway.Action](k.Can), Objects: convert[gateway.Pattern](k.Objects), MaxExpiry: k.MaxExpiry,
		}
		sum, err := hex.DecodeString(k.SHA256)
		if err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("operator key %s: its sha256 is no SHA-256", k.Name)
		}
		copy(key.SHA256[:], sum)
		keys = append(keys, key)
	}
	return keys, nil
}

// policyOf returns the policy of the configuration.
func policyOf(cfg *config.Config) gateway.Policy {
	return gateway.Policy{
		MaxExpiry: cfg.Policy.MaxExpiry,
		Caps: gateway.Caps{
			Sensitive:    cfg.Policy.Caps.Sensitive,
			NotStated:    cfg.Policy.Caps.NotStated,
			NotSensitive: cfg.Policy.Caps.NotSensitive,
		},
		Presets: map[string]time.Duration{
			gateway.PresetHandoff:         cfg.Policy.Presets.Handoff,
			gateway.PresetTroubleshooting: cfg.Policy.Presets.Troubleshooting,
			gateway.PresetBusiness:        cfg.Policy.Presets.Business,
			gateway.PresetExtended:        cfg.Policy.Presets.Extended,
		},
		SensitiveObjects: convert[gateway.Pattern](cfg.Policy.SensitiveObjects),
	}
}

// convert turns strings into a type of the domain, or back.
func convert[T, S ~string](in []S) []T {
	out := make([]T, len(in))
	for i, s := range in {
		out[i] = T(s)
	}
	return out
}
