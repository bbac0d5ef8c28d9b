package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// The directories of the deb and rpm packages. The shipped systemd unit lets the service
// write only to /var/lib/keyhole, so its Redis cannot keep its data beside the configuration.
const (
	packageDirectory = "/etc/keyhole"
	packageRedis     = "/var/lib/keyhole/redis"
)

// flags are the flags of init.
type flags struct {
	directory, endpoint, region, publicURL string
	buckets                                []string
	noRegion                               bool // nobody named a region
}

// NewCommand builds keyhole init.
func NewCommand(env *command.Env) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:        "init [--bucket BUCKET]...",
		SuggestFor: []string{"setup", "install", "configure"},
		Short:      "Write the first configuration of a service on this machine",
		Long: `Writes keyhole.yaml, an operator key and the secret of your storage into a directory,
and a client context, so that keyhole share works on this machine at once. Only you can
read the files. It overwrites nothing.

The credentials of the storage come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
Temporary credentials are refused, because the service could not renew them. On a
terminal, the command asks for missing credentials. Without --bucket, it also asks for
the bucket and the endpoint.

If redis-server 7.0 or newer, or valkey-server, is installed, the service will start a
Redis of its own (redis.mode local). Otherwise it will use the one at 127.0.0.1:6379.

In /etc/keyhole it configures the service of the deb and rpm packages: Redis keeps its
data in /var/lib/keyhole/redis, and the next commands start the service with systemd.`,
		Example: `  keyhole init --bucket reports --region eu-central-1
  keyhole init --bucket reports --endpoint http://127.0.0.1:9000 --public-url https://dl.example.com`,
		Args: command.ExactArgs(0, "only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), env) },
	}
	cmd.Flags().StringVar(&f.directory, "directory", ".", "where to write the files; made if it does not exist")
	cmd.Flags().StringArrayVar(&f.buckets, "bucket", nil, "a bucket that links may point into; may be repeated")
	cmd.Flags().StringVar(&f.endpoint, "endpoint", "",
		"the URL of the S3 server (default $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL or AWS)")
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
	noRedis          string   // why local is false
	made             []string // the directories that write made, the deepest first
}

// run makes the files. It checks everything that can be checked before it writes anything,
// so that a mistake costs the user nothing but a second call.
func (f *flags) run(ctx context.Context, env *command.Env) error {
	if len(f.buckets) == 0 && !term.IsTerminal(env.Stdin) {
		return command.Usage("--bucket is missing", "name each bucket that links may point into, such as --bucket reports")
	}
	client, err := contexts.Path(env.Getenv)
	if err != nil {
		return &command.Error{Err: err, Hint: "set HOME; keyhole share needs a file there", Code: command.ExitFailed}
	}
	// A broken client configuration must be found before the service's files are there.
	known, err := contexts.Load(client)
	if err != nil {
		return err
	}
	directory, err := f.usableDirectory()
	if err != nil {
		return err
	}
	if err := refuseTemporary(env); err != nil {
		return err
	}
	if err := f.complete(ctx, env); err != nil {
		return err
	}
	a := &answers{flags: *f, keyName: operatorName(env), key: operatorkey.New(), pathStyle: needsPathStyle(f.endpoint)}
	a.directory = directory
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

// usableDirectory returns the absolute path of the directory, because the service, Redis
// and the context find the files from any working directory. It refuses a directory with
// one of the files, and one that cannot be written: nobody should type a secret in vain.
func (f *flags) usableDirectory() (string, error) {
	directory, err := filepath.Abs(f.directory)
	if err != nil {
		return "", err
	}
	if err := refuseExisting(directory); err != nil {
		return "", err
	}
	return directory, checkWritable(directory)
}

// complete fills in what the flags leave open, from questions and from the variables of the
// AWS SDK, which users expect to count here too. Then it checks all of it.
func (f *flags) complete(ctx context.Context, env *command.Env) error {
	asks := len(f.buckets) == 0
	if asks {
		if err := f.askBucket(ctx, env); err != nil {
			return err
		}
	}
	f.endpoint = cmp.Or(f.endpoint, env.Getenv("AWS_ENDPOINT_URL_S3"), env.Getenv("AWS_ENDPOINT_URL"))
	if asks && f.endpoint == "" {
		if err := f.askEndpoint(ctx, env); err != nil {
			return err
		}
	}
	region, err := awsRegion(f)
	if err != nil {
		return err
	}
	f.region = cmp.Or(region, f.region, env.Getenv("AWS_REGION"), env.Getenv("AWS_DEFAULT_REGION"))
	if asks && f.region == "" && f.endpoint == "" {
		if err := f.askRegion(ctx, env); err != nil {
			return err
		}
	}
	// An S3 server that knows no regions accepts every name; us-east-1 is the usual one.
	f.noRegion = f.region == ""
	f.region = cmp.Or(f.region, "us-east-1")
	return f.check()
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
func (a *answers) redisDirectory() string {
	if a.directory == packageDirectory {
		return packageRedis
	}
	return filepath.Join(a.directory, "redis")
}

// operatorName returns the name of the operator key. It is the name of the user, because
// events and lists show it; a name that the configuration would refuse is replaced. Under
// sudo, the user is the one who called it.
func operatorName(env *command.Env) string {
	name := cmp.Or(env.Getenv("SUDO_USER"), env.Getenv("USER"))
	if name == "" || config.CheckOperatorKey(validKey(name)) != nil {
		return defaultOperator
	}
	return name
}

// defaultOperator is the name of an operator whose own name is unknown or invalid.
const defaultOperator = "operator"

// validKey returns an entry of the configuration in which only the name can be wrong.
func validKey(name string) config.OperatorKey {
	key := config.DefaultOperatorKey()
	key.Name, key.SHA256, key.Can = name, operatorkey.Hash(operatorkey.New()), []string{"issue"}
	return key
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
	var existing []string
	for _, name := range files() {
		path := filepath.Join(directory, name)
		// A symbolic link that leads nowhere is a file of the user too.
		if _, err := os.Lstat(path); err == nil {
			existing = append(existing, path)
		}
	}
	switch len(existing) {
	case 0:
		return nil
	case 1:
		return command.Usage(existing[0]+" exists already; nothing was written",
			"choose another --directory, or move the file away")
	}
	return command.Usage(strings.Join(existing, ", ")+" exist already; nothing was written",
		"the directory has a configuration already; for another service, choose another --directory")
}
