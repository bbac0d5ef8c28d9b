package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// go-redis allocates what the length fields of a reply announce, before anything of
// it has arrived: 20 bytes from a server that is none, or is broken, would take
// gigabytes. No reply of the scripts comes near these limits.
const (
	maxBulk     = 1 << 20 // bytes of one string
	maxElements = 1 << 16 // of one array
	maxDepth    = 8       // arrays within arrays
	// maxLine is the longest line that is no string of a length: a number, a status,
	// an error.
	maxLine = 64 << 10
)

// errReply means that a reply is not one that Redis gives here.
var errReply = errors.New("not a reply of redis")

// dialFunc opens a connection, as go-redis asks for it.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// guardReplies returns a dialer whose connections end at a reply that is too large.
func guardReplies(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		guarded := &guardedConn{Conn: conn}
		// Before go-redis uses a connection again, it looks at the socket for what
		// should not be there. It cannot with TLS.
		if raw, ok := conn.(syscall.Conn); ok {
			return struct {
				*guardedConn
				syscall.Conn
			}{guarded, raw}, nil
		}
		return guarded, nil
	}
}

// dialer returns how go-redis connects by itself, guarded.
func dialer(o ClientOptions) dialFunc {
	return guardReplies(redis.NewDialer(&redis.Options{TLSConfig: o.TLS, DialTimeout: o.Timeout}))
}

// guardedConn is a connection of which every reply is followed as it is read.
type guardedConn struct {
	net.Conn

	replies replyGuard
}

// Read implements net.Conn.
func (c *guardedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if wrong := c.replies.follow(p[:n]); wrong != nil {
		_ = c.Close() // What is wrong is said.
		return 0, wrong
	}
	return n, err
}

// replyGuard follows the replies on a connection (Redis documentation, "Redis
// serialization protocol specification"), in whatever pieces they come. go-redis asks
// Sentinels by RESP3.
type replyGuard struct {
	skip   int64 // bytes left of a string and its line end
	line   int   // bytes of the line so far; 0: a new one begins
	kind   byte  // the line's first
	minus  bool  // the number in the line is negative
	number int64 // in the line so far

	// open are the elements that are still to come of each array, the innermost last.
	open  [maxDepth]int64
	depth int
}

// follow reads the next bytes.
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

// next reads one byte of a line.
func (g *replyGuard) next(c byte) error {
	g.line++
	switch {
	case g.line == 1:
		g.kind, g.number, g.minus = c, 0, false
	case c == '\n':
		g.line = 0
		return g.lineEnded()
	case g.line > maxLine:
		return fmt.Errorf("%w: a line of more than %d bytes", errReply, maxLine)
	case !g.counted(), c == '\r':
	case g.line == 2 && c == '-':
		g.minus = true
	case c < '0' || c > '9' || g.number > maxBulk:
		return fmt.Errorf("%w: a length that is none, or too large", errReply)
	default:
		g.number = 10*g.number + int64(c-'0')
	}
	return nil
}

// counted tells whether the line has a length: of bytes, or of elements.
func (g *replyGuard) counted() bool {
	switch g.kind {
	case '$', '=', '!', '*', '~', '>', '%':
		return true
	}
	return false
}

// lineEnded takes a line for what it begins or is.
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

// beginString skips a string and its line end, unless it is null.
func (g *replyGuard) beginString(length int64) error {
	switch {
	case g.minus:
		g.ended()
	case length > maxBulk:
		return fmt.Errorf("%w: a string of more than %d bytes", errReply, maxBulk)
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
		const format = "%w: an array of more than %d elements, or more than %d arrays within each other"
		return fmt.Errorf(format, errReply, maxElements, maxDepth)
	default:
		g.open[g.depth] = elements
		g.depth++
	}
	return nil
}

// ended counts an element that has come to its end, and the arrays that end with it.
func (g *replyGuard) ended() {
	for g.depth > 0 {
		if g.open[g.depth-1]--; g.open[g.depth-1] > 0 {
			return
		}
		g.depth--
	}
}
