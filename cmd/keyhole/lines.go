package main

import (
	"io"
	"runtime"
	"sync"
)

// mostUnwritten is how many bytes of log may wait to be written; whoever logs then
// waits too.
const mostUnwritten = 1 << 20

// lines writes a log's lines in the background, those of the same time in one
// write: a write for each would cost more than a refusal. Each line is written at
// once, and the last ones by Close.
type lines struct {
	to io.Writer

	mu      sync.Mutex
	written sync.Cond // something was, or nothing is left
	waiting []byte
	writing bool
}

func newLines(to io.Writer) *lines {
	l := &lines{to: to}
	l.written.L = &l.mu
	return l
}

// Write takes a line. It never fails: nobody could be told of it.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) > mostUnwritten {
		l.written.Wait()
	}
	l.waiting = append(l.waiting, line...)
	if !l.writing {
		l.writing = true
		go l.run()
	}
	return len(line), nil
}

// run writes what waits until nothing does.
func (l *lines) run() {
	var taken []byte
	for {
		runtime.Gosched() // whoever is about to log joins
		l.mu.Lock()
		taken, l.waiting = l.waiting, taken[:0]
		l.writing = len(taken) > 0
		l.written.Broadcast()
		l.mu.Unlock()
		if len(taken) == 0 {
			return
		}
		_, _ = l.to.Write(taken) // There is no other place to say so.
	}
}

// Close returns when everything has been written.
func (l *lines) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.writing {
		l.written.Wait()
	}
}
