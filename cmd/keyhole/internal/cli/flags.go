package cli

import (
	"cmp"
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

// noEmptyFlag refuses a text flag with an empty value: an unset variable in a script
// must not turn `list --bucket "$B"` into a list of everything.
func noEmptyFlag(cmd *cobra.Command) error {
	for _, f := range collect(cmd.Flags().Visit) { // those that were given, by name
		if f.Annotations[mayBeEmpty] != nil {
			continue
		}
		empty := f.Value.String() == ""
		if several, ok := f.Value.(interface{ GetSlice() []string }); ok {
			values := several.GetSlice() // an empty list of --can is empty
			empty = len(values) == 0 || slices.Contains(values, "")
		}
		if empty {
			return command.Usage("--"+f.Name+" is empty; omit it or give it a value", "is the variable in it unset?")
		}
	}
	return nil
}

// mayBeEmpty is the annotation of a flag for which an empty value has a meaning.
const mayBeEmpty = "may-be-empty"

// checkLimit refuses a negative --limit, which would otherwise mean all, like 0.
func checkLimit(limit int) error {
	if limit < 0 {
		return command.Usage(fmt.Sprintf("--limit is %d; it must be 0 or more", limit), "omit it for 50; 0 means all")
	}
	return nil
}

// nextLimit returns the size of the next page, if limit entries are wanted in total (0
// for any number) and some have been received.
func nextLimit(limit, have int) int {
	if limit == 0 {
		return api.MaxLimit
	}
	return min(limit-have, api.MaxLimit)
}

// oneOf refuses a value of a flag outside of a closed set, with the nearest value as the
// hint. A service of a newer version may know more values than this command. An empty
// value means that the flag was omitted.
func oneOf(flag, value string, set []string) error {
	if value == "" || slices.Contains(set, value) {
		return nil
	}
	hint := "use one of " + strings.Join(set, ", ")
	near := valuesOfOthers()[flag+" "+strings.ToLower(value)]
	if near = cmp.Or(near, config.Nearest(value, set)); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return command.Usage(fmt.Sprintf("--%s is %q, which is not a valid value", flag, value), hint)
}

// valuesOfOthers returns the values of flags for words that people use instead, by flag and
// word.
func valuesOfOthers() map[string]string {
	return map[string]string{
		"kind download": "redirected", "kind downloads": "redirected", "kind downloaded": "redirected",
		"kind denied": "refused", "kind blocked": "refused", "kind created": "issued",
		"kind deleted": "revoked", "kind stopped": "revoked",
		"state ended": "expired", "state stopped": "revoked", "state deleted": "revoked", "state live": "active",
	}
}

// collect returns the values that visit passes to its function. pflag has no iterators.
func collect[F any](visit func(func(F))) []F {
	var all []F
	visit(func(f F) { all = append(all, f) })
	return all
}

// inFlags replaces the API's field names in a refusal by the flags of share and change,
// and bucket and key by the object that was named.
func inFlags(err error, sensitive bool, object string) error {
	// A passphrase comes from a file or is generated; only the file's can be refused.
	flags := map[string]string{
		"storage": "--storage", "preset": "--preset", "expires_in": "--expires", "sensitive": "--not-sensitive",
		"max_clicks": "--max-clicks", "passphrase": "--passphrase-file", "filename": "--filename",
		"disposition": "--inline", "confirm": "--confirm", "allow": "--allow", "not_before": "--not-before",
		"Idempotency-Key": "--idempotency-key", "pin": "--pin", "version_id": "--version-id", "note": "--note",
		"language": "--language", "labels": "--label", "remove": "--no-passphrase, --no-allow or --not-before now",
	}
	// The service cannot know which of the two flags set its field.
	if sensitive {
		flags["sensitive"] = "--sensitive"
	}
	if object != "" {
		flags["bucket"], flags["key"] = object, object
	}
	return rename(err, flags)
}

// inFilters replaces the API's field names in a refusal by the flags of list and revoke
// that select links.
func inFilters(err error) error {
	return rename(err, map[string]string{
		"bucket": "--bucket", "prefix": "--prefix", "key": "--key", "created_by": "--created-by", "label": "--label",
		"labels": "--label", "state": "--state", "since": "--since", "used": "--used", "ends_within": "--ends-within",
		"ends_after": "--ends-after",
		"all":        "--all", "reason": "--reason",
	})
}

// checkFilters refuses filters that select no links, or other links than a user expects.
// A prefix or key without a bucket selects in all buckets, unless mustHaveBucket is set.
func checkFilters(bucket, prefix, key, label string, mustHaveBucket bool) error {
	switch {
	case strings.Contains(bucket, "/"):
		bucket, prefix := splitS3(bucket)
		hint := "write it without s3:// and without a key"
		if bucket != "" {
			hint = "did you mean --bucket " + bucket
			if prefix != "" {
				hint += " --prefix " + prefix
			}
			hint += "?"
		}
		return command.Usage("--bucket takes only the name of a bucket", hint)
	case mustHaveBucket && bucket == "" && prefix+key != "":
		return command.Usage("--prefix and --key need a bucket", "name the bucket with --bucket")
	case prefix != "" && key != "":
		return command.Usage("--prefix and --key cannot be combined", "use one of them")
	case strings.HasPrefix(prefix, "s3://"), strings.HasPrefix(key, "s3://"):
		return command.Usage("--prefix and --key take a key without its bucket", "name the bucket with --bucket")
	}
	if label != "" {
		_, err := parseLabels([]string{label})
		return err
	}
	return nil
}

// rename replaces the API's field names in a refusal by flags: the user typed flags and has
// never seen the fields. Errors that are no refusals pass unchanged.
func rename(err error, flags map[string]string) error {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err
	}
	// Words with an underscore and JSON belong to the API; other words are English.
	inText := strings.NewReplacer(`"sensitive": false`, "--not-sensitive", `"sensitive": true`, "--sensitive",
		"expires_in", "--expires", "max_clicks", "--max-clicks", "not_before", "--not-before", "version_id", "--version-id")
	// The refusal is copied, because the caller may still use the original.
	problem := refused.Problem
	problem.Detail = inText.Replace(problem.Detail)
	problem.Errors = make([]api.FieldError, len(refused.Errors))
	for i, f := range refused.Errors {
		// A field may continue inside: allow[1], labels.team.
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
