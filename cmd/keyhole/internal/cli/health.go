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
	"keyhole/gateway/client"
)

// healthTimeout bounds the question: a container's health check must end.
const healthTimeout = 5 * time.Second

// newHealth builds keyhole health.
func newHealth(env *command.Env) *cobra.Command {
	var (
		operator operatorFlags
		live     bool
	)
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Exit 0 when the service is ready (with --live: alive)",
		Long: `Asks the service whether it is ready to serve clicks, without a key. With --live
it asks only whether the process serves: use that for a container's own check, so
that an outage of Redis restarts nothing.

Where KEYHOLE_CONFIG names a configuration, as in the image, the service that it
configures is asked.`,
		Args: command.ExactArgs(0, "flags alone"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			operator.url = cmp.Or(operator.url, healthURL(env))
			c, err := operator.connect(env, "")
			if err != nil {
				return whereHealthIs(err)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
			defer cancel()
			if live {
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
			fmt.Fprintf(env.Stdout, "redis    %s\n", term.Plain(readiness.Redis))
			for _, name := range slices.Sorted(maps.Keys(readiness.Storages)) {
				fmt.Fprintf(env.Stdout, "storage  %s: %s\n", term.Plain(name), term.Plain(readiness.Storages[name]))
			}
			for _, state := range readiness.Storages {
				if state != "ok" {
					fmt.Fprintln(env.Stderr, "warning: while a storage is away, its links whose object is checked are answered with 503; keyhole doctor says more")
					break
				}
			}
			if !readiness.Ready {
				return &command.Error{
					Err:  fmt.Errorf("the service is not ready: redis %s", term.Plain(readiness.Redis)),
					Hint: "the service's log says more; it recovers by itself when Redis is back", Code: command.ExitFailed,
				}
			}
			_, err = fmt.Fprintln(env.Stdout, "ready")
			return err
		},
	}
	cmd.Flags().StringVar(&operator.url, "url", "", "where /livez and /readyz are: metrics.listen or the operator address (default: as $KEYHOLE_CONFIG says, $KEYHOLE_OPERATOR_URL or "+defaultOperatorURL+")")
	cmd.Flags().BoolVar(&live, "live", false, "ask whether the process serves, not whether Redis answers")
	return cmd
}

// healthURL is where the service of KEYHOLE_CONFIG answers for its health: serve
// reads the same file and the same variables. It is empty where no configuration
// is named or it cannot be used, as one whose secrets only the service may read.
func healthURL(env *command.Env) string {
	path := env.Getenv("KEYHOLE_CONFIG")
	if path == "" {
		return ""
	}
	cfg, _, err := config.Load(config.LoadOptions{Path: path, Environ: env.Environ})
	if err != nil {
		return ""
	}
	if cfg.Metrics.Listen != "" {
		return config.Operator{}.BaseURL(cfg.Metrics.Listen)
	}
	if cfg.Operator.TLS.CertFile == "" {
		// Not operator.url: what stands in between may answer otherwise.
		return config.Operator{}.BaseURL(cfg.Operator.Listen)
	}
	// The certificate is for the name in operator.url.
	return cfg.Operator.BaseURL(cfg.Operator.Listen)
}

// whereHealthIs says what to do where nobody, or somebody else, answers.
func whereHealthIs(err error) error {
	hint, code := "try again; if it stays so, the service's log says more", command.ExitFailed
	switch {
	case errors.Is(err, client.ErrAddress):
		hint, code = "set --url or KEYHOLE_OPERATOR_URL to a URL such as "+defaultOperatorURL, command.ExitUsage
	case errors.Is(err, client.ErrUnreachable):
		hint = "is it running, and is --url its operator address, or its metrics.listen where that is set?"
	case errors.Is(err, client.ErrNotKeyhole):
		hint = "give its operator address by --url, or its metrics.listen where that is set; recipients' address has no health"
	}
	return &command.Error{Err: err, Hint: hint, Code: code}
}
