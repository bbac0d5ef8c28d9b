package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
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

// defaultOperatorURL is the address at which serve and demo listen for operators by
// default.
const defaultOperatorURL = "http://127.0.0.1:8081"

// operatorFlags name the service and the operator key. The key itself is never a flag:
// other users of the machine can read the arguments of a process.
type operatorFlags struct {
	url     string  // empty: see service
	keyFile string  // empty: see service
	context string  // empty: see service
	urlFlag string  // the flag that sets url; empty: --operator-url
	used    service // of the last client; messages name its context
}

// add adds the flags to a command that has its RunE already.
func (f *operatorFlags) add(cmd *cobra.Command) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.nameContext(run(cmd, args)) }
	cmd.Flags().StringVar(&f.url, "operator-url", "",
		"the service's operator address (default $KEYHOLE_OPERATOR_URL or the context's, else "+defaultOperatorURL+")")
	cmd.Flags().StringVar(&f.keyFile, "key-file", "",
		"file with the operator key (default: the key in $KEYHOLE_KEY or the context's)")
	f.addContext(cmd)
}

// addContext adds the flag --context. NewRoot sets its completion.
func (f *operatorFlags) addContext(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.context, "context", "",
		"use this context (default $KEYHOLE_CONTEXT or the current one; see keyhole context)")
}

// client returns a client with the address and key that service finds. It sends no
// request, so a wrong key is found by the first command that needs it.
func (f *operatorFlags) client(env *command.Env) (*client.Client, error) {
	s, err := f.service(env)
	if err != nil {
		return nil, err
	}
	return s.client(env)
}

// nameContext adds to an error that a wrong key or address can cause the context that the
// key or address is from, and how to use another one: the person sees only the command, and
// may have forgotten which context is the current one.
func (f *operatorFlags) nameContext(err error) error {
	refused, isRefused := errors.AsType[*client.Error](err)
	what, from, url := "key", f.used.keyFrom, "URL"
	switch {
	case isRefused && refused.Status == http.StatusUnauthorized:
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, client.ErrUnreachable), errors.Is(err, client.ErrNotKeyhole):
		what, from = "address", f.used.urlFrom
	default:
		return err
	}
	name, is := strings.CutPrefix(from, inContext)
	if !is {
		return err
	}
	// A wrong key leaves the address as it is; a wrong address must be typed.
	if what == "key" && f.used.urlFrom == from {
		url = term.ShellWord(f.used.url)
	}
	code, hint := exitCodeAndHint(err)
	return &command.Error{Err: err, Code: code, Hint: hint + "\n" +
		"the " + what + " is from " + from + "; to use another: keyhole context list, then --context NAME\n" +
		"to replace it: keyhole context add " + name + " --replace --url " + url}
}

// maxKey is the length of the longest key, in bytes. The token of an identity provider
// is much longer than a key of key new.
const maxKey = 16 << 10

// visibleASCII matches a key: one word. Keys that other programs have made are allowed.
var visibleASCII = regexp.MustCompile(`^[!-~]+$`)

// open returns a client, and the id of the link that arg names for the command at path. The
// argument is checked first, so that a mistyped one is reported without a key.
func (f *operatorFlags) open(ctx context.Context, env *command.Env, path, arg string) (*client.Client, string, error) {
	id, err := parseLinkID(arg)
	if err != nil {
		return nil, "", f.refuseReference(ctx, env, path, []string{arg}, err)
	}
	c, err := f.client(env)
	return c, id, err
}

// connect returns a client without a key, for the address of the flags, the environment or
// the context.
func (f *operatorFlags) connect(env *command.Env) (*client.Client, error) {
	if f.url != "" && f.context == "" {
		s := service{url: f.url, urlFrom: cmp.Or(f.urlFlag, "--operator-url")}
		return s.connect("")
	}
	s, err := f.address(env)
	if err != nil {
		return nil, err
	}
	f.used = s
	return s.connect("")
}

// wrongAddress returns the error of an address that from has set and client.New refuses.
func wrongAddress(err error, from, base string) error {
	hint := "set --operator-url or KEYHOLE_OPERATOR_URL to scheme, host and port of the operator API"
	if name, is := strings.CutPrefix(from, inContext); is {
		hint = "replace it: keyhole context add " + name + " --replace --url URL, with scheme, host and port"
	}
	return &command.Error{
		Err: fmt.Errorf("%s is %q: %w", from, hostOnly(base), err), Hint: withScheme(base) + hint, Code: command.ExitUsage,
	}
}

// withScheme proposes an address that only lacks its scheme, for the begin of a hint. It is
// empty for other mistakes.
func withScheme(base string) string {
	_, wrong := client.New("http://"+base, "")
	if wrong != nil || hostOnly(base) != base || strings.Contains(base, "://") {
		return ""
	}
	return "did you mean http://" + base + "? "
}

// hostOnly returns a mistyped address for a message. User, path, query and a token of a
// link are replaced by "…", because they may be secret.
func hostOnly(base string) string {
	scheme, rest, found := strings.Cut(base, "://")
	if !found {
		scheme, rest = "", base
	} else {
		scheme += "://"
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 && rest != rest[:end]+"/" {
		rest = rest[:end] + rest[end:end+1] + "…"
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = "…" + rest[at:]
	}
	if gateway.ValidToken(strings.TrimSuffix(rest, "/")) {
		rest = "…"
	}
	return scheme + rest
}

// aroundLinks are characters that people often copy together with a link. No ID or URL
// begins or ends with one of them.
const aroundLinks = "<>()[]{}\"'`.,:;!?*/…“”„‘’‚«»‹›「」『』【】"

// trimLink removes characters that were copied together with a link.
func trimLink(arg string) string {
	return strings.TrimFunc(arg, func(r rune) bool {
		return unicode.IsSpace(r) || term.Unprintable(r) || strings.ContainsRune(aroundLinks, r)
	})
}

// parseLinkID returns the ID of a link that is named by its ID or its URL. It hashes the
// token of a URL, so the token does not leave this process.
func parseLinkID(arg string) (string, error) {
	given := arg
	arg = trimLink(arg)
	if _, ok := gateway.ParseID(arg); ok {
		return arg, nil
	}
	// The argument is a token or a URL that ends with one.
	token := arg
	if u, err := url.Parse(arg); err == nil && u.Host != "" {
		token = strings.TrimPrefix(u.EscapedPath(), "/")
	}
	if gateway.ValidToken(token) {
		return gateway.IDOf(token).String(), nil
	}
	if bucket, key := splitS3(given); bucket != "" {
		// Links to an object, or to everything below a prefix, are selected by filters.
		filters := "--bucket " + term.ShellWord(bucket)
		switch {
		case strings.HasSuffix(key, "/"):
			filters += " --prefix " + term.ShellWord(key)
		case key != "":
			filters += " --key " + term.ShellWord(key)
		}
		return "", command.Usage("this is an object or a prefix, not a link",
			"keyhole list "+filters+" lists its links; keyhole revoke takes the same filters")
	}
	// The argument is not repeated, because a part of it may be a token.
	return "", command.Usage("this is neither the ID nor the URL of a link",
		"an ID has 26 letters and digits (see keyhole list); a URL ends with a token of 22 characters")
}
