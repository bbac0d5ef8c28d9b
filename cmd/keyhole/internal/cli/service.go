package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/contexts"
	"keyhole/config"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// service is the address that a command uses and the source of its key. urlFrom and keyFrom
// name the flag, variable or context that set them.
type service struct {
	url, urlFrom string
	// key is used if keyFile is empty. Both are empty if the service is asked without a key.
	key, keyFile, keyFrom string
}

// inContext is the beginning of urlFrom and keyFrom if a context named them; the name of
// the context follows.
const inContext = "the context "

// service finds the service and the key, in this order: flags; the context of --context;
// KEYHOLE_OPERATOR_URL and KEYHOLE_KEY, if one of them is set; the context of
// KEYHOLE_CONTEXT, else the current one; the default address. Address and key of a context
// belong together: its key goes to another address only if --context was given too.
func (f *operatorFlags) service(env *command.Env) (service, error) {
	s, err := f.address(env)
	if err != nil {
		return s, err
	}
	// The address is decided first, because only it tells whether a context's key applies.
	switch {
	case f.keyFile != "":
		// Messages name the source of a wrong key, never its text.
		s.key, s.keyFile, s.keyFrom = "", f.keyFile, "the key file "+f.keyFile
	case s.keyFrom != "": // the context's
	default:
		s.key, s.keyFrom = env.Getenv("KEYHOLE_KEY"), "KEYHOLE_KEY"
		if strings.TrimSpace(s.key) == "" {
			return s, f.noKey(env)
		}
	}
	f.used = s
	return s, nil
}

// address finds the address of the service. If a context names the address, address also
// returns the key of that context.
func (f *operatorFlags) address(env *command.Env) (service, error) {
	// The flag goes first, so that one command can use another service than the shell.
	given := service{url: f.url, urlFrom: cmp.Or(f.urlFlag, "--operator-url")}
	if f.url != "" && f.keyFile != "" && f.context == "" {
		return given, nil // no context is needed, so do not fail because of a mistake in the file
	}
	chosen, found, err := f.chosenContext(env)
	switch {
	case err != nil:
		return service{}, err
	case found:
		from := inContext + chosen.Name
		s := service{url: chosen.URL, urlFrom: from, key: chosen.Key, keyFile: chosen.KeyFile, keyFrom: from}
		if f.url == "" || f.context != "" || strings.TrimSuffix(f.url, "/") == strings.TrimSuffix(chosen.URL, "/") {
			s.url, s.urlFrom = cmp.Or(f.url, s.url), from
			if f.url != "" {
				s.urlFrom = given.urlFrom
			}
			return s, nil
		}
		// The key of the context is not for this address.
		return given, nil
	case f.url != "":
		return given, nil
	}
	if url := env.Getenv("KEYHOLE_OPERATOR_URL"); url != "" {
		return service{url: url, urlFrom: "KEYHOLE_OPERATOR_URL"}, nil
	}
	return service{url: defaultOperatorURL, urlFrom: "default"}, nil
}

// chosenContext returns the context that names the service, if one does.
func (f *operatorFlags) chosenContext(env *command.Env) (chosen contexts.Context, found bool, err error) {
	name, from := f.context, "--context"
	if name == "" {
		name, from = env.Getenv("KEYHOLE_CONTEXT"), "KEYHOLE_CONTEXT"
		// The variables name a service on their own. A part from a context would send the key
		// of one service to another.
		if env.Getenv("KEYHOLE_OPERATOR_URL")+env.Getenv("KEYHOLE_KEY") != "" {
			if name != "" {
				fmt.Fprintln(env.Stderr, "warning: KEYHOLE_CONTEXT is ignored, because KEYHOLE_OPERATOR_URL or KEYHOLE_KEY is set")
			}
			return chosen, false, nil
		}
	}
	path, err := contexts.Path(env.Getenv)
	if err != nil {
		// Without a name, a missing home is no mistake.
		if name == "" {
			return chosen, false, nil // a service or a container has no home and no contexts
		}
		return chosen, false, contextError(err, nil, name)
	}
	all, err := contexts.Load(path)
	if err != nil {
		return chosen, false, contextError(err, nil, "")
	}
	if name == "" {
		name = all.Current
	}
	if name == "" {
		return chosen, false, nil
	}
	if chosen, err = all.Find(name); err != nil {
		return chosen, false, contextError(fmt.Errorf("%s is %q: %w", from, name, err), all, name)
	}
	return chosen, true, nil
}

