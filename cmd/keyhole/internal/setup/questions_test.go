package setup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
)

// person is a terminal at which somebody answers the questions of init.
type person struct {
	t      *testing.T
	keys   *os.File // what the person types goes in here
	tty    *os.File
	screen chan string // gets everything that was shown, after leave
	normal term.State  // of the terminal before the command
}

// endOfScreen ends what a terminal shows. The command does not print it.
const endOfScreen = '\x00'

// sit opens a terminal whose person has typed a text in advance.
func sit(t *testing.T, typed string) *person {
	t.Helper()
	keys, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	p := &person{t: t, keys: keys, tty: tty, screen: make(chan string, 1)}
	p.normal = p.state()
	p.typeIn(typed)
	// The kernel echoes in its own time. An echo in the middle of a question would hide it from a
	// test.
	echo := make([]byte, len(strings.NewReplacer("\x04", "", "\n", "\r\n").Replace(typed)))
	if _, err := io.ReadFull(keys, echo); err != nil {
		t.Fatal(err)
	}
	go func() {
		// After endOfScreen, nothing is shown. Without it, reading ends with EIO.
		text, _ := bufio.NewReader(keys).ReadString(endOfScreen)
		p.screen <- strings.TrimSuffix(text, string(endOfScreen))
	}()
	return p
}

// state returns the state of the terminal.
func (p *person) state() term.State {
	p.t.Helper()
	state, err := term.GetState(int(p.tty.Fd()))
	if err != nil {
		p.t.Fatal(err)
	}
	return *state
}

// typeIn types a text.
func (p *person) typeIn(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.keys, text); err != nil {
		p.t.Fatal(err)
	}
}

// waitHidden waits until the terminal no longer shows what is typed.
func (p *person) waitHidden() {
	p.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for reflect.DeepEqual(p.state(), p.normal) {
		if time.Now().After(deadline) {
			p.t.Fatal("the terminal shows the secret")
		}
		time.Sleep(time.Millisecond)
	}
}

// leave closes the terminal and returns what it has shown. Linux can lose what nobody has read
// when a terminal is closed, so everything is read before.
func (p *person) leave() string {
	p.t.Helper()
	if !reflect.DeepEqual(p.state(), p.normal) {
		p.t.Error("the terminal stays changed")
	}
	if _, err := p.tty.Write([]byte{endOfScreen}); err != nil {
		p.t.Error(err)
	}
	shown := <-p.screen
	if err := p.tty.Close(); err != nil {
		p.t.Error(err)
	}
	return shown
}

// begin runs init at a terminal with further variables, and returns the channel of its
// error and its standard output.
func (p *person) begin(ctx context.Context, directory string, environ ...string) (<-chan error, *bytes.Buffer) {
	p.t.Helper()
	return p.beginWith(ctx, []string{"--directory", directory, "--bucket", "reports"}, environ...)
}

// beginWith is begin with other flags. A question that nobody answers ends the command.
func (p *person) beginWith(ctx context.Context, args []string, environ ...string) (<-chan error, *bytes.Buffer) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	p.t.Cleanup(cancel)
	home, ended, stdout := p.t.TempDir(), make(chan error, 1), &bytes.Buffer{}
	cmd := NewCommand(&command.Env{Stdin: p.tty, Stdout: stdout, Stderr: p.tty, Environ: append([]string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + home, "USER=ada",
	}, environ...)})
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(args)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	return ended, stdout
}

// A person is asked for what the environment lacks. The secret is not shown, and nothing
// but the next commands goes to standard output.
func TestAsks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		environ    []string
		id, secret string // what the person types
		wantID     string
	}{
		"both":        {nil, " typed-id \n", " typed-canary \n", "typed-id"},
		"the secret":  {[]string{"AWS_ACCESS_KEY_ID=env-id"}, "", "typed-canary\n", "env-id"},
		"another key": {[]string{"AWS_SECRET_ACCESS_KEY=env-canary"}, "typed-id\n", "typed-canary\n", "typed-id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, directory := sit(t, tt.id), filepath.Join(t.TempDir(), "d")
			ended, stdout := p.begin(t.Context(), directory, tt.environ...)
			p.waitHidden()
			p.typeIn(tt.secret)
			if err := <-ended; err != nil {
				t.Error(err)
			}
			text := p.leave()
			if asked := strings.Contains(text, "Access key ID: "); asked != (tt.id != "") {
				t.Errorf("the access key ID was asked for: %t\n%s", asked, text)
			}
			if !strings.Contains(text, "Secret access key (not shown): ") || strings.Contains(text, "canary") {
				t.Errorf("the terminal shows\n%s", text)
			}
			if strings.Contains(stdout.String(), ": ") || strings.Contains(stdout.String(), "canary") {
				t.Errorf("standard output is %q", stdout)
			}
			storage := load(t, directory).Storage[0]
			if storage.AccessKeyID != tt.wantID || storage.SecretAccessKey.Reveal() != "typed-canary" {
				t.Errorf("the credentials are %q and another secret", storage.AccessKeyID)
			}
		})
	}
}

