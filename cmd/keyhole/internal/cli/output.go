package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// outputFlags are the flags of the formats that programs read.
type outputFlags struct{ json, ndjson bool }

// add adds the flags to a command.
func (o *outputFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON document: items and, if there are more, next")
	cmd.Flags().BoolVar(&o.ndjson, "ndjson", false, "print JSON, one line for each item")
}

// check refuses two formats at once.
func (o *outputFlags) check() error {
	// A script that sets both expects one of them and would fail to parse the other.
	if o.json && o.ndjson {
		return command.Usage("--json and --ndjson cannot be combined", "use one of them")
	}
	return nil
}

// document is what every list prints with --json. deploy/docs/build/lists.schema.json
// describes it and its items.
type document[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // the cursor of the next page in the API
}

// printDocument prints the items of a list as one document.
func printDocument[T any](env *command.Env, items []T, next string) error {
	if items == nil {
		items = []T{} // scripts loop over an empty list
	}
	return term.PrintJSON(env.Stdout, document[T]{Items: items, Next: next})
}

// printLines prints items as lines of JSON, without control characters, in one write: a
// reader such as head may close the pipe between two.
func printLines[T any](env *command.Env, items []T) error {
	var b strings.Builder
	for i := range items {
		text, err := json.Marshal(&items[i])
		if err != nil {
			return fmt.Errorf("encode an item: %w", err)
		}
		b.WriteString(term.EscapeJSON(string(text)) + "\n")
	}
	_, err := fmt.Fprint(env.Stdout, b.String())
	return err
}

// The types of the items of keyhole objects.
const (
	itemBucket = "bucket"
	itemFolder = "folder"
	itemObject = "object"
)

// bucketItem is a bucket in the list of buckets.
type bucketItem struct {
	Type string `json:"type"`
	api.Bucket
}

// folderItem is a folder in a list of objects. Its key ends with a slash.
type folderItem struct {
	Type string `json:"type"`
	api.Bucket
	Key string `json:"key"`
}

// objectItem is an object in a list of objects.
type objectItem struct {
	Type string `json:"type"`
	api.Bucket
	api.ObjectEntry
}

// objectItems returns the folders and objects of a page as items.
func objectItems(page *api.ObjectPage) []any {
	in := api.Bucket{Storage: page.Storage, Bucket: page.Bucket}
	items := make([]any, 0, len(page.Folders)+len(page.Objects))
	for _, folder := range page.Folders {
		// Each item has its storage and bucket, so that a line of NDJSON is complete by itself.
		items = append(items, folderItem{itemFolder, in, folder})
	}
	for _, object := range page.Objects {
		items = append(items, objectItem{itemObject, in, object})
	}
	return items
}

// bucketItems returns buckets as items.
func bucketItems(buckets []api.Bucket) []bucketItem {
	items := make([]bucketItem, len(buckets))
	for i, bucket := range buckets {
		items[i] = bucketItem{itemBucket, bucket}
	}
	return items
}
