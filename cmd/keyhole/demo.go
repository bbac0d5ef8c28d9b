package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"keyhole/config"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// demoFlags is what demo was told.
type demoFlags struct {
	public, operator, s3 string
}

// newDemo builds keyhole demo.
func newDemo(world *surroundings) *cobra.Command {
	f := &demoFlags{}
	cmd := &cobra.Command{
		Use:   "demo [FILE...]",
		Short: "Try the whole product with nothing installed",
		Long: `Runs the service over a Redis and an S3 server inside this process, with two
private buckets, sample objects and your own FILEs, and prints a link for each
FILE, ready to click. The S3 server verifies every signature. Everything is
random and in memory: it is gone when the command ends (Ctrl-C).`,
		Example: "  keyhole demo holiday.jpg",
		RunE: func(cmd *cobra.Command, args []string) error {
			log := newLines(world.stderr, f.log())
			return log.end(f.run(cmd.Context(), world, log, args))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.public, "public", "127.0.0.1:8080", "where recipients' links are answered")
	flags.StringVar(&f.operator, "operator", "127.0.0.1:8081", "where the operator API is answered")
	flags.StringVar(&f.s3, "s3", "127.0.0.1:9000", "where the S3 server answers")
	return cmd
}

// run starts the three servers, shares the files and waits for ctx to end.
func (f *demoFlags) run(ctx context.Context, world *surroundings, written *lines, files []string) error {
	if err := f.checkAddresses(); err != nil {
		return err
	}
	objects, err := demoObjects(files)
	if err != nil {
		return err
	}
	redis, err := startDemoRedis()
	if err != nil {
		return err
	}
	defer redis.Close()
	bucketServer, err := startDemoS3(ctx, f.s3, objects)
	if err != nil {
		return f.nameFlag(err)
	}
	defer bucketServer.close() //nolint:errcheck // the process ends with it

	key := newOperatorKey()
	cfg := f.config(redis.Addr(), bucketServer, key)
	log := newLogger(cfg.Log, written)
	on, err := openListeners(ctx, cfg, log)
	if err != nil {
		return f.nameFlag(err)
	}
	cfg.Public.URL = "http://" + on.public.address() // known only now where the port is 0
	if _, err := cfg.Prepare(); err != nil {
		return errors.Join(err, on.close())
	}
	s, err := start(ctx, cfg, on, log, written)
	if err != nil {
		return errors.Join(err, on.close())
	}
	err = printDemo(ctx, world, cfg.Operator.BaseURL(on.operator.address()), key, objects)
	if err == nil {
		select {
		case <-ctx.Done():
			fmt.Fprintln(world.stderr, "\nStopped; everything is gone.")
		case err = <-s.failed:
		}
	}
	return errors.Join(err, s.stop())
}

// config is what serve would read from a file for the demo's servers, but for
// the public URL.
func (f *demoFlags) config(redis string, bucketServer *demoS3, key string) *config.Config {
	cfg := config.Default()
	cfg.Public.Listen, cfg.Operator.Listen = f.public, f.operator
	operator := config.DefaultOperatorKey()
	operator.Name, operator.SHA256 = "demo", keyHash(key)
	operator.Can = []string{"issue", "read", "revoke", "browse"}
	cfg.Operator.Keys = []config.OperatorKey{operator}
	cfg.Redis.Addresses = []string{redis}
	storage := config.DefaultStorage()
	storage.Name, storage.Endpoint, storage.PathStyle = "demo", "http://"+bucketServer.address, true
	storage.Buckets = []string{demoFiles, demoReports}
	storage.AccessKeyID, storage.SecretAccessKey = bucketServer.accessKey, config.NewSecret(bucketServer.secret)
	cfg.Storage = []config.Storage{storage}
	cfg.Log = f.log()
	return cfg
}

// log is how the demo logs.
func (*demoFlags) log() config.Log { return config.Log{Level: "error", Format: "text"} }

// demoObjects reads the files that are to be shared; without any, a sample is.
func demoObjects(files []string) ([]demoObject, error) {
	objects := demoSamples(time.Now())
	seen := map[string]bool{}
	for _, path := range files {
		info, err := os.Stat(path)
		var content []byte
		if err == nil {
			content, err = os.ReadFile(path) //nolint:gosec // the file that the user named
		}
		if err != nil {
			return nil, usage(fmt.Sprintf("a file cannot be read: %v", err), "give files that exist, or none for a sample")
		}
		name := filepath.Base(path)
		if seen[name] {
			return nil, usage(fmt.Sprintf("two files are called %s", name), "give files with different names")
		}
		seen[name] = true
		objects = append(objects, demoObject{bucket: demoFiles, key: name, content: content, modified: info.ModTime(), share: true})
	}
	if len(files) == 0 {
		objects[0].share = true
	}
	return objects, nil
}

// printDemo issues the links over the operator API, as any operator would, and
// says what to try.
func printDemo(ctx context.Context, world *surroundings, operatorURL, key string, objects []demoObject) error {
	c, err := client.New(operatorURL, key)
	if err != nil {
		return err
	}
	var last api.Link
	for _, o := range objects {
		if !o.share {
			continue
		}
		last, err = c.Issue(ctx, api.IssueRequest{Bucket: o.bucket, Key: o.key})
		if err != nil {
			return err
		}
		fmt.Fprintf(world.stdout, "%s  (%s, until %s)\n", last.URL, plain(o.key), last.ExpiresAt.Local().Format(time.TimeOnly))
	}
	program, err := programName()
	if err != nil {
		return err
	}
	operator := fmt.Sprintf("KEYHOLE_OPERATOR_URL=%s KEYHOLE_KEY=%s %s", operatorURL, key, program)
	_, err = fmt.Fprintf(world.stdout, `
Operator API  %s
Operator key  %s

Try, in another terminal:
  curl -fLOJ %s
  %s share s3://reports/2026/q3-figures.csv --preset handoff
  %s revoke %s

Ctrl-C stops it.
`, operatorURL, key, last.URL, operator, operator, last.ID)
	return err
}

// programName is what a shell can call this program by: its name where it is
// installed, otherwise its path, quoted, under go run too.
func programName() (string, error) {
	const name = "keyhole"
	if _, err := exec.LookPath(name); err == nil {
		return name, nil
	}
	path, err := os.Executable()
	return shellWord(path), err
}
