package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/findings"
	"keyhole/cmd/keyhole/internal/server"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// The levels of a finding.
const (
	levelOK      = findings.OK
	levelWarning = findings.Warning
	levelFailure = findings.Failure
)

// finding is the result of one check; its Check is one of the constants check….
type finding = findings.Finding

// ClientCheck checks a service from where its operators are.
type ClientCheck interface {
	// AddFlags adds the flags that name the service to a command, and returns their names.
	AddFlags(*cobra.Command) []string
	// Check calls print with each finding as it comes, and returns all of them. Its error is
	// a mistake in the flags or in the client configuration.
	Check(ctx context.Context, print func(*findings.Finding)) ([]findings.Finding, error)
}

// NewCommand builds keyhole doctor. With --client it runs the checks of client.
func NewCommand(env *command.Env, client ClientCheck) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:        "doctor --config keyhole.yaml | --client",
		SuggestFor: []string{"check"},
		Short:      "Check the installation or, with --client, your access to the service",
		Long: `Reads the configuration like serve and checks each part of it:

  Redis              reachable, a master, no eviction, the user's rights, the clock, and
                     what a crash or a failover loses
  storages, buckets  credentials, clock, region, rights to list and read; presigned URLs
                     through the public endpoint, as recipients use them: valid ones
                     deliver, changed and expired ones are refused; private buckets
  identity provider  reachable, the configured issuer, keys (if one is configured)
  public.url         leads to the running service; certificate, the address by which the
                     service knows recipients, what a proxy in front does with answers

Run it where the service runs, with the same environment. With --client it checks what
you need at your own machine instead: address, TLS, key and its rights, clock, versions
and presets. It writes nothing. It exits with 1 if a check failed.`,
		Args: command.ExactArgs(0, "only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, env, client) },
	}
	cmd.Flags().StringVar(&f.path, "config", "", "the configuration file (default $KEYHOLE_CONFIG or keyhole.yaml)")
	cmd.Flags().BoolVar(&f.client, "client", false, "check your access to the service instead of the installation")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	f.ofClient = client.AddFlags(cmd)
	return cmd
}

// flags are the flags of doctor.
type flags struct {
	path         string
	client, json bool
	ofClient     []string // names of the flags that only --client has
}

// run runs the checks that the flags ask for.
func (f *flags) run(cmd *cobra.Command, env *command.Env, client ClientCheck) error {
	if !f.client {
		// Without --client these flags would have no effect, which a person would not notice.
		for _, name := range f.ofClient {
			if cmd.Flags().Changed(name) {
				return command.Usage("--"+name+" needs --client", "add --client to check your access to the service")
			}
		}
		return run(cmd.Context(), env, cmp.Or(f.path, env.Getenv("KEYHOLE_CONFIG"), "keyhole.yaml"), f.json)
	}
	// A person who names a configuration expects that it is checked.
	if cmd.Flags().Changed("config") {
		return command.Usage("--client and --config cannot be combined",
			"--client needs no configuration of the service; omit --config")
	}
	// Findings are printed as they come, like those of an installation; JSON is one value.
	print := func(found *finding) { findings.Print(env, found) }
	if f.json {
		print = func(*finding) {}
	}
	all, err := client.Check(cmd.Context(), print)
	if err == nil && f.json {
		err = findings.PrintJSON(env, all)
	}
	if err != nil {
		return err
	}
	return findings.Verdict(env, all, "keyhole doctor --client")
}

// run checks the installation that the configuration at path describes.
func run(ctx context.Context, env *command.Env, path string, asJSON bool) error {
	cfg, warnings, err := config.Load(config.LoadOptions{Path: path, Environ: env.Environ})
	for _, w := range warnings {
		fmt.Fprintf(env.Stderr, "warning: %s\n", w)
	}
	if err != nil {
		err = server.ConfigError(path, err)
		// Most people who have no configuration use a service that others run.
		if known, is := errors.AsType[*command.Error](err); is && isMissing(path) {
			known.Hint += "\nto check your access to a service that runs elsewhere: keyhole doctor --client"
		}
		return err
	}
	// Findings are printed as they come, because an unreachable part takes its timeout.
	// JSON is one value, so it is printed at the end.
	redisstore.LogTo(slog.New(slog.DiscardHandler))
	x := &examination{}
	if !asJSON {
		x.print = func(f *finding) { findings.Print(env, f) }
	}
	if err := x.examine(ctx, cfg); err != nil {
		return err
	}
	if asJSON {
		if err := findings.PrintJSON(env, x.findings); err != nil {
			return err
		}
	}
	return findings.Verdict(env, x.findings, "keyhole doctor")
}

// isMissing reports whether there is no file at path.
func isMissing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// examination collects findings. A finding that fails does not end it: the operator
// should see everything that is wrong in one run.
type examination struct {
	findings []finding
	print    func(*finding) // is called with each finding; nil: with none
}

// examine checks every part of an installation, in the order in which the service needs
// them. Its error is a mistake in the configuration with which serve ends too.
func (x *examination) examine(ctx context.Context, cfg *config.Config) error {
	// The parts of the server need metrics. Nobody reads these.
	metrics := gateway.NewMetrics(prometheus.NewRegistry(), gateway.MetricsOptions{Storages: server.StorageNames(cfg)})
	// OpenStore connects on first use, and never starts a Redis.
	client, store, err := server.OpenStore(cfg, metrics, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // no request is running
	x.examineRedis(ctx, &cfg.Redis, store)
	for i := range cfg.Storage {
		if err := x.examineStorage(ctx, &cfg.Storage[i], metrics); err != nil {
			return err
		}
	}
	if err := x.examineProvider(ctx, cfg); err != nil {
		return err
	}
	x.examinePublic(ctx, &cfg.Public, store)
	return nil
}

// note adds a finding, and prints it if findings are printed as they come.
func (x *examination) note(f finding) {
	x.findings = append(x.findings, f)
	if x.print != nil {
		x.print(&f)
	}
}

// roughly writes a duration in minutes, or in seconds if it is shorter than one.
func roughly(d time.Duration) string {
	if d.Abs() >= time.Minute {
		return gateway.FormatLife(d.Round(time.Minute))
	}
	return gateway.FormatLife(d.Round(time.Second))
}
