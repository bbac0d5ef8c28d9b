package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/localredis"
	"keyhole/cmd/keyhole/internal/server"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// stepTimeout bounds one step of a move, such as 256 keys. It is longer than redis.timeout,
// because nobody waits for a click.
const stepTimeout = 30 * time.Second

// stopTimeout bounds the end of the local Redis.
const stopTimeout = 5 * time.Second

// NewCommand builds keyhole redis, the group of the command move.
func NewCommand(env *command.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "redis",
		Short: "Move all links to another Redis",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return command.Usage(fmt.Sprintf("unknown command %q", args[0]), "did you mean: keyhole redis move")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMove(env))
	return cmd
}

// longHelp is the description of keyhole redis move.
const longHelp = `Moves everything from the Redis of redis.mode local to the Redis of another
configuration: one server, behind Sentinel, or a cluster. Stop the service first, and
start it with the other configuration afterwards. Every link, revocation, event, session
and expiry stays as it is.

The other Redis must have no keys with the prefix of the service. If the move is
interrupted, repeat it: every service refuses an incomplete copy. After a move, no service
starts on the old directory.

During the move, the user of the service at the other Redis needs two more commands:
ACL SETUSER keyhole +scan +restore.`

// newMove builds keyhole redis move.
func newMove(env *command.Env) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:        "move --config keyhole.yaml --to new.yaml",
		SuggestFor: []string{"migrate", "copy", "export", "import"},
		Short:      "Move all links from the local Redis to another Redis",
		Long:       longHelp,
		Args:       command.ExactArgs(0, "only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), env, cmp.Or(from, env.Getenv("KEYHOLE_CONFIG"), "keyhole.yaml"), to)
		},
	}
	cmd.Flags().StringVar(&from, "config", "",
		"the configuration with the local Redis (default $KEYHOLE_CONFIG or keyhole.yaml)")
	cmd.Flags().StringVar(&to, "to", "", "the configuration with the other Redis")
	return cmd
}

// run moves the data between the Redis of two configurations. It checks everything that it
// can before it starts the local Redis.
func run(ctx context.Context, env *command.Env, from, to string) error {
	if to == "" {
		return command.Usage("--to is missing",
			"copy the configuration, set redis in the copy to the other Redis, and name the copy with --to")
	}
	source, err := load(env, from)
	if err != nil {
		return err
	}
	target, err := load(env, to)
	if err != nil {
		return err
	}
	if err := compatible(&source.Redis, &target.Redis, from, to); err != nil {
		return err
	}
	begun := time.Now()
	// SIGINT ends ctx: the copy stays incomplete, and the local Redis stops as usual.
	keys, err := move(ctx, env, source, target)
	if err != nil {
		return failed(err, target.Redis.Username)
	}
	_, err = fmt.Fprintf(env.Stdout, "moved %d keys in %s; start the service with %s\n", keys,
		time.Since(begun).Round(time.Millisecond), to)
	return err
}

// compatible returns an error unless data can be moved between two settings of Redis. from
// and to are the paths of their configurations. Only the lock of a local Redis proves that
// no service uses the source. A variable such as KEYHOLE_REDIS_MODE applies to both files.
func compatible(source, target *config.Redis, from, to string) error {
	switch {
	case source.Mode != config.RedisLocal:
		return command.Usage(
			fmt.Sprintf("redis.mode in %s is %s; only the data of mode local can be moved", from, source.Mode),
			"name the configuration with the local Redis with --config")
	case target.Mode == config.RedisLocal:
		return command.Usage("redis.mode in "+to+" is local", "set redis in it to the other Redis")
	case source.Prefix != target.Prefix:
		// The keys keep their names, so a service with another prefix would not find them.
		return command.Usage(
			fmt.Sprintf("redis.prefix is %s in one configuration and %s in the other", source.Prefix, target.Prefix),
			"set the same redis.prefix in both")
	}
	return nil
}

// load reads a configuration. It drops the warnings: serve logs them at its next start.
func load(env *command.Env, path string) (*config.Config, error) {
	cfg, _, err := config.Load(config.LoadOptions{Path: path, Environ: env.Environ})
	if err != nil {
		return nil, server.ConfigError(path, err)
	}
	return cfg, nil
}

