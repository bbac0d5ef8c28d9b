// Command keyhole issues short links to objects in private S3-compatible
// buckets, redirects clicks on them to presigned URLs that live for seconds, and
// takes them back.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"keyhole/cmd/keyhole/internal/command"
)

// version and revision are set by the linker in released builds.
var version, revision string //nolint:gochecknoglobals // -ldflags -X needs variables

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		// From the first signal on, a second one ends the process at once, as it ends any
		// program that does not handle it. So this comes before anything that the end of
		// the context starts.
		signal.Stop(signals)
		cancel()
	}()
	os.Exit(run(ctx, os.Args[1:], command.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(),
		Build: command.CurrentBuild(version, revision),
	}))
}
