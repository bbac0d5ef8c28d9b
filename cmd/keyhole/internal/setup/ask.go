package setup

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
)

// question asks on the terminal and returns the answer without white space around it. The
// questions go to standard error: standard output has the next commands only.
//
// A terminal passes on one line for each read, so the reader takes nothing that belongs to
// the next question.
func question(ctx context.Context, env *command.Env, text, what string) (string, error) {
	fmt.Fprint(env.Stderr, text)
	line, err := term.ReadLine(ctx, bufio.NewReader(env.Stdin))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	return strings.TrimSpace(line), nil
}

// askBucket asks for the buckets. It checks them at once, before the next question.
func (f *flags) askBucket(ctx context.Context, env *command.Env) error {
	answer, err := question(ctx, env, "Bucket (separate several with spaces): ", "the bucket")
	if err != nil {
		return err
	}
	if f.buckets = strings.Fields(answer); len(f.buckets) == 0 {
		return command.Usage("the bucket is empty", "type the name of a bucket that links may point into, such as reports")
	}
	return (&flags{buckets: f.buckets, region: "us-east-1", publicURL: f.publicURL}).check()
}

// askEndpoint asks for the S3 server. check refuses a wrong answer after the last question,
// because the region belongs to it.
func (f *flags) askEndpoint(ctx context.Context, env *command.Env) (err error) {
	f.endpoint, err = question(ctx, env, "URL of the S3 server (empty for AWS): ", "the endpoint")
	return err
}

// askRegion asks for the region. Only AWS refuses a signature for another one.
func (f *flags) askRegion(ctx context.Context, env *command.Env) (err error) {
	f.region, err = question(ctx, env, "Region (empty for us-east-1): ", "the region")
	return err
}

// refuseTemporary refuses credentials that end by themselves, before any question.
func refuseTemporary(env *command.Env) error {
	if env.Getenv("AWS_SESSION_TOKEN") == "" {
		return nil
	}
	return command.Usage("AWS_SESSION_TOKEN is set: these credentials are temporary, and the service cannot renew them",
		"set the access key of a user for this service, without AWS_SESSION_TOKEN")
}

// credentials takes the credentials of the storage from the environment, or asks for them.
func (a *answers) credentials(ctx context.Context, env *command.Env) error {
	a.accessKey = strings.TrimSpace(env.Getenv("AWS_ACCESS_KEY_ID"))
	a.secret = strings.TrimSpace(env.Getenv("AWS_SECRET_ACCESS_KEY"))
	if a.accessKey != "" && a.secret != "" {
		return nil
	}
	// A pipe could feed the secret of another program by mistake, so only a person is asked.
	if !term.IsTerminal(env.Stdin) {
		return command.Usage("the credentials of the storage are missing",
			"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run the command on a terminal")
	}
	return a.askCredentials(ctx, env)
}

// askCredentials asks for the missing credentials. The secret is not shown, because people
// share screens.
func (a *answers) askCredentials(ctx context.Context, env *command.Env) error {
	if a.accessKey == "" {
		// Without its access key, the secret of the environment says nothing.
		var err error
		if a.accessKey, err = question(ctx, env, "Access key ID: ", "the access key ID"); err != nil {
			return err
		}
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
