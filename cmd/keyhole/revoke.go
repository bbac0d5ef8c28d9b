package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"keyhole/gateway/api"
)

// newRevoke builds keyhole revoke.
func newRevoke(world *surroundings) *cobra.Command {
	var (
		operator operatorFlags
		reason   string
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "revoke ID|URL...",
		Short: "Revoke links before they expire",
		Long: `Revokes links. When it says so, no new redirect is given; a presigned URL that
was given before lives its last seconds, and a transfer under way finishes.
One link that cannot be revoked keeps no other from it: each failure is named,
and the exit code is 1.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("say which links to revoke, by id or URL", "usage: "+cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			// All arguments are read before the first link is touched.
			ids := make([]string, len(args))
			for i, arg := range args {
				var err error
				if ids[i], err = parseLinkID(arg); err != nil {
					return err
				}
			}
			c, err := operator.client(world)
			if err != nil {
				return err
			}
			// One that fails keeps no other from being revoked.
			var failed error
			links := make([]api.Link, 0, len(ids))
			for _, id := range ids {
				link, err := c.Revoke(cmd.Context(), id, reason)
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s was not revoked: %w", id, err))
					continue
				}
				links = append(links, link)
				if !asJSON {
					fmt.Fprintf(world.stdout, "%s %s %s\n", link.ID, link.State, plain("s3://"+link.Bucket+"/"+link.Key))
				}
			}
			if asJSON {
				failed = errors.Join(failed, printJSON(world.stdout, links))
			}
			return failed
		},
	}
	operator.add(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the audit")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
