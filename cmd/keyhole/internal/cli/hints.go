package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// unknownCommand names what was mistyped and what may have been meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	near := config.Nearest(name, names)
	if similar := cmd.SuggestionsFor(name); near == "" && len(similar) > 0 {
		near = similar[0]
	}
	hint := "see: " + cmd.CommandPath() + " --help"
	if near != "" {
		hint = "did you mean: " + cmd.CommandPath() + " " + near
	}
	return command.Usage(fmt.Sprintf("there is no command %q", name), hint)
}

// hintForFlag says what to do about an error in a flag: which one may have been
// meant, where there is none of that name.
func hintForFlag(cmd *cobra.Command, what string) string {
	see := "see: " + cmd.CommandPath() + " --help"
	mistyped, unknown := strings.CutPrefix(what, "unknown flag: --")
	if !unknown {
		return see
	}
	var names []string
	for _, f := range collect(cmd.Flags().VisitAll) {
		names = append(names, f.Name)
	}
	if near := config.Nearest(mistyped, names); near != "" {
		return "did you mean --" + near + "? " + see
	}
	return see
}

// unwrapped removes blanks, quotes and brackets around an argument: some shells pass
// quotes on, and mail programs and documents add them.
func unwrapped(arg string) string {
	arg = strings.TrimSpace(arg)
	for _, pair := range []string{`""`, "''", "``", "“”", "„“", "‘’", "«»", "<>"} {
		quotes := []rune(pair)
		inner, opened := strings.CutPrefix(arg, string(quotes[0]))
		if inner, closed := strings.CutSuffix(inner, string(quotes[1])); opened && closed {
			return strings.TrimSpace(inner)
		}
	}
	return arg
}

