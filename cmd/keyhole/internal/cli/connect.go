package cli

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/client"
)

// defaultOperatorURL is where serve and demo listen for operators by default.
const defaultOperatorURL = "http://127.0.0.1:8081"

// operatorFlags say where the service is and which key to show it.
type operatorFlags struct {
	url     string
	keyFile string
}

// add adds the flags to a command.
func (f *operatorFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "operator-url", "", "the service's operator address (default $KEYHOLE_OPERATOR_URL or "+defaultOperatorURL+")")
	cmd.Flags().StringVar(&f.keyFile, "key-file", "", "file with the operator key (default: the key in $KEYHOLE_KEY)")
}

// client returns a client with the key of the flags or the environment.
func (f *operatorFlags) client(env *command.Env) (*client.Client, error) {
	text, from := env.Getenv("KEYHOLE_KEY"), "KEYHOLE_KEY"
	if f.keyFile != "" {
		var err error
		if text, err = readSecretFile(env.Stderr, "key file", f.keyFile, 4*maxKey); err != nil {
			return nil, command.Usage(fmt.Sprintf("the key file cannot be read: %v", err), "give a readable file with one operator key by --key-file")
		}
		from = "the key file " + f.keyFile
	}
	key := strings.TrimSpace(text)
	if key == "" && f.keyFile == "" {
		return nil, command.Usage("no operator key", "set KEYHOLE_KEY to an operator key, or name a file with one by --key-file")
	}
	// It goes into a header: what is no key must not be sent, nor be repeated here.
	if len(key) > maxKey || !visibleASCII.MatchString(key) || strings.Contains(key, "://") {
		return nil, command.Usage(from+" does not hold one operator key",
			"it should hold the line that keyhole key new prints to standard output, such as khk_..., and nothing else")
	}
	return f.connect(env, key)
}

// maxKey bounds what may be a key, in bytes: far more than key new prints, and room
// for the token of an identity provider.
const maxKey = 16 << 10

// visibleASCII is what a key may be made of, one word: keys that other programs
// have made are admitted too.
var visibleASCII = regexp.MustCompile(`^[!-~]+$`)

// open returns a client, and the id of the link that arg names.
func (f *operatorFlags) open(env *command.Env, arg string) (*client.Client, string, error) {
	id, err := parseLinkID(arg)
	if err != nil {
		return nil, "", err
	}
	c, err := f.client(env)
	return c, id, err
}

// connect returns a client with the address of the flags or the environment.
func (f *operatorFlags) connect(env *command.Env, key string) (*client.Client, error) {
	c, err := client.New(cmp.Or(f.url, env.Getenv("KEYHOLE_OPERATOR_URL"), defaultOperatorURL), key)
	if err != nil {
		return nil, &command.Error{Err: err, Hint: "set --operator-url or KEYHOLE_OPERATOR_URL to the operator address", Code: command.ExitUsage}
	}
	return c, nil
}

// aroundLinks is what people paste with a link and no id or URL begins or ends
// with.
const aroundLinks = "<>()[]{}\"'`.,:;!?*/…“”„‘’‚«»‹›「」『』【】"

// parseLinkID reads an id, or the URL of a link, which is hashed here: the token
// never leaves this process.
func parseLinkID(arg string) (string, error) {
	given := arg
	arg = strings.TrimFunc(arg, func(r rune) bool {
		return unicode.IsSpace(r) || term.Unprintable(r) || strings.ContainsRune(aroundLinks, r)
	})
	if _, ok := gateway.ParseID(arg); ok {
		return arg, nil
	}
	token := arg
	if u, err := url.Parse(arg); err == nil && u.Host != "" {
		token = strings.TrimPrefix(u.EscapedPath(), "/")
	}
	if gateway.ValidToken(token) {
		return gateway.IDOf(token).String(), nil
	}
	if bucket, key := splitS3(given); bucket != "" {
		filters := "--bucket " + term.ShellWord(bucket)
		switch {
		case strings.HasSuffix(key, "/"):
			filters += " --prefix " + term.ShellWord(key)
		case key != "":
			filters += " --key " + term.ShellWord(key)
		}
		return "", command.Usage("that is an object, or many, and not a link", "keyhole list "+filters+" shows its links, and keyhole revoke takes the same")
	}
	// The argument is not repeated: a part of it may be a token.
	return "", command.Usage("that is neither the id nor the URL of a link",
		"an id has 26 letters and digits (keyhole list shows them); a URL ends in the 22 characters of its token")
}
