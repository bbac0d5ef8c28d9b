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
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// From the first signal on, a second one ends the process at once, as it ends any
	// program that does not handle it.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], command.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(),
		Build: command.CurrentBuild(version, revision),
	})
	stop()
	os.Exit(code)
}
