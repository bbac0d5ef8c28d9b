package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/client"
)

// parseLinkOrPrefix is parseLinkID for a command that also accepts the first characters of
// an ID, such as the reference that recipients see. A text that can be both a token and
// the beginning of an ID is a token.
func parseLinkOrPrefix(arg string) (string, error) {
	id, err := parseLinkID(arg)
	if err == nil {
		return id, nil
	}
	if reference, ok := referenceOf(arg); ok {
		return reference, nil
	}
	var known *command.Error
	if errors.As(err, &known) && !strings.HasPrefix(strings.TrimSpace(arg), "s3://") {
		return "", command.Usage(err.Error(), known.Hint+"; a reference of 8 characters begins an ID")
	}
	return "", err
}

// unknownLink names the link in the refusal of an unknown one, because a script has many. id
// is the ID or reference; a URL was hashed to the ID before, so no token is in it. It is empty
// if the request names no link.
func unknownLink(id string, err error) error {
	var refused *client.Error
	if id == "" || !errors.As(err, &refused) || refused.Code != string(gateway.CodeNotFound) {
		return err
	}
	return fmt.Errorf("link %s: %w", id, err)
}

// referenceOf returns the first characters of an ID, or a whole ID in capital letters, as the
// service takes them: people also copy a reference in capital letters. A text in mixed
// case may be a mistyped token, which must not leave this process.
func referenceOf(arg string) (string, bool) {
	arg = trimLink(arg)
	if arg == strings.ToUpper(arg) {
		arg = strings.ToLower(arg)
		if _, whole := gateway.ParseID(arg); whole {
			return arg, true
		}
	}
	prefix, ok := gateway.ParseIDPrefix(arg)
	return string(prefix), ok
}

// refuseReference replaces the error of a command at path that needs whole IDs, if the first
// argument that is none is a reference: it names the ID, if exactly one link has it. The
// reference itself is not enough, because another link may have it tomorrow.
func (f *operatorFlags) refuseReference(ctx context.Context, env *command.Env, path string, args []string,
	err error,
) error {
	reference, ok := "", false
	for _, arg := range args {
		if _, wrong := parseLinkID(arg); wrong != nil {
			reference, ok = referenceOf(arg)
			break
		}
	}
	if !ok {
		return err
	}
	// Without a key, or an answer, the mistake in the argument is all that is known.
	c, failed := f.client(&command.Env{Stderr: io.Discard, Environ: env.Environ})
	if failed != nil {
		return err
	}
	problem := path + " needs the whole ID of a link, not a reference"
	link, failed := c.Show(ctx, reference)
	var refused *client.Error
	switch {
	case failed == nil:
		return command.Usage(problem, "the reference is of the link to "+term.Plain("s3://"+link.Bucket+"/"+link.Key)+
			": "+path+" "+link.ID)
	case errors.As(failed, &refused) && refused.Code == "ambiguous":
		return command.Usage(problem, "several links have this reference: keyhole list shows their IDs")
	case errors.As(failed, &refused) && refused.Code == string(gateway.CodeNotFound):
		// Any short word can be a reference, so the usual error stays.
		_, hint := exitCodeAndHint(err)
		return command.Usage(err.Error(), "no link that this key may see has this reference; check it\n"+hint)
	}
	return err
}
