package redisstore

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestReplyGuard parses replies in pieces of every size, and refuses a reply as soon as
// its length is too large.
func TestReplyGuard(t *testing.T) {
	nested := func(depth int) string { return strings.Repeat("*1\r\n", depth) + ":1\r\n" }
	good := map[string]string{
		"status, error, number": "+OK\r\n-ERR no\r\n:-12\r\n",
		"strings":               "$0\r\n\r\n$-1\r\n$5\r\n*9\r\n\n\r\n$1\r\n\x00\r\n",
		"arrays":                "*0\r\n*-1\r\n*3\r\n:1\r\n*2\r\n$1\r\na\r\n+b\r\n$-1\r\n+OK\r\n",
		"RESP3": "%2\r\n+a\r\n#t\r\n$1\r\nb\r\n_\r\n~1\r\n,1.5\r\n=5\r\ntxt:a\r\n" +
			"!1\r\nx\r\n(12\r\n>1\r\n:1\r\n%0\r\n",
		"the largest string": fmt.Sprintf("$%d\r\n%s\r\n+OK\r\n", maxBulk, strings.Repeat("x", maxBulk)),
		"the most elements": fmt.Sprintf("*%d\r\n", maxElements) + strings.Repeat(":1\r\n",
			maxElements) + nested(maxDepth),
		"the deepest": nested(maxDepth) + nested(maxDepth),
	}
	for name, reply := range good {
		for _, size := range []int{1, 2, 3, 7, len(reply)} {
			var g replyGuard
			for rest := reply; rest != ""; {
				piece := rest[:min(size, len(rest))]
				rest = rest[len(piece):]
				if err := g.follow([]byte(piece)); err != nil {
					t.Fatalf("%s in pieces of %d: %v", name, size, err)
				}
			}
			if g != (replyGuard{kind: g.kind, number: g.number, minus: g.minus, open: g.open}) {
				t.Errorf("%s in pieces of %d: the guard is within a reply at its end: %+v", name, size, g)
			}
		}
	}
	for name, reply := range map[string]string{
		"a string of 6 GiB":     "$6442450944\r\n",
		"a string too long":     fmt.Sprintf("$%d\r\n", maxBulk+1),
		"a length that is huge": "$99999999999999999999999999999999\r\n",
		"too many elements":     fmt.Sprintf("*%d\r\n", maxElements+1),
		"too deep":              nested(maxDepth + 1),
		"a length of no digits": "$1x\r\n",
		"another protocol":      "HTTP/1.1 400 Bad Request\r\n",
		"a line without end":    "+" + strings.Repeat("x", maxLine+1),
	} {
		var g replyGuard
		if err := g.follow([]byte(reply)); !errors.Is(err, errReply) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReplyGuard parses arbitrary bytes as a whole and in two pieces, with the same
// result.
func FuzzReplyGuard(f *testing.F) {
	f.Add([]byte("*2\r\n$1\r\na\r\n:1\r\n"), 3)
	f.Add([]byte("$6442450944\r\n"), 5)
	f.Fuzz(func(t *testing.T, reply []byte, at int) {
		at = max(0, min(at, len(reply)))
		var whole, pieces replyGuard
		want := whole.follow(reply)
		got := errors.Join(pieces.follow(reply[:at]), pieces.follow(reply[at:]))
		if (want == nil) != (got == nil) || want == nil && whole != pieces {
			t.Errorf("whole: %v, in pieces: %v", want, got)
		}
	})
}

// TestHostileLengths answers every kind of client with lengths of gigabytes: each call
// fails, and allocates next to nothing.
func TestHostileLengths(t *testing.T) {
	for name, reply := range map[string]string{
		"a string": "$6442450944\r\n",
		"an array": "*402653184\r\n",
		"arrays":   strings.Repeat("*65536\r\n", 6000),
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = listener.Close() })
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					_, _ = conn.Write([]byte(reply))
				}
			}()
			o := ClientOptions{Addresses: []string{listener.Addr().String()}, Timeout: time.Second, MasterName: "m"}
			for mode, build := range map[string]func(ClientOptions, int) redis.UniversalClient{
				ModeSingle: single, ModeSentinel: sentinel, ModeCluster: cluster,
			} {
				c := build(o, 1)
				t.Cleanup(func() { _ = c.Close() })
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := c.Do(t.Context(), "get", "k").Err()
				runtime.ReadMemStats(&after)
				if err == nil {
					t.Errorf("%s: no error", mode)
				}
				if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
					t.Errorf("%s: %d MiB were allocated", mode, grown>>20)
				}
			}
		})
	}
}
