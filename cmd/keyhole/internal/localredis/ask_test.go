package localredis

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// answering listens on the socket of a new directory. It answers each command of a client
// with the next of the answers, and further commands with none.
func answering(t *testing.T, answers ...string) (socket string) {
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
			in := make([]byte, 4<<10)
			for _, answer := range answers {
				if _, err := conn.Read(in); err != nil {
					break // The client has seen enough.
				}
				_, _ = io.WriteString(conn, answer) // The client may be gone.
			}
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

// isTimeout tells whether a question was not answered in time.
func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// Every reply that is none of the expected ones is an error: a wrong process ID could end
// another process. The first answer is that to the handshake.
func TestProcessOf(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"$30\r\n# Server\r\nprocess_id:17\r\ntcp:0\r\n": "",
		"$8\r\n# Server\r\n":                            "redis does not report its process ID",
		"$14\r\nprocess_id:-17\r\n":                     "redis does not report its process ID",
		"-LOADING Redis is loading\r\n":                 "LOADING",
		"-NOPERM no\r\n":                                "NOPERM",
		":17\r\n":                                       "redis: unexpected type",
		"$-1\r\n":                                       "redis: nil",
		"$x\r\n":                                        "",
		"$31\r\nab":                                     "",
		"\r\n":                                          "",
	} {
		socket := answering(t, "-ERR unknown command 'HELLO'\r\n", "+OK\r\n", answer)
		right := strings.Contains(answer, "process_id:17")
		pid, err := processOf(t.Context(), socket)
		for range 10 { // On a busy machine, the answer can be too late.
			if isTimeout(err) && (right || want != "") {
				pid, err = processOf(t.Context(), socket)
			}
		}
		if right {
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
	if _, err := ask(t.Context(), answering(t), "PING"); !isTimeout(err) {
		t.Errorf("without an answer: %v", err)
	}
	if took := time.Since(begun); took < askTimeout || took > askTimeout+10*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := ask(t.Context(), filepath.Join(t.TempDir(), "none"), "PING"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a socket: %v", err)
	}
}
