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

// finding is what one check came to. None of its texts holds a secret, a
// signature or a URL that was signed.
type finding struct {
	Subject string `json:"subject"` // redis, a storage, or a bucket of it
	Check   string `json:"check"`
	Level   string `json:"level"`
	Message string `json:"message"`
	Do      string `json:"do,omitempty"` // what to do about it
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
		Short:      "Try the installation against reality, a line for each check",
		Long: `Reads the configuration as serve does and tries what is in it. Redis: does it
answer, as a master, does it throw keys away, may its user run what the service
runs, and what would a crash or a failover forget? Every storage and bucket:
credentials, clock, region, what may be listed and read, and a presigned URL
through the public endpoint, as a recipient would use it: does it deliver, is one
that was tampered with or has expired refused, and is the bucket public? The
identity provider, where one is configured: does it answer, as the configured
issuer, with keys?

Run it where the service runs, with the same environment. Nothing is written.
It exits with 0, or with 1 where a check failed.`,
		Args: command.ExactArgs(0, "flags alone"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path = cmp.Or(path, env.Getenv("KEYHOLE_CONFIG"), "keyhole.yaml")
			cfg, warnings, err := config.Load(config.LoadOptions{Path: path, Environ: env.Environ})
			for _, w := range warnings {
				fmt.Fprintf(env.Stderr, "warning: %s\n", w)
			}
			if err != nil {
				return server.ConfigError(path, err)
			}
			x := &examination{}
			if !asJSON {
				x.tell = func(f *finding) { printFinding(env, f) }
			}
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
	tell     func(*finding) // each at once; nil: nobody
}

// note adds a finding.
func (x *examination) note(f finding) {
	x.findings = append(x.findings, f)
	if x.tell != nil {
		x.tell(&f)
	}
}

// verdict is the error of an installation with failures.
func (x *examination) verdict(env *command.Env) error {
	count := map[string]int{}
	for _, f := range x.findings {
		count[f.Level]++
	}
	if failed := count[levelFailure]; failed > 0 {
		return &command.Error{
			Err:  fmt.Errorf("%d of %d checks failed, %d warned", failed, len(x.findings), count[levelWarning]),
			Hint: "each failure says what to do; run keyhole doctor again when it is done", Code: command.ExitFailed,
		}
	}
	fmt.Fprintf(env.Stderr, "%d checks, %d warnings\n", len(x.findings), count[levelWarning])
	return nil
}

// printFinding prints a finding in a line, and in another what to do.
func printFinding(env *command.Env, f *finding) {
	fmt.Fprintf(env.Stdout, "%-8s %-22s %-12s %s\n", f.Level, term.Plain(f.Subject), f.Check, term.Plain(f.Message))
	if f.Do != "" {
		fmt.Fprintf(env.Stdout, "%-8s %s\n", "", term.Plain(f.Do))
	}
}

// roughly writes a duration as people read it.
func roughly(d time.Duration) string {
	if d.Abs() >= time.Minute {
		return d.Round(time.Minute).String()
	}
	return d.Round(time.Second).String()
}
