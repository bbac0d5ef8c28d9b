package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// openLoop sends requests at a rate that does not depend on the answers. It returns the
// time of each request, sorted, from when it was due until its answer was complete. The
// gaps between requests are random (exponential), as those between recipients.
//
// It polls without sleeping on one thread that has a core alone, because timers and the
// scheduler would add to the highest latencies.
func openLoop(
	ctx context.Context, o *options, addresses []string, r *row, tokens []string, rate float64,
) ([]time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := &poller{status: []byte("HTTP/1.1 " + strconv.Itoa(r.status)), maxBehind: o.maxBehind, drainTime: o.drainTime}
	defer p.close()
	if err := p.dial(addresses, o.connections); err != nil {
		return nil, err
	}
	requests := make([][]byte, len(tokens))
	for i, token := range tokens {
		requests[i] = requestFor(r, addresses[0], token, i)
	}
	if err := p.sendAtRate(ctx, requests, rate, o.duration); err != nil {
		return nil, err
	}
	if err := p.drain(); err != nil {
		return nil, err
	}
	slices.Sort(p.took)
	return p.took, ctx.Err()
}

// sendAtRate sends random requests until d has passed. A request that is due while every
// connection waits for an answer is sent later, and its time counts from when it was due:
// otherwise a slow server would hide its own delays (coordinated omission).
func (p *poller) sendAtRate(ctx context.Context, requests [][]byte, rate float64, d time.Duration) error {
	begun := time.Now()
	due := begun
	for due.Sub(begun) < d && ctx.Err() == nil {
		if now := time.Now(); !now.Before(due) && len(p.idle) > 0 {
			if err := p.send(requests[rand.IntN(len(requests))], due); err != nil { //nolint:gosec // Chance, not a secret.
				return err
			}
			due = due.Add(time.Duration(rand.ExpFloat64() / rate * float64(time.Second))) //nolint:gosec // Chance, not a secret.
			continue
		}
		if time.Since(due) > p.maxBehind {
			return fmt.Errorf("the server is more than %v behind the rate", p.maxBehind)
		}
		if err := p.poll(); err != nil {
			return err
		}
	}
	return nil
}

// drain waits for the answers to all requests, for drainTime at most. A request without an
// answer is an error, because leaving it out would improve the highest latencies.
func (p *poller) drain() error {
	limit := time.Now().Add(p.drainTime)
	for over := false; len(p.idle) < len(p.asked) && !over; {
		over = !time.Now().Before(limit) // Answers may have arrived meanwhile, so it polls once more.
		if err := p.poll(); err != nil {
			return err
		}
	}
	if len(p.took) == 0 || len(p.idle) < len(p.asked) {
		return fmt.Errorf("some requests were not answered within %v of the end", p.drainTime)
	}
	return nil
}

// requestFor writes a row's request for one link, as short as a request can be: the time to
// write and read it is a part of every measured time.
func requestFor(r *row, address, token string, i int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s /%s HTTP/1.1\r\nHost: %s\r\n", r.method, token, address)
	if r.forwarded {
		//nolint:gosec // Chance, not a secret.
		fmt.Fprintf(&b, "X-Forwarded-For: 10.%d.%d.%d\r\n", rand.IntN(256), rand.IntN(256), i&255)
	}
	if r.page {
		b.WriteString("Accept: " + acceptPage + "\r\nAccept-Language: " + acceptLanguage + "\r\n")
	}
	if r.method == http.MethodPost {
		b.WriteString("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nconfirm=1")
	} else {
		b.WriteString("\r\n")
	}
	return []byte(b.String())
}

// poller has connections that are polled, each with one request at a time.
type poller struct {
	epoll  int
	idle   []int // descriptors
	asked  map[int]*exchange
	events [64]syscall.EpollEvent
	buffer [16 << 10]byte
	took   []time.Duration
	status []byte // what every answer must begin with
	// See options.
	maxBehind, drainTime time.Duration
}

// exchange is the request that one connection waits for.
type exchange struct {
	due    time.Time
	answer []byte // what has come of it
}

// dial opens the connections, to each address in turn.
func (p *poller) dial(addresses []string, connections int) (err error) {
	p.asked = map[int]*exchange{}
	if p.epoll, err = syscall.EpollCreate1(0); err != nil {
		return err
	}
	for i := range connections {
		if err := p.connect(addresses[i%len(addresses)]); err != nil {
			return err
		}
	}
	return nil
}

// connect opens one connection. It stays in blocking mode until it is open, because only
// later calls are measured. Keyhole writes answers at once, and so must the client.
func (p *poller) connect(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	p.asked[fd] = &exchange{} // From here on, close closes it.
	p.idle = append(p.idle, fd)
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		return err
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)} //nolint:gosec // Descriptors are small.
	return errors.Join(
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.SetNonblock(fd, true),
		syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, fd, &event),
	)
}

// close closes every descriptor. The connections need no orderly end: the measurement is
// over.
func (p *poller) close() {
	for fd := range p.asked {
		_ = syscall.Close(fd)
	}
	if p.epoll > 0 {
		_ = syscall.Close(p.epoll)
	}
}

// send sends a request that was due at a time over an idle connection. A request fits into
// the buffer of the socket, so a short write is an error.
func (p *poller) send(request []byte, due time.Time) error {
	fd := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	p.asked[fd].due = due
	n, err := syscall.Write(fd, request)
	if err == nil && n < len(request) {
		err = io.ErrShortWrite
	}
	return err
}

// poll reads the answers that have arrived, without waiting for one. The signals of Go's
// scheduler interrupt it (EINTR).
func (p *poller) poll() error {
	n, err := syscall.EpollWait(p.epoll, p.events[:], 0)
	if errors.Is(err, syscall.EINTR) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, event := range p.events[:n] {
		if err := p.read(int(event.Fd)); err != nil {
			return err
		}
	}
	return nil
}

// read reads what has arrived on a connection. A complete answer makes the connection idle
// again. The time ends with the read, so it includes the wait for earlier connections.
func (p *poller) read(fd int) error {
	n, err := syscall.Read(fd, p.buffer[:])
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("the server closed a connection")
	}
	e := p.asked[fd]
	e.answer = append(e.answer, p.buffer[:n]...)
	if !whole(e.answer) {
		return nil
	}
	if !bytes.HasPrefix(e.answer, p.status) {
		return fmt.Errorf("an answer at a rate began with %.20q", e.answer)
	}
	p.took = append(p.took, time.Since(e.due))
	e.answer = e.answer[:0]
	p.idle = append(p.idle, fd)
	return nil
}

// whole reports whether an answer is complete. An answer without Content-Length is a redirect
// without a body: neither Keyhole nor a floor sends chunks on these routes.
func whole(answer []byte) bool {
	head, body, ended := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !ended {
		return false
	}
	const field = "\r\nContent-Length: "
	_, length, found := bytes.Cut(head, []byte(field))
	if !found {
		return true
	}
	digits, _, _ := bytes.Cut(length, []byte("\r\n"))
	n, err := strconv.Atoi(string(digits))
	return err == nil && len(body) >= n
}
