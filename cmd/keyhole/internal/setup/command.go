package setup

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/contexts"
	"keyhole/cmd/keyhole/internal/localredis"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
)

// flags are the flags of init.
type flags struct {
	directory, endpoint, region, publicURL string
	buckets                                []string
}

// NewCommand builds keyhole init.
func NewCommand(env *command.Env) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:        "init --bucket BUCKET",
		SuggestFor: []string{"setup", "install", "configure"},
		Short:      "Write the first configuration of a service on this machine",
		Long: `Writes keyhole.yaml, an operator key and the secret of your storage into a directory,
and a client context, so that keyhole share works on this machine at once. Only you can
read the files. It overwrites nothing.

The credentials of the storage come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or
are asked for on a terminal. Temporary credentials are refused, because the service could
not renew them.

If redis-server 7.0 or newer is installed, the service will start a Redis of its own
(redis.mode local). Otherwise it will use the one at 127.0.0.1:6379.`,
		Example: `  keyhole init --bucket reports --region eu-central-1
  keyhole init --bucket reports --endpoint http://127.0.0.1:9000 --public-url https://dl.example.com`,
		Args: command.ExactArgs(0, "only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), env) },
	}
	cmd.Flags().StringVar(&f.directory, "directory", ".", "where to write the files; made if it does not exist")
	cmd.Flags().StringArrayVar(&f.buckets, "bucket", nil, "a bucket that links may point into; may be repeated")
	cmd.Flags().StringVar(&f.endpoint, "endpoint", "", "the URL of the S3 server (default AWS)")
	cmd.Flags().StringVar(&f.region, "region", "", "the region (default $AWS_REGION, $AWS_DEFAULT_REGION or us-east-1)")
	cmd.Flags().StringVar(&f.publicURL, "public-url", "http://127.0.0.1:8080", "the beginning of every link")
	return cmd
}

// answers is everything that the configuration depends on.
type answers struct {
	flags

	keyName, key     string // of the operator
	accessKey        string
	secret           string
	local, pathStyle bool
	noRedis          string // why local is false
	made             bool   // whether write made the directory
}

// run makes the files. It checks everything that can be checked before it writes anything,
// so that a mistake costs the user nothing but a second call.
func (f *flags) run(ctx context.Context, env *command.Env) error {
	if len(f.buckets) == 0 {
		return command.Usage("--bucket is missing", "name each bucket that links may point into, such as --bucket reports")
	}
	client, err := contexts.Path(env.Getenv)
	if err != nil {
		return err
	}
	// A broken client configuration must be found before the service's files are there.
	known, err := contexts.Load(client)
	if err != nil {
		return err
	}
	a, err := f.answers(env)
	if err != nil {
		return err
	}
	redis, err := a.findRedis(ctx)
	if err != nil {
		return err
	}
	if err := a.credentials(ctx, env); err != nil {
		return err
	}
	if err := a.write(); err != nil {
		return err
	}
	added, err := a.addContext(ctx, client, known)
	if err != nil {
		return errors.Join(err, a.undo(files()))
	}
	a.report(env, redis, known.Current, added)
	return nil
}

// answers returns what the flags and the environment answer without a question.
func (f *flags) answers(env *command.Env) (*answers, error) {
	// The service, Redis and the context find the files from any working directory.
	directory, err := filepath.Abs(f.directory)
	if err != nil {
		return nil, err
	}
	if err := refuseExisting(directory); err != nil {
		return nil, err
	}
	a := &answers{flags: *f, keyName: operatorName(env), key: operatorkey.New(), pathStyle: isAddress(f.endpoint)}
	a.directory = directory
	// The SDK of AWS reads both variables, so the user expects that they count here too. An
	// S3 server that knows no regions accepts every name; us-east-1 is the usual one.
	a.region = cmp.Or(f.region, env.Getenv("AWS_REGION"), env.Getenv("AWS_DEFAULT_REGION"), "us-east-1")
	return a, nil
}

// findRedis decides whether the service starts a Redis of its own.
//
// The socket's path is the tightest limit of the machine, so it is checked here, with the
// flag's name. The server's check names the key of the configuration.
func (a *answers) findRedis(ctx context.Context) (localredis.Program, error) {
	redis, err := localredis.Find(ctx)
	if a.local = err == nil; !a.local {
		a.noRedis = err.Error()
	}
	if a.local && len(a.redisDirectory()) > localredis.MaxDirectory {
		return redis, command.Usage(fmt.Sprintf("%s has more than %d bytes, the limit for the directory of Redis",
			a.redisDirectory(), localredis.MaxDirectory), "choose a shorter --directory")
	}
	return redis, nil
}

// addContext adds a context for the service to the client configuration, makes it the
// current one and returns its name. Other contexts stay: the user may have other services.
func (a *answers) addContext(ctx context.Context, path string, known *contexts.Config) (string, error) {
	added := contexts.Context{
		Name: freeName(known), URL: "http://" + config.Default().Operator.Listen,
		KeyFile: filepath.Join(a.directory, keyFile),
	}
	return added.Name, contexts.Update(ctx, path, func(c *contexts.Config) error {
		return errors.Join(c.Add(added, false), c.Use(added.Name))
	})
}

