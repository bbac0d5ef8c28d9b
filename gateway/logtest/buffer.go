package logtest

import (
	"bytes"
	"strings"
	"sync"
)

// Buffer collects output that is written and read at the same time. The zero value is empty
// and ready to use.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns what was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Tail returns the last n bytes of what was written so far.
func (b *Buffer) Tail(n int) string {
	s := b.String()
	return s[max(0, len(s)-n):]
}

// Count returns how often the output contains a text.
func (b *Buffer) Count(text string) int { return strings.Count(b.String(), text) }

// Take returns what was written since the last call, and forgets it. No write is lost
// between the two.
func (b *Buffer) Take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.text.String()
	b.text.Reset()
	return text
}