// localFile tells whether an argument is written like a file of this machine.
func localFile(arg string) bool {
	for _, prefix := range []string{"./", "../", "~", "file:"} {
		if strings.HasPrefix(arg, prefix) {
			return true
		}
	}
	return strings.Contains(arg, `\`) // of Windows; a key may have one, behind s3://
}

// bucketName is what a bucket can be named, by any S3-compatible storage.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$`)

// asS3 writes what names no object, or no bucket, as s3:// has it, as far as that
// can be told; "" otherwise. Nothing that signs a URL is in it.
func asS3(arg string) string {
	scheme, rest, _ := strings.Cut(arg, ":")
	meant := ""
	switch strings.ToLower(scheme) {
	case "http", "https":
		meant = s3OfURL(arg)
	case "s3", "s3a", "s3n": // Hadoop names S3 by the last two.
		meant = "s3://" + strings.TrimLeft(rest, "/")
	case "arn":
		_, name, _ := strings.Cut(rest, ":::") // arn:aws:s3:::BUCKET/KEY has neither region nor account
		meant = "s3://" + name
	default:
		if !strings.Contains(arg, "://") { // another store's
			meant = "s3://" + strings.TrimLeft(arg, "/")
		}
	}
	if bucket, _ := splitS3(meant); !bucketName.MatchString(bucket) {
		return ""
	}
	return meant
}

// s3OfURL is the object of a URL of S3: https://BUCKET.s3.REGION.amazonaws.com/KEY
// or, at any host, https://HOST/BUCKET/KEY (AWS, "Virtual hosting of general purpose
// buckets").
func s3OfURL(arg string) string {
	u, err := url.Parse(arg)
	if err != nil {
		return ""
	}
	path := strings.TrimPrefix(u.Path, "/")
	if strings.HasSuffix(u.Hostname(), "console.aws.amazon.com") {
		// /s3/object/BUCKET?prefix=KEY, and /s3/buckets/BUCKET?prefix=PREFIX
		return "s3://" + path[strings.LastIndexByte(path, '/')+1:] + "/" + u.Query().Get("prefix")
	}
	if bucket, domain, ok := strings.Cut(u.Hostname(), ".s3"); ok && strings.HasSuffix(domain, ".amazonaws.com") {
		return "s3://" + bucket + "/" + path
	}
	if !strings.Contains(path, "/") {
		return "" // a link of ours perhaps, and its token
	}
	return "s3://" + path
}

// notS3 refuses an argument that should name an object, or a bucket. A URL is not
// repeated: it may be signed, or hold a token.
func notS3(arg, what, form string) error {
	plain := unwrapped(arg)
	switch {
	case slices.ContainsFunc(strings.Split(plain, "/"), gateway.ValidToken):
		return command.Usage("a link is not "+what, "write it as "+form+"; keyhole show says which object a link is of")
	case strings.Contains(plain, "://") && !strings.HasPrefix(plain, "s3://"):
		arg = "a URL"
	default:
		arg = strconv.Quote(arg)
	}
	problem, meant := arg+" is not "+what, asS3(plain)
	bucket, key := splitS3(meant)
	switch {
	case !strings.HasPrefix(plain, "s3://") && localFile(plain):
		return command.Usage(problem, "that looks like a file on this machine; upload it to a bucket first, and write it as "+form)
	case bucket == "", key == "" && strings.Contains(form, "KEY"), "\""+meant+"\"" == arg:
		return command.Usage(problem, "write it as "+form)
	}
	return command.Usage(problem, "did you mean "+term.ShellWord(meant)+"?")
}

// asksTooLong tells whether a refusal is about the longest life that a key can give,
// and not about objects.
func asksTooLong(refused *client.Error) bool {
	return slices.ContainsFunc(refused.Errors, func(f api.FieldError) bool {
		return f.Code == string(gateway.CodeOutOfScope) &&
			slices.Contains([]string{"expires_in", "--expires", "preset", "--preset"}, f.Field)
	})
}

// hintForKey says what to do about a refusal of what the operator key or the token may
// do, "" for any other.
func hintForKey(refused *client.Error) string {
	hints := map[string][2]string{ // of a key, of a token
		"unauthorized": {
			"give one that the service's operator.keys has by KEYHOLE_KEY or --key-file; keyhole key new makes one",
			"get a new token for this service from the identity provider, and give it by KEYHOLE_KEY or --key-file",
		},
		"forbidden": {
			"use a key that may do this, or let the operator of the service extend this key's can",
			"use a token whose grant may do this, or let the operator of the service extend operator.oidc.grants",
		},
		"out_of_scope": {
			"use a key whose objects cover this",
			"use a token whose grant covers this with its objects",
		},
		"too_long": {
			"ask for a shorter --expires, or use a key whose max_expiry allows this",
			"ask for a shorter --expires, or use a token whose grant allows this with its max_expiry",
		},
	}
	code := refused.Code
	if asksTooLong(refused) {
		code = "too_long"
	}
	if refused.Token {
		return hints[code][1]
	}
	return hints[code][0]
}

// hintFor says what to do about the service's refusal.
func hintFor(refused *client.Error) string {
	if hint := hintForKey(refused); hint != "" {
		return hint
	}
	switch refused.Code {
	case "idempotency_conflict":
		return "give this request an --idempotency-key of its own; keyhole list shows what the other one has issued"
	case "precondition_failed":
		return "look at it as it is now: keyhole show"
	case "not_active":
		return "issue another with keyhole share"
	case "rate_limited":
		return "wait a minute and go on; if the key is not known, check KEYHOLE_KEY or --key-file"
	case "not_found":
		return "check the id; keyhole list shows the links that this key may see"
	case "invalid", "bad_request":
		return "correct what is named and try again"
	case "not_confirmed":
		return "repeat it: a repeat is confirmed like the first"
	case "unavailable":
		return "try again in a few seconds; keyhole health, and keyhole doctor where the service runs, say what is missing"
	}
	return ""
}

// nearObject adds to a refusal of an object where to look for the right one.
func nearObject(ctx context.Context, c *client.Client, bucket, key string, err error) error {
	var refused *client.Error
	if errors.As(err, &refused) && slices.ContainsFunc(refused.Errors, func(f api.FieldError) bool { return f.Code == "object_not_found" }) {
		return &command.Error{Err: err, Hint: "see what there is: keyhole objects " + term.ShellWord("s3://"+bucket+"/"+key[:strings.LastIndexByte(key, '/')+1]), Code: command.ExitFailed}
	}
	return nearBucket(ctx, c, bucket, err)
}

// nearBucket adds to a refusal of a bucket which one may have been meant.
func nearBucket(ctx context.Context, c *client.Client, bucket string, err error) error {
	var refused *client.Error
	if !errors.As(err, &refused) || asksTooLong(refused) {
		return err
	}
	unknown := refused.Code == string(gateway.CodeNotFound) || refused.Code == string(gateway.CodeOutOfScope) || slices.ContainsFunc(refused.Errors, func(f api.FieldError) bool {
		return f.Code == "unknown_bucket"
	})
	if !unknown {
		return err
	}
	names, _ := completeBuckets(ctx, c, "")
	if slices.Contains(names, bucket) {
		return err
	}
	return &command.Error{Err: err, Hint: hintForBucket("s3://", bucket, names), Code: command.ExitFailed}
}

// noSuchBucket is the error of a filter that names a bucket which the key may not see,
// with the one that may have been meant; nil where it may, or where it cannot be told.
func noSuchBucket(ctx context.Context, c *client.Client, bucket string) error {
	names, _ := completeBuckets(ctx, c, "")
	if bucket == "" || len(names) == 0 || slices.Contains(names, bucket) {
		return nil
	}
	return &command.Error{Err: fmt.Errorf("this key may see no bucket %q", bucket), Hint: hintForBucket("--bucket ", bucket, names), Code: command.ExitFailed}
}

// hintForBucket says which of the buckets that a key may see was probably meant, with
// what stands before it where it was given.
func hintForBucket(before, bucket string, names []string) string {
	if near := config.Nearest(bucket, names); near != "" {
		return "did you mean " + before + near + "?"
	}
	return "keyhole objects lists the buckets that you may see"
}
