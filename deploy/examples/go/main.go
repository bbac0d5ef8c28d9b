// Command share issues one link for each object of a bucket, all or none, and prints the
// URL of each.
//
//	share BUCKET KEY...
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "share:", err)
		os.Exit(1)
	}
}

// run issues the links.
func run(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: share BUCKET KEY...")
	}
	address := cmp.Or(os.Getenv("KEYHOLE_OPERATOR_URL"), "http://127.0.0.1:8081")
	c, err := client.New(address, os.Getenv("KEYHOLE_KEY"))
	if err != nil {
		return err
	}
	var batch api.BatchRequest
	for _, key := range args[1:] {
		batch.Links = append(batch.Links, api.IssueRequest{Bucket: args[0], Key: key, ExpiresIn: "2h"})
	}
	// The dry run refuses the whole batch before the first link is issued.
	check := batch
	check.DryRun = true
	if _, err := issue(ctx, c, check); err != nil {
		return err
	}
	// A repeat with the same key returns the same links. In a real program the key names
	// the work, so that a restart of the program repeats it too.
	batch.IdempotencyKey = "share-" + time.Now().UTC().Format(time.RFC3339Nano)
	links, err := issue(ctx, c, batch)
	for _, link := range links {
		fmt.Printf("%s %s\n", link.Key, link.URL)
	}
	return err
}

// issue sends a batch, and repeats the batch while the service asks to try again. It
// returns the links that were issued, and an error for each of the others.
func issue(ctx context.Context, c *client.Client, batch api.BatchRequest) (links []api.Link, err error) {
	for attempt := 1; ; attempt++ {
		answer, failed := c.IssueBatch(ctx, batch)
		wait, again := client.Retry(failed)
		links, err = nil, failed
		for _, result := range answer.Results {
			if result.Problem == nil {
				links = append(links, *result.Link)
				continue
			}
			again = again || result.Status >= 500
			err = errors.Join(err, &client.Error{Problem: *result.Problem})
		}
		if err == nil || !again || attempt == 5 {
			return links, err
		}
		select {
		case <-time.After(max(wait, time.Second)):
		case <-ctx.Done():
			return links, ctx.Err()
		}
	}
}
