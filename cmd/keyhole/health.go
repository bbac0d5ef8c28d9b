package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout bounds the question: a container's health check must end.
const healthTimeout = 5 * time.Second

// newHealth builds keyhole health.
func newHealth(world *surroundings) *cobra.Command {
	var (
		operator operatorFlags
		live     bool
	)
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Exit 0 when the service is ready (with --live: alive)",
		Long: `Asks the service whether it is ready to serve clicks, without a key. With --live
it asks only whether the process serves: use that for a container's own check, so
that an outage of Redis restarts nothing.`,
		Args: exactly(0, "flags alone"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := operator.connect(world, "")
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
			defer cancel()
			if live {
				if err := c.Alive(ctx); err != nil {
					return err
				}
				_, err = fmt.Fprintln(world.stdout, "alive")
				return err
			}
			readiness, err := c.Ready(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(world.stdout, "redis    %s\n", plain(readiness.Redis))
			for _, name := range slices.Sorted(maps.Keys(readiness.Storages)) {
				fmt.Fprintf(world.stdout, "storage  %s: %s\n", plain(name), plain(readiness.Storages[name]))
			}
			if !readiness.Ready {
				return &hinted{
					err:  fmt.Errorf("the service is not ready: redis %s", plain(readiness.Redis)),
					hint: "the service's log says more; it recovers by itself when Redis is back", code: exitFailed,
				}
			}
			_, err = fmt.Fprintln(world.stdout, "ready")
			return err
		},
	}
	cmd.Flags().StringVar(&operator.url, "url", "", "where /livez and /readyz are: the operator address or metrics.listen (default $KEYHOLE_OPERATOR_URL or "+defaultOperatorURL+")")
	cmd.Flags().BoolVar(&live, "live", false, "ask whether the process serves, not whether Redis answers")
	return cmd
}
