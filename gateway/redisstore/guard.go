package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// go-redis reads the length field of a reply and allocates that size before the data
// arrives. So 20 bytes from a broken server, or from a server that is not Redis, would
// allocate gigabytes. The replies of the scripts are far below these limits.
const (
	maxBulk     = 1 << 20 // bytes of a string
	maxElements = 1 << 16 // elements of an array
	maxDepth    = 8       // nested arrays
	// maxLine is the longest line in bytes. A line is a number, a status, an error or a
	// length; strings with a length are not lines.
	maxLine = 64 << 10
)

// errReply means that a working Redis cannot have sent the reply.
var errReply = errors.New("invalid reply from redis")

// dialFunc opens a connection for go-redis.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// guardReplies returns a dialer whose connections close themselves at a reply that is too
// large.
func guardReplies(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		guarded := &guardedConn{Conn: conn}
		// go-redis checks the socket for unexpected data before it reuses a connection,
		// so the guarded connection must offer syscall.Conn. A TLS connection has no such
		// check.
		if raw, ok := conn.(syscall.Conn); ok {
			return struct {
				*guardedConn
				syscall.Conn
			}{guarded, raw}, nil
		}
		return guarded, nil
	}
}

// dialer returns go-redis' own dialer with guarded connections, unless o accepts long
// replies.
func dialer(o ClientOptions) dialFunc {
	dial := redis.NewDialer(&redis.Options{TLSConfig: o.TLS, DialTimeout: o.Timeout})
	if o.LongReplies {
		return dial
	}
	return guardReplies(dial)
}

// guardedConn is a connection that checks the lengths in every reply.
type guardedConn struct {
	net.Conn

	replies replyGuard
}

// Read implements net.Conn.
func (c *guardedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if wrong := c.replies.follow(p[:n]); wrong != nil {
		_ = c.Close() // The caller gets the error below.
		return 0, wrong
	}
	return n, err
}

// replyGuard parses the bytes of replies, in pieces of any size (Redis documentation,
// "Redis serialization protocol specification"). go-redis uses RESP3 with Sentinels.
type replyGuard struct {
	skip   int64 // remaining bytes of a string and its line end
	line   int   // bytes of the line so far; 0: a new line begins
	kind   byte  // the first byte of the line
	minus  bool  // the number in the line is negative
	number int64 // the number in the line so far

	// open holds for each open array the number of elements that are still missing, the
	// innermost array last.
	open  [maxDepth]int64
	depth int
}

// follow parses the next bytes.
func (g *replyGuard) follow(b []byte) error {
	for len(b) > 0 {
		if g.skip > 0 {
			n := min(g.skip, int64(len(b)))
			g.skip -= n
			b = b[n:]
			if g.skip == 0 {
				g.ended()
			}
			continue
		}
		c := b[0]
		b = b[1:]
		if err := g.next(c); err != nil {
			return err
		}
	}
	return nil
}

// next parses one byte of a line.
func (g *replyGuard) next(c byte) error {
	g.line++
	switch {
	case g.line == 1:
		g.kind, g.number, g.minus = c, 0, false
	case c == '\n':
		g.line = 0
		return g.lineEnded()
	case g.line > maxLine:
		return fmt.Errorf("%w: a line exceeds %d bytes", errReply, maxLine)
	case !g.counted(), c == '\r':
	case g.line == 2 && c == '-':
		g.minus = true
	case c < '0' || c > '9' || g.number > maxBulk:
		return fmt.Errorf("%w: a length is not a number or too large", errReply)
	default:
		g.number = 10*g.number + int64(c-'0')
	}
	return nil
}

// counted reports whether the line holds a length, in bytes or elements.
func (g *replyGuard) counted() bool {
	switch g.kind {
	case '$', '=', '!', '*', '~', '>', '%':
		return true
	}
	return false
}

// lineEnded handles a complete line: it begins a string or an array, or is a value.
func (g *replyGuard) lineEnded() error {
	switch g.kind {
	case '$', '=', '!': // string, verbatim string, long error
		return g.beginString(g.number)
	case '*', '~', '>': // array, set, push
		return g.beginArray(g.number)
	case '%': // map
		return g.beginArray(2 * g.number)
	case '+', '-', ':', '_', '#', ',', '(':
		g.ended()
		return nil
	}
	return fmt.Errorf("%w: it begins with %q", errReply, g.kind)
}

// beginString skips a string and its line end, unless the string is null.
func (g *replyGuard) beginString(length int64) error {
	switch {
	case g.minus:
		g.ended()
	case length > maxBulk:
		return fmt.Errorf("%w: a string exceeds %d bytes", errReply, maxBulk)
	default:
		g.skip = length + 2
	}
	return nil
}

// beginArray opens an array, unless it has no elements.
func (g *replyGuard) beginArray(elements int64) error {
	switch {
	case g.minus || elements == 0:
		g.ended()
	case elements > maxElements || g.depth == maxDepth:
		const format = "%w: an array exceeds %d elements, or arrays are nested more than %d deep"
		return fmt.Errorf(format, errReply, maxElements, maxDepth)
	default:
		g.open[g.depth] = elements
		g.depth++
	}
	return nil
}

// ended counts a complete element, and the arrays that it completes.
func (g *replyGuard) ended() {
	for g.depth > 0 {
		if g.open[g.depth-1]--; g.open[g.depth-1] > 0 {
			return
		}
		g.depth--
	}
}