// redisDirectory is where a Redis of the service keeps its data.
func (a *answers) redisDirectory() string { return filepath.Join(a.directory, "redis") }

// report says what was written, and the next two commands.
func (a *answers) report(env *command.Env, redis localredis.Program, before, name string) {
	fmt.Fprintf(env.Stderr, "Wrote %s\n", term.Plain(a.directory))
	for _, file := range files() {
		fmt.Fprintf(env.Stderr, "  %s\n", file)
	}
	if a.local {
		fmt.Fprintf(env.Stderr, "Redis    %s %s, started by the service (redis.mode local)\n", redis.Name, redis.Version)
	} else {
		// An old redis-server is named, because a user who has one installed expects its use.
		fmt.Fprintf(env.Stderr, "Redis    127.0.0.1:6379, which you have to run: %s\n", term.Plain(a.noRedis))
	}
	fmt.Fprintf(env.Stderr, "Context  %s, now the current one", name)
	if before != "" {
		fmt.Fprintf(env.Stderr, " (before: %s)", before)
	}
	path := term.ShellWord(filepath.Join(a.directory, configFile))
	fmt.Fprintf(env.Stderr, "\n\nNext, and the second command in another terminal:\n")
	// Only the commands go to standard output, so that a script can run them.
	fmt.Fprintf(env.Stdout, "keyhole serve --config %s\nkeyhole share %s\n", path,
		term.ShellWord("s3://"+a.buckets[0]+"/KEY"))
}

// credentials takes the credentials of the storage from the environment, or asks for them.
func (a *answers) credentials(ctx context.Context, env *command.Env) error {
	if env.Getenv("AWS_SESSION_TOKEN") != "" {
		return command.Usage("AWS_SESSION_TOKEN is set: these credentials are temporary, and the service cannot renew them",
			"set the access key of a user for this service, without AWS_SESSION_TOKEN")
	}
	a.accessKey, a.secret = env.Getenv("AWS_ACCESS_KEY_ID"), env.Getenv("AWS_SECRET_ACCESS_KEY")
	if a.accessKey != "" && a.secret != "" {
		return nil
	}
	// A pipe could feed the secret of another program by mistake, so only a person is asked.
	if !term.IsTerminal(env.Stdin) {
		return command.Usage("the credentials of the storage are missing",
			"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run the command on a terminal")
	}
	return a.ask(ctx, env)
}

// ask asks for the missing credentials on the terminal. The secret is not shown, because
// people share screens. The questions go to standard error: standard output has the next
// commands only.
func (a *answers) ask(ctx context.Context, env *command.Env) error {
	if a.accessKey == "" {
		// Without its access key, the secret of the environment says nothing.
		fmt.Fprint(env.Stderr, "Access key ID: ")
		line, err := term.ReadLine(ctx, bufio.NewReader(env.Stdin))
		if err != nil {
			return fmt.Errorf("read the access key ID: %w", err)
		}
		a.accessKey = strings.TrimSpace(line)
	}
	fmt.Fprint(env.Stderr, "Secret access key (not shown): ")
	secret, err := term.ReadSecret(ctx, env.Stdin)
	fmt.Fprintln(env.Stderr) // The terminal did not show the line break either.
	if err != nil {
		return fmt.Errorf("read the secret access key: %w", err)
	}
	if a.secret = strings.TrimSpace(secret); a.accessKey == "" || a.secret == "" {
		return command.Usage("the credentials of the storage are empty", "type the access key ID and its secret")
	}
	return nil
}

// operatorName returns the name of the operator key. It is the name of the user, because
// events and lists show it; a name that the configuration would refuse is replaced.
func operatorName(env *command.Env) string {
	entry := config.DefaultOperatorKey()
	// Only the name is in question. The rest of the entry has to be valid.
	entry.Name, entry.SHA256, entry.Can = env.Getenv("USER"), operatorkey.Hash(operatorkey.New()), []string{"issue"}
	if entry.Name == "" || config.CheckOperatorKey(entry) != nil {
		return "operator"
	}
	return entry.Name
}

// isAddress tells whether the host of an endpoint is an IP address or this machine. A
// bucket cannot be a part of such a name.
func isAddress(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err == nil || strings.EqualFold(u.Hostname(), "localhost")
}

// freeName returns a name that no context has: a second service on this machine must not
// take the first one's place.
func freeName(c *contexts.Config) string {
	name := "local"
	for i := 2; ; i++ {
		if _, err := c.Find(name); err != nil {
			return name
		}
		name = fmt.Sprintf("local-%d", i)
	}
}

// refuseExisting refuses to write over any file.
func refuseExisting(directory string) error {
	for _, name := range files() {
		path := filepath.Join(directory, name)
		// A symbolic link that leads nowhere is a file of the user too.
		if _, err := os.Lstat(path); err == nil {
			return command.Usage(path+" exists already; nothing was written",
				"choose another --directory, or move the file away")
		}
	}
	return nil
}
