package logwriter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// maxUnwritten is how many bytes of log may wait to be written. Further lines are
// dropped, so that no request waits for the reader of the log.
const maxUnwritten = 1 << 20

// Writer writes the lines of a log in the background. Lines that wait at the same
// time are written by one call, because a call for each costs more than refusing a
// click does. Each line is written as soon as possible; Close waits for the last
// ones. Lines that cannot be written, because nobody reads the log or its disk is
// full, are counted. When the log can be written again, a notice says how many.
type Writer struct {
	to      io.Writer
	notice  func(lost uint64) []byte
	dropped atomic.Uint64 // since the start

	mu         sync.Mutex
	waiting    []byte
	idle       chan struct{} // closed when no line waits; nil: none does
	unreported uint64        // dropped lines that no notice has named yet
	failing    bool          // the last write failed
}

// New returns a writer to another one. notice makes the line that names how
// many lines were lost.
func New(to io.Writer, notice func(lost uint64) []byte) *Writer {
	return &Writer{to: to, notice: notice}
}

// errUnread is the error of Close when lines are left.
var errUnread = errors.New("the log is not read")

// Write takes a line, or drops it. It never waits and never fails, because the log
// is the only place where a failure could be reported.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) > 0 && len(w.waiting)+len(line) > maxUnwritten {
		w.drop(1)
		return len(line), nil
	}
	w.waiting = append(w.waiting, line...)
	if w.idle == nil {
		w.idle = make(chan struct{})
		go w.run()
	}
	return len(line), nil
}

// Dropped returns how many lines were lost since the start.
func (w *Writer) Dropped() uint64 { return w.dropped.Load() }

// drop counts lost lines. The caller holds the lock.
func (w *Writer) drop(n uint64) {
	w.dropped.Add(n)
	w.unreported += n
}

// run writes waiting lines until none is left.
func (w *Writer) run() {
	var taken []byte
	for {
		runtime.Gosched() // goroutines that are about to log join this write
		w.mu.Lock()
		taken, w.waiting = w.waiting, taken[:0]
		var lost uint64
		if !w.failing {
			lost, w.unreported = w.unreported, 0
		}
		if len(taken) == 0 && lost == 0 {
			close(w.idle)
			w.idle = nil
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		w.write(taken, lost)
	}
}

// write writes lines, and behind them the notice of lost ones.
func (w *Writer) write(taken []byte, lost uint64) {
	all := taken
	if lost > 0 {
		all = append(all[:len(all):len(all)], w.notice(lost)...)
	}
	n, err := w.to.Write(all)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failing = err != nil
	if err == nil {
		return
	}
	w.unreported += lost
	if n < len(taken) {
		w.drop(uint64(bytes.Count(taken[n:], []byte("\n")))) //nolint:gosec // A count is not negative.
	}
}

// Close returns when everything has been written, or ctx ends.
func (w *Writer) Close(ctx context.Context) error {
	w.mu.Lock()
	idle := w.idle
	w.mu.Unlock()
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
