package logtest

import (
	"strings"
	"sync"
	"testing"
)

func TestBuffer(t *testing.T) {
	var b Buffer
	for _, text := range []string{"one\n", "two\n", "one\n"} {
		if n, err := b.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := b.String(); got != "one\ntwo\none\n" {
		t.Errorf("all: %q", got)
	}
	for n, want := range map[int]string{0: "", 4: "one\n", 100: "one\ntwo\none\n"} {
		if got := b.Tail(n); got != want {
			t.Errorf("the last %d bytes: %q", n, got)
		}
	}
	if n := b.Count("one"); n != 2 {
		t.Errorf("one: %d times", n)
	}
	if first, second := b.Take(), b.Take(); first != "one\ntwo\none\n" || second != "" {
		t.Errorf("taken: %q, then %q", first, second)
	}
}

// Everything that is written is taken exactly once.
func TestTakeWhileWritten(t *testing.T) {
	var b Buffer
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 1000 {
				_, _ = b.Write([]byte("x")) // It cannot fail.
			}
		})
	}
	var taken strings.Builder
	for range 100 {
		taken.WriteString(b.Take())
	}
	writers.Wait()
	taken.WriteString(b.Take())
	if taken.Len() != 4000 {
		t.Errorf("%d bytes, want 4000", taken.Len())
	}
}
