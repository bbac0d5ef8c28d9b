package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// noEmptyFlag refuses a text flag that was given and is empty: an unset variable
// of a script must not turn `list --bucket "$B"` into a list of everything.
func noEmptyFlag(cmd *cobra.Command) error {
	for _, f := range collect(cmd.Flags().Visit) { // those that were given, by name
		if f.Annotations[mayBeEmpty] != nil {
			continue
		}
		empty := f.Value.String() == ""
		if several, ok := f.Value.(interface{ GetSlice() []string }); ok {
			empty = slices.Contains(several.GetSlice(), "")
		}
		if empty {
			return command.Usage("--"+f.Name+" is empty; leave it out or give it a value", "is a variable behind it that is not set?")
		}
	}
	return nil
}

// mayBeEmpty is the annotation of a flag that is emptied on purpose.
const mayBeEmpty = "may-be-empty"

// checkLimit refuses a --limit that is no number of entries.
func checkLimit(limit int) error {
	if limit < 0 {
		return command.Usage("--limit is at least 0", "leave it out for 50; 0 means all")
	}
	return nil
}

// nextLimit is how many entries the next page is asked for, where limit are wanted in
// all, 0 for any number, and some are there.
func nextLimit(limit, have int) int {
	if limit == 0 {
		return api.MaxLimit
	}
	return min(limit-have, api.MaxLimit)
}

// oneOf refuses a flag's value that is none of a closed set; empty: it was not given.
func oneOf(flag, value string, set []string) error {
	if value == "" || slices.Contains(set, value) {
		return nil
	}
	hint := "it is one of " + strings.Join(set, ", ")
	if near := config.Nearest(value, set); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return command.Usage(fmt.Sprintf("--%s cannot be %q", flag, value), hint)
}

// collect returns what visit hands out.
func collect[F any](visit func(func(F))) []F {
	var all []F
	visit(func(f F) { all = append(all, f) })
	return all
}

// inFlags names what the service refuses as the flags of share and change instead of
// the API's fields, and bucket and key as the object that was named.
func inFlags(err error, sensitive bool, object string) error {
	flags := map[string]string{
		"storage": "--storage", "preset": "--preset", "expires_in": "--expires", "sensitive": "--not-sensitive",
		"max_clicks": "--max-clicks", "passphrase": "--passphrase-file", "filename": "--filename",
		"disposition": "--inline", "confirm": "--confirm", "allow": "--allow", "not_before": "--not-before",
		"Idempotency-Key": "--idempotency-key", "pin": "--pin", "version_id": "--version-id", "note": "--note", "labels": "--label",
	}
	if sensitive {
		flags["sensitive"] = "--sensitive"
	}
	if object != "" {
		flags["bucket"], flags["key"] = object, object
	}
	return rename(err, flags)
}

// inFilters names what the service refuses as the flags that select links.
func inFilters(err error) error {
	return rename(err, map[string]string{
		"bucket": "--bucket", "prefix": "--prefix", "key": "--key", "created_by": "--created-by", "label": "--label", "all": "--all", "reason": "--reason",
	})
}

// checkFilters refuses filters that select nothing, or not what they seem to. A prefix or
// a key alone selects in all buckets, unless there must be one.
func checkFilters(bucket, prefix, key, label string, mustHaveBucket bool) error {
	switch {
	case strings.Contains(bucket, "/"):
		bucket, prefix := splitS3(bucket)
		hint := "name it without s3:// and without a key"
		if bucket != "" {
			hint = "did you mean --bucket " + bucket
			if prefix != "" {
				hint += " --prefix " + prefix
			}
			hint += "?"
		}
		return command.Usage("--bucket takes the name of a bucket alone", hint)
	case mustHaveBucket && bucket == "" && prefix+key != "":
		return command.Usage("--prefix and --key are of the keys in one bucket", "name it by --bucket")
	case prefix != "" && key != "":
		return command.Usage("--prefix and --key contradict each other", "give one of them")
	case strings.HasPrefix(prefix, "s3://"), strings.HasPrefix(key, "s3://"):
		return command.Usage("--prefix and --key are of the key in its bucket", "name the bucket by --bucket")
	}
	if label != "" {
		_, err := parseLabels([]string{label})
		return err
	}
	return nil
}

// rename names fields of the API as flags.
func rename(err error, flags map[string]string) error {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err
	}
	// Words with an underscore, and JSON, are the API's own; the others are English.
	inText := strings.NewReplacer(`"sensitive": false`, "--not-sensitive", `"sensitive": true`, "--sensitive",
		"expires_in", "--expires", "max_clicks", "--max-clicks", "not_before", "--not-before", "version_id", "--version-id")
	problem := refused.Problem
	problem.Detail = inText.Replace(problem.Detail)
	problem.Errors = make([]api.FieldError, len(refused.Errors))
	for i, f := range refused.Errors {
		name := f.Field
		if end := strings.IndexAny(name, ".["); end >= 0 {
			name = name[:end]
		}
		if flag, ok := flags[name]; ok {
			f.Field = flag + strings.TrimPrefix(f.Field, name)
		}
		f.Message = inText.Replace(f.Message)
		problem.Errors[i] = f
	}
	return &client.Error{Problem: problem, Token: refused.Token}
}

// textsOf returns the texts of a closed set.
func textsOf[S ~string](set []S) []string {
	texts := make([]string, len(set))
	for i, s := range set {
		texts[i] = string(s)
	}
	return texts
}