// move starts the local Redis and copies its data. While a service runs, it holds the lock
// of the directory, so the local Redis does not start. The local Redis ends with the move.
func move(ctx context.Context, env *command.Env, source, target *config.Config) (keys int, err error) {
	// A warning is the only trace of a half-written command that Redis drops. The lines of
	// Redis itself are no warnings here: every start has some, and those that matter are
	// returned as errors.
	log := slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	redisstore.LogTo(slog.New(slog.DiscardHandler)) // Errors are returned.
	local, err := localredis.Start(ctx, localredis.Options{
		Directory: source.Redis.Directory, Prefix: source.Redis.Prefix, Logger: log,
		MaxMemory: int64(source.Redis.MaxMemory) << 20, Commands: []string{"scan", "dump"}, Retired: true, Quiet: true,
	})
	if err != nil {
		return 0, err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, local.Stop(stopping))
	}()
	return copyTo(ctx, source.Redis.Directory, target, log)
}

// copyTo copies the data of the local Redis that runs in a directory to the Redis of a
// configuration, and retires the directory as soon as the copy is complete.
func copyTo(ctx context.Context, directory string, target *config.Config, log *slog.Logger) (int, error) {
	from, err := redisstore.Connect(redisstore.ClientOptions{
		Mode: redisstore.ModeSingle, Addresses: []string{localredis.Socket(directory)},
		Username: localredis.Username, Password: localredis.Password, Timeout: stepTimeout,
		// A stream of events is one value of a megabyte and more.
		LongReplies: true,
	})
	if err != nil {
		return 0, err
	}
	defer func() { _ = from.Close() }() // no request is running
	target.Redis.Timeout = stepTimeout
	// The store needs metrics. Nobody reads these.
	metrics := gateway.NewMetrics(prometheus.NewRegistry(), gateway.MetricsOptions{})
	client, store, err := server.OpenStore(target, metrics, log)
	if err != nil {
		return 0, err
	}
	defer func() { _ = client.Close() }() // no request is running
	// A service may have revoked links at the other Redis since the directory was retired.
	retiredBy, err := localredis.RetiredBy(directory)
	if err != nil {
		return 0, err
	}
	return store.CopyFrom(ctx, from, retiredBy, func(mark string) error {
		return localredis.Retire(directory, strings.Join(target.Redis.Addresses, ", "), mark)
	})
}

// failed returns the error of the command: what to do about the reasons that are known. user
// is the user at the target. Redis reports its reasons only as text. A repeat begins again
// or, after the source was retired, finishes the move.
func failed(err error, user string) error {
	known := &command.Error{
		Err: fmt.Errorf("the links were not moved: %w", err), Code: command.ExitFailed,
		Hint: "nothing is lost: correct the cause and repeat the command",
	}
	text := err.Error()
	local, isLocal := errors.AsType[*localredis.Error](err)
	configuration, isConfiguration := errors.AsType[*command.Error](err)
	switch {
	case isLocal:
		known.Hint, known.Code = local.Do, command.ExitUsage
	case isConfiguration: // It has advice of its own.
		return configuration
	// After a complete move, a repeat finds the service's own data.
	case errors.Is(err, redisstore.ErrUsed):
		known.Hint = "use an empty Redis, or set another redis.prefix in both configurations; if an earlier move is " +
			"complete, start the service with the other configuration; a prefix that begins with redis.prefix and a " +
			"colon counts too"
	case errors.Is(err, redisstore.ErrRetired): // Before ErrMoveDiffers, which it can wrap.
		known.Hint = "start the service with the Redis that has the links since the earlier move; to move the old data " +
			"again, remove the file moved in redis.directory, repeat the command, and revoke again the links that were " +
			"revoked since"
	// Before the texts of Redis: their hints do not say that the service must not start yet.
	case errors.Is(err, redisstore.ErrUnfinished):
		known.Hint = "correct the cause and repeat the command before you start the service; the old directory is " +
			"already retired"
	case errors.Is(err, redisstore.ErrClocks):
		known.Hint = "repair NTP on the machine whose clock is wrong, and repeat the command; with a wrong clock, links " +
			"end too early"
	case errors.Is(err, redisstore.ErrNothingToMove):
		known.Hint = "check redis.directory and redis.prefix; if no service ever ran there, nothing has to be moved"
	case errors.Is(err, redisstore.ErrEvicting):
		known.Hint = "set maxmemory-policy noeviction in the other Redis"
	case errors.Is(err, redisstore.ErrMoveDiffers), errors.Is(err, redisstore.ErrMoving):
		known.Hint = "make sure that no service and no other move uses either Redis, and repeat the command"
	case strings.Contains(text, "NOPERM"):
		known.Hint = "run this as an administrator at each server of the other Redis, and repeat the command: " +
			"ACL SETUSER " + cmp.Or(user, "default") + " +scan +restore"
	case strings.Contains(text, "DUMP payload version"):
		known.Hint = "the other Redis is older than the local one: use the same or a newer version"
	case strings.Contains(text, "OOM"):
		known.Hint = "raise maxmemory of the other Redis, and repeat the command"
	}
	return known
}
