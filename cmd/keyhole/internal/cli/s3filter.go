package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
)

// s3Form is the form of an argument that names the objects of a filter.
const s3Form = "s3://BUCKET/KEY or s3://BUCKET/PREFIX/"

// maybeS3 accepts one argument that names an object or a folder, or none.
func maybeS3(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || len(args) == 1 && strings.HasPrefix(args[0], "s3://") {
		return nil
	}
	// The arguments are not repeated, because one may be a token.
	return command.Usage(cmd.CommandPath()+" takes flags, and one object or folder as "+s3Form,
		"filter by --bucket, --prefix or --key; for one link: keyhole show or keyhole events\nusage: "+cmd.UseLine())
}

// readS3 reads an argument as filters: a folder ends with a slash, and a bucket alone means
// all of its objects. taken are the values of the flags for the same filters.
func readS3(arg string, taken ...string) (bucket, prefix, key string, err error) {
	bucket, rest := splitS3(arg)
	switch {
	case bucket == "":
		return "", "", "", notS3(arg, "an object or a folder", s3Form)
	case strings.Join(taken, "") != "":
		return "", "", "", command.Usage("an object or a folder cannot be combined with flags that select objects",
			"use one of them")
	case strings.HasSuffix(rest, "/"):
		return bucket, rest, "", nil
	}
	return bucket, "", rest, nil
}

// takeS3 sets the filters of an argument.
func (f *filterFlags) takeS3(arg string) (err error) {
	f.bucket, f.prefix, f.key, err = readS3(arg, f.bucket, f.prefix, f.key)
	f.named = err == nil && f.key != ""
	return err
}

// tellFolder says how to name a folder, if an argument without a slash at its end selected no
// links: people omit the slash, and then the argument names an object.
func (f *filterFlags) tellFolder(env *command.Env) {
	if f.named {
		fmt.Fprintf(env.Stderr, "for a folder end with a slash: %s\n", term.ShellWord("s3://"+f.bucket+"/"+f.key+"/"))
	}
}
