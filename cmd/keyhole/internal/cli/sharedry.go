package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// addScripts adds the flags of share that scripts need. resend issues one link after a
// question, so it has none of them.
func (f *shareFlags) addScripts(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "make all checks, print what would be shared, and issue nothing")
	flags.BoolVar(&f.ndjson, "ndjson", false, "print JSON instead of the URLs, one line for each link")
}

// sharings returns the requests for objects, which differ only in the object.
func (f *shareFlags) sharings(objects []object) []*sharing {
	all := make([]*sharing, len(objects))
	for i, o := range objects {
		all[i] = &sharing{object: o, request: f.request}
		all[i].request.Bucket, all[i].request.Key = o.bucket, o.key
	}
	return all
}

// tryAll lets the service check the objects, and prints the links as they would be. It does
// not ask about the sensitivity: the flags are those of the command that follows. The API
// has a dry run for batches only, so one object is a batch too.
func (f *shareFlags) tryAll(ctx context.Context, env *command.Env, c *client.Client, objects []object) error {
	all := f.sharings(objects)
	f.expiryToSend(all, time.Now())
	accepted, refused, err := f.checkAll(ctx, c, all)
	if err != nil {
		// One object has the refusal that its issue would have, without a summary.
		if one := all[0]; len(all) == 1 && one.refused != nil {
			refusal := withLatest(one.refused, !f.until.IsZero(), time.Now(), time.Local)
			return nearObject(ctx, c, one.object.bucket, one.object.key, refusal)
		}
		return err
	}
	if !f.quiet {
		f.checklistOfAll(env, accepted)
		fmt.Fprintln(env.Stderr, "Nothing was issued: this was a dry run.")
	}
	if err := f.printTried(env, accepted); err != nil {
		return err
	}
	if len(refused) > 0 {
		return f.refusal(refused, len(all), "the others would be shared")
	}
	return nil
}

// printTried prints the links of a dry run, in the shape in which their issue prints them.
// They have neither an ID nor a URL, so there is nothing to print for people.
func (f *shareFlags) printTried(env *command.Env, accepted []*sharing) error {
	links := make([]api.Link, len(accepted))
	for i, s := range accepted {
		links[i] = s.link
	}
	switch {
	case f.ndjson:
		return printLines(env, links)
	case f.json && len(links) == 1:
		return term.PrintJSON(env.Stdout, links[0])
	case f.json:
		return printDocument(env, links, "")
	}
	return nil
}
