package localredis

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every reply that is none of the expected ones is an error: a wrong process ID could end
// another process.
func TestReply(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"+PONG\r\n":           "PONG",
		"$5\r\na\r\nbc\r\n":   "a\r\nbc",
		"$0\r\n\r\n":          "",
		"-ERR no\r\n":         `an unexpected reply of Redis: "-ERR no"`,
		"-LOADING later\r\n":  errLoading.Error(),
		":1\r\n":              "an unexpected reply",
		"$-1\r\n":             "an unexpected reply",
		"$x\r\n":              "an unexpected reply",
		"$1048577\r\n":        "an unexpected reply",
		"$5\r\nab":            io.ErrUnexpectedEOF.Error(),
		"+PON":                io.EOF.Error(),
		"\r\n":                "an unexpected reply",
		"":                    io.EOF.Error(),
		"$3\r\nabcdefgh\r\n":  "abc",
		"+two words\r\n+no\n": "two words",
	} {
		got, err := reply(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// answering listens on the socket of a new directory and sends one answer to each client.
func answering(t *testing.T, answer string) (socket string) {
	t.Helper()
	o, _ := options(t)
	if err := os.Mkdir(o.Directory, 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", Socket(o.Directory))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // The test has ended.
			}
			_, _ = io.WriteString(conn, answer) // The client may be gone.
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	return Socket(o.Directory)
}

func TestProcessOf(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"+OK\r\n$31\r\n# Server\r\nprocess_id:17\r\ntcp:0\r\n": "",
		"+OK\r\n$8\r\n# Server\r\n":                            "redis does not say its process id",
		"+OK\r\n$14\r\nprocess_id:-17\r\n":                     "redis does not say its process id",
		"-LOADING Redis is loading\r\n":                        errLoading.Error(),
		"-WRONGPASS invalid\r\n":                               "an unexpected reply",
	} {
		pid, err := processOf(t.Context(), answering(t, answer))
		if want == "" {
			if err != nil || pid != 17 {
				t.Errorf("%q: %d, %v", answer, pid, err)
			}
		} else if err == nil || pid != 0 || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %d, %v, want %q", answer, pid, err, want)
		}
	}
}

// A question ends in a bounded time, also if nobody answers or listens.
func TestAskEnds(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	if _, err := ask(t.Context(), answering(t, ""), "PING"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("without an answer: %v", err)
	}
	if took := time.Since(begun); took < askTimeout || took > askTimeout+10*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := ask(t.Context(), filepath.Join(t.TempDir(), "none"), "PING"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a socket: %v", err)
	}
}
