package doctor

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/server"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/explain"
)

// The levels of a finding. They are part of the output of --json.
const (
	levelOK = "ok"
	// levelWarning means that the service works, and that something is weaker than it
	// could be, such as what a crash loses.
	levelWarning = "warning"
	// levelFailure means that clicks or operators' requests fail, or that a link protects
	// nothing. It makes the command exit with 1.
	levelFailure = "failure"
)

// finding is the result of one check. Its texts contain no secret, signature or signed
// URL.
type finding struct {
	Subject string `json:"subject"` // redis, oidc, a storage, or storage:bucket
	Check   string `json:"check"`   // one of the constants check…
	Level   string `json:"level"`   // one of the constants level…
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
			return run(cmd.Context(), env, cmp.Or(path, env.Getenv("KEYHOLE_CONFIG"), "keyhole.yaml"), asJSON)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the configuration file (default $KEYHOLE_CONFIG or keyhole.yaml)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// run checks the installation that the configuration at path describes.
func run(ctx context.Context, env *command.Env, path string, asJSON bool) error {
	cfg, warnings, err := config.Load(config.LoadOptions{Path: path, Environ: env.Environ})
	for _, w := range warnings {
		fmt.Fprintf(env.Stderr, "warning: %s\n", w)
	}
	if err != nil {
		return server.ConfigError(path, err)
	}
	// Findings are printed as they come, because an unreachable part takes its timeout.
	// JSON is one value, so it is printed at the end.
	x := &examination{}
	if !asJSON {
		x.print = func(f *finding) { printFinding(env, f) }
	}
	if err := x.examine(ctx, cfg); err != nil {
		return err
	}
	if asJSON {
		if err := term.PrintJSON(env.Stdout, map[string]any{"findings": x.findings}); err != nil {
			return err
		}
	}
	return x.verdict(env)
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
	if err := x.examineRedis(ctx, cfg, metrics); err != nil {
		return err
	}
	for i := range cfg.Storage {
		if err := x.examineStorage(ctx, &cfg.Storage[i], metrics); err != nil {
			return err
		}
	}
	return x.examineProvider(ctx, cfg)
}

// note adds a finding, and prints it if findings are printed as they come.
func (x *examination) note(f finding) {
	x.findings = append(x.findings, f)
	if x.print != nil {
		x.print(&f)
	}
}

// verdict returns the error of an installation with failures. Warnings are counted and
// are not an error, so that a script can run the doctor after each change.
func (x *examination) verdict(env *command.Env) error {
	count := map[string]int{}
	for _, f := range x.findings {
		count[f.Level]++
	}
	warned := explain.Plural(count[levelWarning], "warning")
	if failed := count[levelFailure]; failed > 0 {
		return &command.Error{
			Err:  fmt.Errorf("%d of %d checks failed, with %s", failed, len(x.findings), warned),
			Hint: "follow the advice of each failure, then run keyhole doctor again", Code: command.ExitFailed,
		}
	}
	fmt.Fprintf(env.Stderr, "%d checks, %s\n", len(x.findings), warned)
	return nil
}

// printFinding prints a finding on one line, and what to do on another. Subjects and
// messages contain names and errors of other programs, so they are escaped.
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
