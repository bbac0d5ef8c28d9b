// Command keyhole issues short links to objects in private S3-compatible
// buckets, redirects clicks on them to presigned URLs that live for seconds, and
// takes them back.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// From the first signal on, a second one ends the process at once, as it ends any
	// program that does not handle it.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], surroundings{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(),
	})
	stop()
	os.Exit(code)
}
