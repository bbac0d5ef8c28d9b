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

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// wrongValue matches the error of pflag for a value that does not have the type of the flag:
// invalid argument "x" for "-n, --limit" flag: strconv.ParseInt: parsing "x": invalid syntax.
var wrongValue = regexp.MustCompile(`^invalid argument (".*") for "(?:-., )?(--[^"]+)" flag: strconv\.(\w+): (.*)$`)

// flagProblem returns the text of an error of pflag. It replaces the error of strconv, which
// is for programmers, by the values that the flag accepts.
func flagProblem(err error) string {
	match := wrongValue.FindStringSubmatch(err.Error())
	if match == nil {
		return err.Error()
	}
	value, flag, parser, cause := match[1], match[2], match[3], match[4]
	must := "it must be a whole number"
	switch {
	case parser == "ParseBool":
		must = "it must be true or false"
	case strings.HasSuffix(cause, "out of range") && strings.HasPrefix(value, `"-`):
		must = "the number is too small"
	case strings.HasSuffix(cause, "out of range"):
		must = "the number is too large"
	}
	return fmt.Sprintf("%s is %s; %s", flag, value, must)
}

// unwrapped removes spaces, quotes and brackets around an argument. Some shells pass
// quotes on; mail programs and documents add them.
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

// localFile tells whether an argument looks like a file on this machine. People expect
// share to upload a file, so the hint says that the object must be in a bucket first.
func localFile(arg string) bool {
	for _, prefix := range []string{"./", "../", "~", "file:"} {
		if strings.HasPrefix(arg, prefix) {
			return true
		}
	}
	return strings.Contains(arg, `\`) // on Windows; a key may contain one, but only behind s3://
}

// bucketName matches the bucket names that any S3-compatible storage allows.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$`)

// asS3 rewrites an argument as an s3:// URL if it names an object or a bucket in
// another way. It returns "" if it cannot tell. The result contains no signature.
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

// s3OfURL returns the object that an S3 URL names: https://BUCKET.s3.REGION.amazonaws.com/KEY
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
		return "" // perhaps a Keyhole link with its token
	}
	return "s3://" + path
}

// notS3 returns the error of an argument that should name an object or a bucket. It
// does not repeat a URL, because that may contain a signature or a token.
func notS3(arg, what, form string) error {
	plain := unwrapped(arg)
	switch {
	case slices.ContainsFunc(strings.Split(plain, "/"), gateway.ValidToken):
		return command.Usage("a link is not "+what, "write it as "+form+"; keyhole show prints the object of a link")
	case strings.Contains(plain, "://") && !strings.HasPrefix(plain, "s3://"):
		arg = "a URL"
	default:
		arg = strconv.Quote(arg)
	}
	problem, meant := arg+" is not "+what, asS3(plain)
	bucket, key := splitS3(meant)
	switch {
	case !strings.HasPrefix(plain, "s3://") && localFile(plain):
		return command.Usage(problem,
			"this looks like a file on this machine; upload it to a bucket first, then write it as "+form)
	case bucket == "", key == "" && strings.Contains(form, "KEY"), "\""+meant+"\"" == arg:
		return command.Usage(problem, "write it as "+form+"; keyhole objects lists buckets and objects")
	}
	return command.Usage(problem, "did you mean "+term.ShellWord(meant)+"?")
}

// refusalCode returns the code by which a refusal is explained. The expiry is named as
// the API names it, or as flags do after inFlags.
func refusalCode(refused *client.Error) string {
	return explain.RefusalCode(&refused.Problem, "expires_in", "--expires", "preset", "--preset")
}

// hintFor returns what to do about a refusal of the service, with the command or flag to use.
// It returns "" for a code of a newer service.
func hintFor(refused *client.Error) string {
	code := refusalCode(refused)
	hint := explain.Refusal(code, refused.Token)
	// The words of explain name no command, because a console uses them too.
	by := map[string]string{
		"unauthorized": "; pass it in KEYHOLE_KEY or with --key-file", explain.TooLong: "; see --expires",
		"idempotency_conflict": ", with --idempotency-key; keyhole list shows the link of the other one",
		"precondition_failed":  ": keyhole show", "not_active": " with the same settings: keyhole resend ID",
		"not_found":   "; keyhole list shows the links that this key may see",
		"unavailable": "; " + findCause, explain.StorageRefuses: "; where the service runs, keyhole doctor tests them",
	}
	if code == "unauthorized" && !refused.Token {
		return hint + by[code] + " (keyhole key new creates one)"
	}
	return hint + by[code]
}

// findCause names the commands that find out why the service is unavailable.
const findCause = "keyhole health and, where the service runs, keyhole doctor find the cause"

// nearObject adds a hint to a refusal of an unknown object: the command that lists the
// objects in the folder of the key, where the right object probably is.
func nearObject(ctx context.Context, c *client.Client, bucket, key string, err error) error {
	var refused *client.Error
	if errors.As(err, &refused) &&
		slices.ContainsFunc(refused.Errors, func(f api.FieldError) bool { return f.Code == "object_not_found" }) {
		return &command.Error{Err: err, Hint: "list the objects: keyhole objects " +
			term.ShellWord("s3://"+bucket+"/"+key[:strings.LastIndexByte(key, '/')+1]), Code: command.ExitFailed}
	}
	return nearBucket(ctx, c, bucket, key, err)
}

// nearBucket adds a hint to a refusal of an unknown bucket: the argument with the nearest
// bucket that the key may see, to copy. rest is what follows the bucket in the argument.
// Other refusals pass unchanged.
func nearBucket(ctx context.Context, c *client.Client, bucket, rest string, err error) error {
	var refused *client.Error
	if !errors.As(err, &refused) || refusalCode(refused) == explain.TooLong {
		return err
	}
	unknown := refused.Code == string(gateway.CodeNotFound) || refused.Code == string(gateway.CodeOutOfScope) ||
		slices.ContainsFunc(refused.Errors, func(f api.FieldError) bool {
			return f.Code == "unknown_bucket"
		})
	if !unknown {
		return err
	}
	// If the buckets cannot be listed, the hint names the command that lists them.
	names, _ := completeBuckets(ctx, c, "")
	if slices.Contains(names, bucket) {
		return err
	}
	hint := hintForBucket(bucket, names, func(near string) string {
		if rest != "" {
			near += "/" + rest
		}
		return term.ShellWord("s3://" + near)
	})
	return &command.Error{Err: err, Hint: hint, Code: command.ExitFailed}
}

// noSuchBucket returns the error of a filter with a bucket that the key may not see, with
// the nearest bucket as the hint. It returns nil if the key may see the bucket, or if the
// buckets cannot be listed.
func noSuchBucket(ctx context.Context, c *client.Client, bucket string) error {
	names, _ := completeBuckets(ctx, c, "")
	if bucket == "" || len(names) == 0 || slices.Contains(names, bucket) {
		return nil
	}
	return &command.Error{
		Err:  fmt.Errorf("this key may not see a bucket %q", bucket),
		Hint: hintForBucket(bucket, names, func(near string) string { return "--bucket " + near }), Code: command.ExitFailed,
	}
}

// hintForBucket proposes the bucket among names that is nearest to a mistyped one. argument
// writes a bucket as it stands on the command line.
func hintForBucket(bucket string, names []string, argument func(bucket string) string) string {
	if near := config.Nearest(bucket, names); near != "" {
		return "did you mean " + argument(near) + "?"
	}
	return "keyhole objects lists the buckets that you may see"
}
