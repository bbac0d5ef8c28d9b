package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// healthTimeout bounds the request, because a container's health check must end.
const healthTimeout = 5 * time.Second

// healthFlags are the flags of health.
type healthFlags struct {
	operator operatorFlags // used without its flags: health has --url, and needs no key
	live     bool
}

// newHealth builds keyhole health.
func newHealth(env *command.Env) *cobra.Command {
	f := &healthFlags{operator: operatorFlags{urlFlag: "--url"}}
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Exit with 0 if the service is ready (with --live: alive)",
		Long: `Checks whether the service is ready to serve clicks. The command needs no key. With
--live, it checks only whether the process responds: use --live for the health check of a
container, so that an outage of Redis restarts no container.

If KEYHOLE_CONFIG names a configuration, as in the image, the command finds the address
of the service there.`,
		Args: command.ExactArgs(0, "only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.operator.nameContext(f.run(cmd.Context(), env)) },
	}
	cmd.Flags().StringVar(&f.operator.url, "url", "",
		"URL of the listener with /livez and /readyz: metrics.listen or the operator address\n"+
			"(default from $KEYHOLE_CONFIG, otherwise $KEYHOLE_OPERATOR_URL, the context's or "+defaultOperatorURL+")")
	f.operator.addContext(cmd)
	cmd.Flags().BoolVar(&f.live, "live", false, "check only whether the process responds")
	return cmd
}

// run checks the service once. It does not retry, because a container's health check has
// its own interval and number of retries.
func (f *healthFlags) run(ctx context.Context, env *command.Env) error {
	if f.operator.context == "" {
		f.operator.url = cmp.Or(f.operator.url, healthURL(env))
	}
	c, err := f.operator.connect(env)
	if err != nil && !errors.Is(err, client.ErrAddress) {
		return err // a mistake in the contexts, which has its own hint
	}
	if err != nil {
		return whereHealthIs(err)
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if f.live {
		if err := c.Alive(ctx); err != nil {
			return whereHealthIs(err)
		}
		_, err = fmt.Fprintln(env.Stdout, "alive")
		return err
	}
	readiness, err := c.Ready(ctx)
	if err != nil {
		return whereHealthIs(err)
	}
	return printReadiness(env, readiness)
}

// printReadiness prints the state of each part. Only Redis decides the exit code: while
// one storage fails, clicks on the objects of the others still work.
func printReadiness(env *command.Env, readiness api.Readiness) error {
	fmt.Fprintf(env.Stdout, "redis    %s\n", term.Plain(readiness.Redis))
	failing := false
	for _, name := range slices.Sorted(maps.Keys(readiness.Storages)) {
		state := readiness.Storages[name]
		fmt.Fprintf(env.Stdout, "storage  %s: %s\n", term.Plain(name), term.Plain(state))
		failing = failing || state != "ok"
	}
	// A warning goes to standard error; scripts read the states on standard output.
	if failing {
		fmt.Fprintln(env.Stderr,
			"warning: while a storage fails, clicks that have to check its objects get 503; see keyhole doctor")
	}
	if !readiness.Ready {
		return &command.Error{
			Err:  fmt.Errorf("the service is not ready: Redis is %s", term.Plain(readiness.Redis)),
			Hint: "see the service's log; the service recovers when Redis responds", Code: command.ExitFailed,
		}
	}
	_, err := fmt.Fprintln(env.Stdout, "ready")
	return err
}

// healthURL returns the URL of the health listener of the service that KEYHOLE_CONFIG
// configures; serve reads the same file and variables. It is empty if no configuration
// is named, or if it cannot be read, for example because only the service may read the
// secrets.
func healthURL(env *command.Env) string {
	path := env.Getenv("KEYHOLE_CONFIG")
	if path == "" {
		return ""
	}
	// An error is not reported: the flag or the default may still be right.
	cfg, _, err := config.Load(config.LoadOptions{Path: path, Environ: env.Environ})
	if err != nil {
		return ""
	}
	if cfg.Metrics.Listen != "" {
		return config.Operator{}.BaseURL(cfg.Metrics.Listen)
	}
	if cfg.Operator.TLS.CertFile == "" {
		// Not operator.url: a proxy in between may answer in its place.
		return config.Operator{}.BaseURL(cfg.Operator.Listen)
	}
	// The certificate is for the name in operator.url.
	return cfg.Operator.BaseURL(cfg.Operator.Listen)
}

// whereHealthIs adds a hint to an error of a health check. The general hints name
// --operator-url, and this command has --url, which may be another listener.
func whereHealthIs(err error) error {
	hint, code := "try again; if it fails again, see the service's log", command.ExitFailed
	switch {
	case errors.Is(err, context.Canceled): // also an ErrUnreachable, but nothing is wrong with the address
		hint = "the command was interrupted"
	case errors.Is(err, client.ErrAddress):
		hint, code = "set --url or KEYHOLE_OPERATOR_URL to a URL such as "+defaultOperatorURL, command.ExitUsage
	case errors.Is(err, client.ErrUnreachable):
		hint = "is the service running, and is --url its metrics.listen or, without that, its operator address?"
	case errors.Is(err, client.ErrNotKeyhole):
		hint = "set --url to the operator address or, if it is set, to metrics.listen; the recipients' address has no " +
			"health check"
	}
	return &command.Error{Err: err, Hint: hint, Code: code}
}
