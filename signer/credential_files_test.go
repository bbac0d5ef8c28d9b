package signer

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// TestCredentialsFileAtRest shows that a file that has come to rest is read
// once, however often it is asked for.
func TestCredentialsFileAtRest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	old := time.Now().Add(-time.Hour)
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Chtimes(file, old, old)); err != nil {
		t.Fatal(err)
	}
	s := new(source)
	s.set("first", time.Time{}, nil)
	c := newCredentials(s, NewClock(noon), file, filepath.Join(t.TempDir(), "not there"))
	for range 100 {
		if got, err := c.Retrieve(t.Context()); err != nil || got.AccessKeyID != "first" {
			t.Fatalf("got %q, %v", got.AccessKeyID, err)
		}
	}
	if s.questions() != 1 {
		t.Errorf("asked %d times, want once", s.questions())
	}
}

// TestCredentialsFileChecks shows how long one check of the file serves.
func TestCredentialsFileChecks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	old := time.Now().Add(-time.Hour)
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Chtimes(file, old, old)); err != nil {
		t.Fatal(err)
	}
	s := new(source)
	s.set("first", time.Time{}, nil)
	c := newCredentials(s, NewClock(noon), file)
	elapsed := time.Second
	c.elapsed = func() time.Duration { return elapsed }
	expect := func(id string) {
		t.Helper()
		if got, err := c.Retrieve(t.Context()); err != nil || got.AccessKeyID != id {
			t.Fatalf("got %q, %v; want %q", got.AccessKeyID, err, id)
		}
	}
	expect("first") // asked
	expect("first") // looked at
	s.set("second", time.Time{}, nil)
	if err := os.WriteFile(file, []byte("rotated"), 0o600); err != nil {
		t.Fatal(err)
	}
	elapsed += 2*time.Millisecond - 1 // as SecretFile says
	expect("first")
	elapsed++
	expect("second")
}

// TestCredentialsRotatedUnderway shows that who comes after a rotation is not
// answered by a question that was under way before it.
func TestCredentialsRotatedUnderway(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	block := make(chan struct{})
	s := &source{block: block}
	s.set("before", time.Time{}, nil)
	c := newCredentials(s, NewClock(noon), file)
	early := make(chan string, 1)
	go func() {
		got, err := c.Retrieve(t.Context())
		if err != nil {
			t.Errorf("who came before the rotation: %v", err)
		}
		early <- got.AccessKeyID
	}()
	for s.questions() == 0 {
		runtime.Gosched()
	}
	if err := os.WriteFile(file, []byte("rotated"), 0o600); err != nil {
		t.Fatal(err)
	}
	late := make(chan string, 1)
	go func() {
		got, err := c.Retrieve(t.Context())
		if err != nil {
			t.Errorf("who came after the rotation: %v", err)
		}
		late <- got.AccessKeyID
	}()
	// The first question ends with what it has read of before.
	block <- struct{}{}
	if id := <-early; id != "before" {
		t.Errorf("who came before the rotation got %q", id)
	}
	s.set("after", time.Time{}, nil)
	close(block)
	if id := <-late; id != "after" {
		t.Errorf("who came after the rotation got %q", id)
	}
}
