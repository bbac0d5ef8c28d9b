package doctor

import (
	"cmp"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/server"
	"keyhole/config"
	"keyhole/gateway"
)

// The levels of a finding.
const (
	levelOK      = "ok"
	levelWarning = "warning"
	levelFailure = "failure"
)

// finding is the result of one check. Its texts contain no secret, signature or signed
// URL.
type finding struct {
	Subject string `json:"subject"` // redis, oidc, a storage, or storage:bucket
	Check   string `json:"check"`
	Level   string `json:"level"`
	Message string `json:"message"`
	Do      string `json:"do,omitempty"` // what to do; empty for a finding that is ok
}

// NewCommand builds keyhole doctor.
func NewCommand(env *command.Env) *cobra.Command {
	var (
		path   string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:        "doctor --config keyhole.yaml",
		SuggestFor: []string{"check"},
		Short:      "Check the installation against reality, one line for each check",
		Long: `Reads the configuration like serve and checks each part of it:

  Redis              reachable, a master, no eviction, the user's rights, the clock, and
                     what a crash or a failover loses
  storages, buckets  credentials, clock, region, rights to list and read; presigned URLs
                     through the public endpoint, as recipients use them: valid ones
                     deliver, changed and expired ones are refused; private buckets
  identity provider  reachable, the configured issuer, keys (if one is configured)

Run it where the service runs, with the same environment. It writes nothing. It exits
with 1 if a check failed.`,
		Args: command.ExactArgs(0, "only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path = cmp.Or(path, env.Getenv("KEYHOLE_CONFIG"), "keyhole.yaml")
			cfg, warnings, err := config.Load(config.LoadOptions{Path: path, Environ: env.Environ})
			for _, w := range warnings {
				fmt.Fprintf(env.Stderr, "warning: %s\n", w)
			}
			if err != nil {
				return server.ConfigError(path, err)
			}
			// Findings are printed as they come, because an unreachable part takes its timeout.
			x := &examination{}
			if !asJSON {
				x.print = func(f *finding) { printFinding(env, f) }
			}
			// The parts of the server need metrics. Nobody reads these.
			metrics := gateway.NewMetrics(prometheus.NewRegistry(), gateway.MetricsOptions{Storages: server.StorageNames(cfg)})
			if err := x.examineRedis(cmd.Context(), cfg, metrics); err != nil {
				return err
			}
			for i := range cfg.Storage {
				if err := x.examineStorage(cmd.Context(), &cfg.Storage[i], metrics); err != nil {
					return err
				}
			}
			if err := x.examineProvider(cmd.Context(), cfg); err != nil {
				return err
			}
			if asJSON {
				if err := term.PrintJSON(env.Stdout, map[string]any{"findings": x.findings}); err != nil {
					return err
				}
			}
			return x.verdict(env)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the configuration file (default $KEYHOLE_CONFIG or keyhole.yaml)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// examination collects findings.
type examination struct {
	findings []finding
	print    func(*finding) // is called with each finding; nil: with none
}

// note adds a finding.
func (x *examination) note(f finding) {
	x.findings = append(x.findings, f)
	if x.print != nil {
		x.print(&f)
	}
}

// verdict returns the error of an installation with failures.
func (x *examination) verdict(env *command.Env) error {
	count := map[string]int{}
	for _, f := range x.findings {
		count[f.Level]++
	}
	if failed := count[levelFailure]; failed > 0 {
		return &command.Error{
			Err:  fmt.Errorf("%d of %d checks failed, with %d warnings", failed, len(x.findings), count[levelWarning]),
			Hint: "follow the advice of each failure, then run keyhole doctor again", Code: command.ExitFailed,
		}
	}
	fmt.Fprintf(env.Stderr, "%d checks, %d warnings\n", len(x.findings), count[levelWarning])
	return nil
}

// printFinding prints a finding on one line, and what to do on another.
func printFinding(env *command.Env, f *finding) {
	fmt.Fprintf(env.Stdout, "%-8s %-22s %-12s %s\n", f.Level, term.Plain(f.Subject), f.Check, term.Plain(f.Message))
	if f.Do != "" {
		fmt.Fprintf(env.Stdout, "%-8s %s\n", "", term.Plain(f.Do))
	}
}

// roughly writes a duration in minutes, or in seconds if it is shorter than one.
func roughly(d time.Duration) string {
	if d.Abs() >= time.Minute {
		return gateway.FormatLife(d.Round(time.Minute))
	}
	return gateway.FormatLife(d.Round(time.Second))
}