// contextError adds a hint to an error about the client configuration. name is the context
// that the user named, and all holds the existing contexts; all may be nil.
func contextError(err error, all *contexts.Config, name string) error {
	hint, code := "your user must be able to write the file and its directory", command.ExitFailed
	wide, isWide := errors.AsType[*contexts.ModeError](err)
	switch {
	case isWide:
		hint, code = fmt.Sprintf("chmod %o %s", wide.Want, term.ShellWord(wide.Path)), command.ExitUsage
	case errors.Is(err, contexts.ErrInvalid):
		hint = "correct the file, or remove it and add the contexts again: keyhole context add NAME --url URL"
		code = command.ExitUsage
	case errors.Is(err, contexts.ErrNoDirectory):
		hint, code = "set HOME, or use KEYHOLE_OPERATOR_URL and KEYHOLE_KEY instead of a context", command.ExitUsage
	case errors.Is(err, contexts.ErrLocked):
		hint = "try again"
	case errors.Is(err, contexts.ErrExists):
		hint, code = "use another name, or replace it with --replace", command.ExitUsage
	case errors.Is(err, contexts.ErrUnknown):
		hint, code = nearContext(all, name), command.ExitUsage
	}
	return &command.Error{Err: err, Hint: hint, Code: code}
}

// nearContext returns the hint of an unknown context: the nearest one, or all of them.
func nearContext(all *contexts.Config, name string) string {
	if near := config.Nearest(name, all.Names()); near != "" {
		return "did you mean " + near + "?"
	}
	if len(all.Contexts) > 0 {
		return "the contexts are " + strings.Join(all.Names(), ", ")
	}
	return "there are no contexts yet; add one: keyhole context add NAME --url URL"
}

// noKey returns the error of a command without an operator key. It names every way to
// configure one, because a new user knows none of them.
func (f *operatorFlags) noKey(env *command.Env) error {
	first := "save the service once: keyhole context add NAME --url URL (the command asks for the key)"
	quiet := &command.Env{Stderr: io.Discard, Environ: env.Environ}
	if chosen, found, err := f.chosenContext(quiet); err == nil && found {
		// --operator-url names another service than the context.
		first = fmt.Sprintf("the key of the context %s is only for %s; to send it to --operator-url, add --context %s",
			chosen.Name, hostOnly(chosen.URL), chosen.Name)
	} else if names := contextNames(env); len(names) > 0 {
		first = "choose a context: --context NAME, KEYHOLE_CONTEXT or keyhole context use NAME; NAME is " +
			strings.Join(names, ", ")
		if env.Getenv("KEYHOLE_OPERATOR_URL") != "" {
			first = "KEYHOLE_OPERATOR_URL is set, so a context needs --context NAME; NAME is " + strings.Join(names, ", ")
		}
	} else if env.Getenv("KEYHOLE_OPERATOR_URL") == "" {
		first = "no service yet? keyhole init configures one on this machine\nor " + first
	}
	return command.Usage("no operator key", first+"\n"+
		"or set KEYHOLE_KEY to an operator key, and KEYHOLE_OPERATOR_URL to the address of the service (default "+
		defaultOperatorURL+")\n"+
		"or pass the flags --key-file FILE and --operator-url URL")
}

// contextNames returns the names of all contexts. It returns none if they cannot be read,
// because its callers offer them and need none.
func contextNames(env *command.Env) []string {
	path, err := contexts.Path(env.Getenv)
	if err != nil {
		return nil
	}
	all, err := contexts.Load(path)
	if err != nil {
		return nil
	}
	return all.Names()
}

// client returns a client with the address and the key.
func (s *service) client(env *command.Env) (*client.Client, error) {
	if s.keyFile != "" {
		text, err := readSecretFile(env.Stderr, "key file", s.keyFile, 4*maxKey)
		if err != nil {
			hint := "name a readable file with one operator key in --key-file"
			if strings.HasPrefix(s.keyFrom, inContext) {
				name := strings.TrimPrefix(s.keyFrom, inContext)
				hint = s.keyFrom + " names it; replace it: keyhole context add " + name + " --replace --url URL --key-file FILE"
			}
			return nil, command.Usage(fmt.Sprintf("cannot read the key file: %v", err), hint)
		}
		s.key = text
	}
	key, err := parseKey(s.key, s.keyFrom)
	if err != nil {
		return nil, err
	}
	return s.connect(key)
}

// connect returns a client with the address and a key, which may be empty.
func (s *service) connect(key string) (*client.Client, error) {
	c, err := client.New(s.url, key)
	if err != nil {
		return nil, wrongAddress(err, s.urlFrom, s.url)
	}
	return c, nil
}

// consoleURL returns the address of a link's page in the console of the service.
func (s *service) consoleURL(link *api.Link) string {
	return strings.TrimRight(s.url, "/") + "/console/links/" + link.ID
}

// parseKey returns the key in a text. Files end with a line break, and shells may add one.
// The key goes into a header: other text must neither be sent nor repeated in the error,
// which names only its source.
func parseKey(text, from string) (string, error) {
	key := strings.TrimSpace(text)
	if len(key) > maxKey || !visibleASCII.MatchString(key) || strings.Contains(key, "://") {
		return "", command.Usage(from+" does not contain exactly one operator key",
			"it must contain only the line that keyhole key new prints to standard output, such as khk_...")
	}
	return key, nil
}
