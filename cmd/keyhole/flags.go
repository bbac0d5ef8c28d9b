package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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
			return usage("--"+f.Name+" is empty; leave it out or give it a value", "is a variable behind it that is not set?")
		}
	}
	return nil
}

// mayBeEmpty is the annotation of a flag that is emptied on purpose.
const mayBeEmpty = "may-be-empty"

// collect returns what visit hands out.
func collect[F any](visit func(func(F))) []F {
	var all []F
	visit(func(f F) { all = append(all, f) })
	return all
}

// inFlags names what the service refuses as share's flags instead of the API's
// fields. Bucket and key stay: they are parts of the argument.
func inFlags(err error, sensitive bool) error {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err
	}
	flags := map[string]string{
		"storage": "--storage", "preset": "--preset", "expires_in": "--expires", "sensitive": "--not-sensitive",
		"max_clicks": "--max-clicks", "passphrase": "--passphrase-file", "filename": "--filename",
		"disposition": "--inline", "confirm": "--confirm", "allow": "--allow", "not_before": "--not-before",
		"Idempotency-Key": "--idempotency-key", "pin": "--pin", "version_id": "--version-id", "note": "--note", "labels": "--label",
	}
	if sensitive {
		flags["sensitive"] = "--sensitive"
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
	return &client.Error{Problem: problem}
}