// Empty answers are refused. An interrupt ends each question. Nothing is written, and the
// terminal is as before.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		id, secret string
		interrupt  bool
		want       string
	}{
		"no id":            {"\n", "typed-canary\n", false, "the credentials of the storage are empty"},
		"no secret":        {"typed-id\n", "\n", false, "the credentials of the storage are empty"},
		"end of the input": {"\x04", "", false, "read the access key ID: EOF"},
		"interrupt first":  {"", "", true, "read the access key ID: context canceled"},
		"interrupt second": {"typed-id\n", "", true, "read the secret access key: context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, directory := sit(t, tt.id), filepath.Join(t.TempDir(), "d")
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			ended, _ := p.begin(ctx, directory)
			if strings.HasSuffix(tt.id, "\n") {
				p.waitHidden()
				p.typeIn(tt.secret)
			}
			if tt.interrupt {
				interrupt()
			}
			if err := <-ended; err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, want %q", err, tt.want)
			}
			// The reading that an interrupt leaves behind ends with its terminal.
			if tt.interrupt && !reflect.DeepEqual(p.state(), p.normal) {
				t.Error("the terminal stays changed")
			}
			if !tt.interrupt && strings.Contains(p.leave(), "canary") {
				t.Error("the terminal shows the secret")
			}
			if _, err := os.Lstat(directory); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the directory was made: %v", err)
			}
		})
	}
}

// Without --bucket, a person is asked for the buckets and the S3 server, and for the region
// only of AWS. What a flag or a variable has is not asked.
func TestAsksForStorage(t *testing.T) {
	t.Parallel()
	const askEndpoint, askRegion = "URL of the S3 server (empty for AWS): ", "Region (empty for us-east-1): "
	for name, tt := range map[string]struct {
		args, environ []string
		typed         string
		asked, silent []string // parts of the questions
		want          config.Storage
	}{
		"a server": {
			typed: "reports  exports \nhttp://127.0.0.1:9000\n", asked: []string{askEndpoint}, silent: []string{askRegion},
			want: config.Storage{
				Endpoint: "http://127.0.0.1:9000", Region: "us-east-1", PathStyle: true, Buckets: []string{"reports", "exports"},
			},
		},
		"aws": {
			typed: "reports\n\neu-central-1\n", asked: []string{askEndpoint, askRegion},
			want: config.Storage{Region: "eu-central-1", Buckets: []string{"reports"}},
		},
		"aws by default": {
			typed: "reports\n\n\n", asked: []string{askEndpoint, askRegion},
			want: config.Storage{Region: "us-east-1", Buckets: []string{"reports"}},
		},
		"a flag": {
			args: []string{"--endpoint", "https://s3.example.com"}, typed: "reports\n",
			silent: []string{askEndpoint, askRegion},
			want:   config.Storage{Endpoint: "https://s3.example.com", Region: "us-east-1", Buckets: []string{"reports"}},
		},
		"variables": {
			environ: []string{"AWS_ENDPOINT_URL=https://s3.example.com", "AWS_REGION=eu-1"}, typed: "reports\n",
			silent: []string{askEndpoint, askRegion},
			want:   config.Storage{Endpoint: "https://s3.example.com", Region: "eu-1", Buckets: []string{"reports"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, directory := sit(t, tt.typed), filepath.Join(t.TempDir(), "d")
			environ := append([]string{"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret"}, tt.environ...)
			ended, stdout := p.beginWith(t.Context(), append([]string{"--directory", directory}, tt.args...), environ...)
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			text := p.leave()
			for _, part := range append(tt.asked, "Bucket (separate several with spaces): ") {
				if !strings.Contains(text, part) {
					t.Errorf("%q was not asked:\n%s", part, text)
				}
			}
			for _, part := range tt.silent {
				if strings.Contains(text, part) {
					t.Errorf("%q was asked:\n%s", part, text)
				}
			}
			if !strings.HasSuffix(stdout.String(), "\nkeyhole share s3://reports/KEY\n") {
				t.Errorf("standard output is %q", stdout)
			}
			got := load(t, directory).Storage[0]
			if got.Endpoint != tt.want.Endpoint || got.Region != tt.want.Region || got.PathStyle != tt.want.PathStyle ||
				!slices.Equal(got.Buckets, tt.want.Buckets) {
				t.Errorf("the storage is %+v", got)
			}
		})
	}
}

// Temporary credentials are refused before the first question.
func TestTemporaryCredentialsAskNothing(t *testing.T) {
	t.Parallel()
	p, directory := sit(t, ""), filepath.Join(t.TempDir(), "d")
	ended, _ := p.beginWith(t.Context(), []string{"--directory", directory}, "AWS_SESSION_TOKEN=canary")
	if err := <-ended; err == nil || !strings.HasPrefix(err.Error(), "AWS_SESSION_TOKEN is set: ") {
		t.Fatalf("the error is %v", err)
	}
	if text := p.leave(); text != "" {
		t.Errorf("it asks:\n%s", text)
	}
}

// A bucket that is wrong, or none, ends the questions at once.
func TestWrongBucketTyped(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"\n": "the bucket is empty", "s3://reports\n": "--bucket s3://reports must be the name of a bucket",
		"\x04": "read the bucket: EOF",
	} {
		p, directory := sit(t, typed), filepath.Join(t.TempDir(), "d")
		ended, _ := p.beginWith(t.Context(), []string{"--directory", directory})
		if err := <-ended; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Fatalf("%q: %v", typed, err) // A question that still waits keeps the terminal open.
		}
		if text := p.leave(); strings.Contains(text, "URL of the S3 server") {
			t.Errorf("%q: the questions go on:\n%s", typed, text)
		}
		if _, err := os.Lstat(directory); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory was made: %v", err)
		}
	}
}
