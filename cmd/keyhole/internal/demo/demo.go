package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/inprocess"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/cmd/keyhole/internal/server"
	"keyhole/config"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// demoFlags are the addresses of the demo's three servers, host:port.
type demoFlags struct {
	public, operator, s3 string
	examine              server.Examiner
}

// NewCommand builds keyhole demo. It starts no other program and writes no file.
func NewCommand(env *command.Env, examine server.Examiner) *cobra.Command {
	f := &demoFlags{examine: examine}
	cmd := &cobra.Command{
		Use:   "demo [FILE...]",
		Short: "Try Keyhole with nothing installed",
		Long: `Runs the service with a Redis and an S3 server in the same process. There are two
private buckets with sample objects. The command puts your FILEs into one of them and
prints a link for each, ready to click. The S3 server verifies every signature.
Everything is random and in memory, and is gone when the command ends (Ctrl-C).`,
		Example: "  keyhole demo holiday.jpg",
		RunE: func(cmd *cobra.Command, args []string) error {
			log := server.NewLog(demoLog(), env.Stderr)
			return log.Close(f.run(cmd.Context(), env, log, args))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.public, "public", "127.0.0.1:8080", "address of the listener for recipients")
	flags.StringVar(&f.operator, "operator", "127.0.0.1:8081", "address of the operator API")
	flags.StringVar(&f.s3, "s3", "127.0.0.1:9000", "address of the S3 server")
	return cmd
}

// run starts the three servers, shares the files and waits for the end of ctx. The order
// matters: the storage comes first, because the service checks it when it starts, and the
// addresses are opened before the service starts, because its URL contains the port.
func (f *demoFlags) run(ctx context.Context, env *command.Env, log *server.Log, files []string) error {
	if err := f.checkAddresses(); err != nil {
		return err
	}
	objects, shared, err := objectsOf(files)
	if err != nil {
		return err
	}
	redis, err := inprocess.StartRedis()
	if err != nil {
		return err
	}
	// Redis and the storage close after the service has stopped, because the service still
	// writes the events of the last clicks.
	defer redis.Close()
	storage, err := inprocess.StartS3(ctx, f.s3, []string{filesBucket, reportsBucket}, objects)
	if err != nil {
		return f.nameFlag(err)
	}
	defer storage.Close()

	key := operatorkey.New()
	cfg := f.config(redis.Addr(), storage, key)
	s := server.New(cfg, log, env.Build)
	s.SetExaminer(f.examine)
	if err := s.Listen(ctx); err != nil {
		return f.nameFlag(err)
	}
	cfg.Public.URL = "http://" + s.PublicAddr() // with port 0 it is known only now
	if _, err := cfg.Prepare(); err != nil {
		return errors.Join(err, s.Stop())
	}
	signIn := s.SignInOnce(key)
	if err := s.Start(ctx); err != nil {
		return err
	}
	err = printDemo(ctx, env, cfg.Operator.BaseURL(s.OperatorAddr()), key, signIn, shared)
	if err == nil {
		select {
		case <-ctx.Done():
			fmt.Fprintln(env.Stderr, "\nStopped; everything is gone.")
		case err = <-s.Failed(): // a listener ended, so the printed links may not work
		}
	}
	return errors.Join(err, s.Stop())
}

// config returns the configuration that serve would read from a file, without the
// public URL, which contains a port that is known only after listening. The operator key
// may do everything, because the demo has only one operator.
func (f *demoFlags) config(redis string, s3 *inprocess.S3, key string) *config.Config {
	cfg := config.Default()
	cfg.Public.Listen, cfg.Operator.Listen = f.public, f.operator
	operator := config.DefaultOperatorKey()
	operator.Name, operator.SHA256 = "demo", operatorkey.Hash(key)
	operator.Can = []string{"issue", "read", "revoke", "browse"}
	cfg.Operator.Keys = []config.OperatorKey{operator}
	// Everything else has the default that serve has, so the demo shows the product. Only the
	// time limits differ: servers in this process are late if the machine is busy, never away.
	cfg.Redis.Addresses, cfg.Redis.Timeout = []string{redis}, 10*time.Second
	storage := config.DefaultStorage()
	storage.Name, storage.Endpoint, storage.PathStyle = "demo", "http://"+s3.Address, true
	storage.Buckets, storage.Timeout = []string{filesBucket, reportsBucket}, 10*time.Second
	storage.AccessKeyID, storage.SecretAccessKey = s3.AccessKey, config.NewSecret(s3.Secret)
	cfg.Storage = []config.Storage{storage}
	cfg.Pages.Organization = "Keyhole demo"
	cfg.Log = demoLog()
	return cfg
}

// demoLog returns the log configuration of the demo. Only errors are logged, so that the
// printed links stay in view.
func demoLog() config.Log { return config.Log{Level: "error", Format: "text"} }

// printDemo issues the links through the operator API, as every operator does, and
// prints the console and commands to try. signIn is the path of the page that signs in.
func printDemo(
	ctx context.Context, env *command.Env, operatorURL, key, signIn string, shared []inprocess.Object,
) error {
	// The links come from the operator API, so the printed commands are known to work.
	c, err := client.New(operatorURL, key)
	if err != nil {
		return err
	}
	var last api.Link
	for _, o := range shared {
		if last, err = c.Issue(ctx, api.IssueRequest{Bucket: o.Bucket, Key: o.Key}); err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "%s  (%s, until %s)\n", last.URL, term.Plain(o.Key),
			last.ExpiresAt.Local().Format(time.TimeOnly))
	}
	program, err := programName()
	if err != nil {
		return err
	}
	// The variables are on the line of each command, so that it works in any terminal and
	// leaves nothing in the shell of the user.
	operator := fmt.Sprintf("KEYHOLE_OPERATOR_URL=%s KEYHOLE_KEY=%s %s", operatorURL, key, program)
	_, err = fmt.Fprintf(env.Stdout, `
Console       %s%s
              (signs one browser in, within 10 minutes)
Operator API  %s
Operator key  %s

Try, in another terminal:
  curl -fLOJ %s
  %s share s3://reports/2026/q3-figures.csv --preset handoff
  %s revoke %s

Ctrl-C stops it.
`, operatorURL, signIn, operatorURL, key, last.URL, operator, operator, last.ID)
	return err
}

// programName returns how a shell can call this program: by its name if it is
// installed, otherwise by its quoted path, also under go run.
func programName() (string, error) {
	// The printed commands are copied and read, so the short name is better where it works.
	const name = "keyhole"
	if _, err := exec.LookPath(name); err == nil {
		return name, nil
	}
	path, err := os.Executable()
	return term.ShellWord(path), err
}
