package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/config"
)

// maxUnwritten is how many bytes of log may wait to be written. Lines beyond it are
// dropped: nobody waits for a reader of the log.
const maxUnwritten = 1 << 20

// lines writes a log's lines in the background, those of the same time in one
// write: a write for each would cost more than a refusal. Each line is written at
// once, and the last ones by Close. Lines that cannot be written, because the log is
// not read or its disk is full, are counted, and the log says how many when it can
// be written again.
type lines struct {
	to      io.Writer
	format  config.Log
	dropped atomic.Uint64 // since the start

	mu       sync.Mutex
	waiting  []byte
	idle     chan struct{} // closed when nothing waits any more; nil: nothing does
	unsaid   uint64        // dropped lines that the log has not named yet
	unusable bool          // the last write failed
}

// newLines returns lines to a writer. The format is that of the lines which lines
// adds.
func newLines(to io.Writer, format config.Log) *lines {
	return &lines{to: to, format: format}
}

// errUnread is what Close returns when lines are left.
var errUnread = errors.New("the log is not read")

// Write takes a line, or drops it. It never waits and never fails: nobody could be
// told of it.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) > 0 && len(l.waiting)+len(line) > maxUnwritten {
		l.drop(1)
		return len(line), nil
	}
	l.waiting = append(l.waiting, line...)
	if l.idle == nil {
		l.idle = make(chan struct{})
		go l.run()
	}
	return len(line), nil
}

// drop counts lines that are lost. It is called with the lock.
func (l *lines) drop(n uint64) {
	l.dropped.Add(n)
	l.unsaid += n
}

// run writes what waits until nothing does.
func (l *lines) run() {
	var taken []byte
	for {
		runtime.Gosched() // whoever is about to log joins
		l.mu.Lock()
		taken, l.waiting = l.waiting, taken[:0]
		var lost uint64
		if !l.unusable {
			lost, l.unsaid = l.unsaid, 0
		}
		if len(taken) == 0 && lost == 0 {
			close(l.idle)
			l.idle = nil
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		l.write(taken, lost)
	}
}

// write writes lines, and how many were dropped after them.
func (l *lines) write(taken []byte, lost uint64) {
	all := taken
	if lost > 0 {
		all = append(all[:len(all):len(all)], l.notice(lost)...)
	}
	n, err := l.to.Write(all)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unusable = err != nil
	if err == nil {
		return
	}
	l.unsaid += lost
	if n < len(taken) {
		l.drop(uint64(bytes.Count(taken[n:], []byte("\n")))) //nolint:gosec // A count is not negative.
	}
}

// notice is the line that names dropped lines. It is an error, so that every level
// shows it.
func (l *lines) notice(lost uint64) []byte {
	var line bytes.Buffer
	newLogger(l.format, &line).Error("log lines were dropped because the log was not read fast enough", "lines", lost)
	return line.Bytes()
}

// Close returns when everything has been written, or ctx ends.
func (l *lines) Close(ctx context.Context) error {
	l.mu.Lock()
	idle := l.idle
	l.mu.Unlock()
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return errUnread
	}
}

// register registers the counter of lines that were dropped.
func (l *lines) register(registry prometheus.Registerer) {
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "keyhole", Name: "log_lines_dropped_total",
		Help: "Lines of the log that were dropped because the log was not read fast enough or could not be written.",
	}, func() float64 { return float64(l.dropped.Load()) }))
}

// unread is the error of a command whose standard error nobody reads: to print the
// error there would wait for ever.
type unread struct{ error }

// Unwrap returns the error itself.
func (u *unread) Unwrap() error { return u.error }

// end writes the last lines of the log of a command that ends with err.
func (l *lines) end(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), logWithin)
	defer cancel()
	if l.Close(ctx) != nil && err != nil {
		return &unread{err}
	}
	return err
}
