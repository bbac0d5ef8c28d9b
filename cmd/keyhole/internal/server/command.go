package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/systemd"
	"keyhole/config"
)

// reloadTimeout is how long a running reload may take after the drain.
const reloadTimeout = 100 * time.Millisecond

// NewCommand builds keyhole serve. examine checks the installation for the console; nil: the
// console has no page about its health. The signals are handled here and not by the server,
// because several servers fit into one process.
func NewCommand(env *command.Env, examine Examiner) *cobra.Command {
	var (
		path  string
		check bool
	)
	cmd := &cobra.Command{
		Use:   "serve --config keyhole.yaml",
		Short: "Run the service",
		Long: `Runs the service until SIGINT or SIGTERM. Then it finishes running requests, within
8 s. A second signal ends it at once. While Redis is unreachable, the service listens
and is not ready.

The service reads the configuration again on SIGHUP and when the file changes. It
applies operator keys, the policy, the storages' credentials, the listeners'
certificates and the recipients' pages at once. Other changes need a restart; the log
names them. A configuration with mistakes changes nothing.`,
		Args: command.ExactArgs(0, "only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// By default SIGHUP ends a program, also while it reads its configuration.
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			path = cmp.Or(path, env.Getenv("KEYHOLE_CONFIG"), "keyhole.yaml")
			load := func() (*config.Config, []config.Warning, error) {
				return config.Load(config.LoadOptions{Path: path, Environ: env.Environ})
			}
			read := stat(path)
			cfg, warnings, err := load()
			if check || err != nil {
				for _, w := range warnings {
					fmt.Fprintf(env.Stderr, "warning: %s\n", w)
				}
			}
			if err != nil {
				return ConfigError(path, err)
			}
			if check {
				_, err := fmt.Fprintf(env.Stdout, "%s: ok\n", path)
				return err
			}
			// By default SIGPIPE ends a program when the reader of its log has ended. With
			// this, the write fails instead. It stays in force, because an error is
			// printed last.
			signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
			log := NewLog(cfg.Log, env.Stderr)
			for _, w := range warnings {
				log.Warn("configuration", "key", w.Path, "warning", w.Message)
			}
			s := New(cfg, log, env.Build)
			s.SetExaminer(examine)
			r := newReloader(path, load, read, s)
			r.manager = systemd.New(env.Getenv, os.Getpid())
			return log.Close(runServer(cmd.Context(), s, r, hangups))
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the configuration file (default $KEYHOLE_CONFIG or keyhole.yaml)")
	cmd.Flags().BoolVar(&check, "check", false, "only check the configuration: print every problem and exit with 0 or 2")
	return cmd
}

// ConfigError returns the error of a command whose configuration file has problems,
// one line for each.
func ConfigError(path string, err error) error {
	var problems config.Problems
	if errors.As(err, &problems) {
		noun := "problems"
		if len(problems) == 1 {
			noun = "problem"
		}
		err = fmt.Errorf("%s: %d %s in the configuration\n%w", path, len(problems), noun, problems)
	}
	hint := "correct the named keys; keyhole serve --check checks the file without starting the service"
	// A file that does not exist has no problems to count.
	if _, missing := os.Stat(path); errors.Is(missing, fs.ErrNotExist) {
		err = fmt.Errorf("the configuration file %s does not exist", path)
		hint = "name the file with --config or in KEYHOLE_CONFIG"
	}
	return &command.Error{Err: err, Hint: hint, Code: command.ExitUsage}
}

// runServer runs a server until ctx ends, then drains and stops it. Meanwhile the reloader
// applies changes of the configuration. The service manager hears of each step.
func runServer(ctx context.Context, s *Server, r *reloader, hangups <-chan os.Signal) error {
	starting, started := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { s.extendStart(starting, r.manager, startExtension) })
	err := s.Start(ctx)
	started()
	background.Wait()
	if err != nil {
		return err
	}
	untilStop, cancel := context.WithCancel(ctx)
	background.Go(func() { r.run(untilStop, hangups) })
	background.Go(func() { warnOfProvider(untilStop, s.configured, s.log.Logger) })
	background.Go(func() { s.keepAlive(untilStop, r.manager) })
	s.report(ctx, r.manager.Ready)
	select {
	case <-ctx.Done():
		s.log.Info("stopping", "drain", DrainTime.String())
		cancel()
		s.report(context.WithoutCancel(ctx), r.manager.Stopping)
		s.Drain()
		timer := time.NewTimer(DrainTime)
		defer timer.Stop()
		<-timer.C
	case err = <-s.Failed():
		cancel()
	}
	ending, done := context.WithTimeout(context.Background(), reloadTimeout)
	defer done()
	if !waitFor(ending, background.Wait) { // the server that it reloads stops next
		s.log.Warn("configuration reload still running; not waiting for it")
	}
	return errors.Join(err, s.Stop())
}
