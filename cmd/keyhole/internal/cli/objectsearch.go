package cli

import (
	"context"
	"errors"
	"strings"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// searchAll prints the objects of all buckets of the key whose keys contain the text, up to
// limit over all buckets. It ends with the first bucket that cannot be read, because the
// list would look complete.
func (f *objectsFlags) searchAll(ctx context.Context, env *command.Env) error {
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	list, err := c.Buckets(ctx)
	if err != nil {
		return err
	}
	var pages []api.ObjectPage
	items, cut := []any{}, false
	for _, bucket := range list.Buckets {
		if f.filter.Storage != "" && bucket.Storage != f.filter.Storage {
			continue
		}
		left := f.limit - len(items)
		if f.limit > 0 && left <= 0 {
			cut = true // nobody knows whether the other buckets have more
			break
		}
		asked := f.filter
		asked.Storage, asked.Bucket = bucket.Storage, bucket.Bucket
		page, err := listObjects(ctx, term.NewProgress(env.Stderr), c, asked, max(left, 0))
		if err != nil {
			return err
		}
		pages, items = append(pages, page), append(items, objectItems(&page)...)
		cut = cut || page.Next != ""
	}
	// A cursor leads through one bucket, so the document has none.
	if f.output.json {
		return printDocument(env, items, "")
	}
	return printCut(env, cut, f.limit, func() error {
		if f.output.ndjson {
			return printLines(env, items)
		}
		return f.printObjects(env, pages...)
	})
}

// orSearch adds to the error of an argument that is no bucket how to search for it, if it may
// be a part of a name. A text that may be secret is not repeated.
func orSearch(arg string, err error) error {
	var known *command.Error
	plain := unwrapped(arg)
	if !errors.As(err, &known) || !bucketName.MatchString(plain) || gateway.ValidToken(plain) {
		return err
	}
	return command.Usage(err.Error(), known.Hint+"\nto find objects by a part of their name: keyhole objects --search "+
		term.ShellWord(strings.ToLower(plain)))
}
