package signer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// source is a provider whose answer a test sets and whose questions it counts.
type source struct {
	mu     sync.Mutex
	answer aws.Credentials
	err    error
	asked  int
	block  chan struct{} // questions wait until it is closed, if set
}

func (s *source) Retrieve(ctx context.Context) (aws.Credentials, error) {
	s.mu.Lock()
	s.asked++
	block := s.block
	s.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return aws.Credentials{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer, s.err
}

// set changes the answer: the credential id for that long from now, or err.
func (s *source) set(id string, until time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = aws.Credentials{AccessKeyID: id, SecretAccessKey: "secret", CanExpire: !until.IsZero(), Expires: until}
	s.err = err
}

func (s *source) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// retrieve asks for the credential and waits until what that started is done.
func retrieve(t *testing.T, c *Credentials) (string, error) {
	t.Helper()
	got, err := c.Retrieve(t.Context())
	synctest.Wait()
	if err != nil && !errors.Is(err, ErrCredentials) {
		t.Errorf("%v is no ErrCredentials", err)
	}
	return got.AccessKeyID, err
}

// TestCredentialsRenewal follows one credential of an hour through its life
// and over to the next one.
func TestCredentialsRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		machine := &handClock{at: noon()}
		s := new(source)
		c := newCredentials(s, NewClock(machine.now))
		end := noon().Add(time.Hour)
		s.set("first", end, nil)
		down := errors.New("down")

		for _, step := range []struct {
			at    time.Duration // after noon
			then  func()        // before it is asked for
			id    string
			asked int // in all, after it was asked for
		}{
			{0, nil, "first", 1},
			{54 * time.Minute, nil, "first", 1},
			// Ahead of the end: the old one is given while the next is fetched.
			{55 * time.Minute, func() { s.set("", time.Time{}, down) }, "first", 2},
			{56 * time.Minute, nil, "first", 2},
			{57*time.Minute + 30*time.Second, nil, "first", 3},
			{58*time.Minute + 44*time.Second, nil, "first", 3},
			{58*time.Minute + 45*time.Second, func() { s.set("first", end, nil) }, "first", 4}, // the old one again
			{59 * time.Minute, nil, "first", 4},
			{59*time.Minute + 30*time.Second, func() { s.set("second", end.Add(time.Hour), nil) }, "first", 5},
			{59*time.Minute + 31*time.Second, nil, "second", 5},
			{114 * time.Minute, nil, "second", 5},
			// Nobody asked while it ended: the next one is waited for.
			{3 * time.Hour, func() { s.set("third", noon().Add(4*time.Hour), nil) }, "third", 6},
			// The clock is set back, and forth.
			{2 * time.Hour, nil, "third", 7},
			{2*time.Hour + time.Minute, nil, "third", 7},
		} {
			machine.move(noon().Add(step.at).Sub(machine.now()))
			if step.then != nil {
				step.then()
			}
			id, err := retrieve(t, c)
			if err != nil || id != step.id || s.questions() != step.asked {
				t.Fatalf("%v after noon: got %q, %v after %d questions; want %q after %d", step.at, id, err, s.questions(), step.id,
					step.asked)
			}
		}
	})
}

// TestCredentialsFailure shows that an expired credential is not given, that a
// source that is down is asked once a second, and that it recovers.
func TestCredentialsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		machine := &handClock{at: noon()}
		s := new(source)
		c := newCredentials(s, NewClock(machine.now))
		down := errors.New("down")
		s.set("", time.Time{}, down)
		for range 10 {
			if _, err := retrieve(t, c); !errors.Is(err, down) {
				t.Fatalf("got %v, want the source's error", err)
			}
			machine.move(90 * time.Millisecond)
		}
		if s.questions() != 1 {
			t.Errorf("asked %d times in a second, want once", s.questions())
		}

		s.set("first", noon().Add(time.Minute), nil)
		if _, err := retrieve(t, c); err == nil {
			t.Error("the failure is to be repeated for a second")
		}
		machine.move(100 * time.Millisecond)
		if id, err := retrieve(t, c); err != nil || id != "first" {
			t.Errorf("after a second: got %q, %v", id, err)
		}

		// It ends while the source is down.
		s.set("", time.Time{}, down)
		machine.move(time.Minute - machine.now().Sub(noon()) - time.Second/2)
		if id, err := retrieve(t, c); !errors.Is(err, down) || id != "" {
			t.Errorf("half a second before its end: got %q, %v; want an error", id, err)
		}
		// The source gives it once more, too late.
		s.set("first", noon().Add(time.Minute), nil)
		machine.move(time.Hour)
		if id, err := retrieve(t, c); !errors.Is(err, ErrCredentials) || id != "" {
			t.Errorf("an expired one from the source: got %q, %v; want an error", id, err)
		}
	})
}

// TestCredentialsStorageClock shows that a machine's wrong clock neither ends
// a credential early nor keeps it late.
func TestCredentialsStorageClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, skew := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
			clock := NewClock(noon)
			clock.Observe(noon().Add(skew), noon(), noon())
			s := new(source)
			c := newCredentials(s, clock)
			s.set("good", clock.Now().Add(time.Minute), nil)
			if id, err := retrieve(t, c); err != nil || id != "good" {
				t.Errorf("skew %v: got %q, %v", skew, id, err)
			}

			late := newCredentials(s, clock)
			s.set("late", clock.Now().Add(-time.Minute), nil)
			if id, err := retrieve(t, late); err == nil {
				t.Errorf("skew %v: an expired credential %q was given", skew, id)
			}
		}
	})
}

// TestCredentialsShareOneRequest shows that callers who wait share one request, that a
// caller who leaves does not end it for the others, and that a request has a time limit.
func TestCredentialsShareOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{block: make(chan struct{})}
		s.set("first", time.Time{}, nil)
		c := newCredentials(s, NewClock(time.Now))
		var given atomic.Int32
		hasty, leave := context.WithCancel(t.Context())
		go func() {
			if _, err := c.Retrieve(hasty); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrCredentials) {
				t.Errorf("who leaves gets %v", err)
			}
			given.Add(1)
		}()
		synctest.Wait()
		for range 20 {
			go func() {
				if got, err := c.Retrieve(t.Context()); err != nil || got.AccessKeyID != "first" {
					t.Errorf("who waits gets %q, %v", got.AccessKeyID, err)
				}
				given.Add(1)
			}()
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		if given.Load() != 1 {
			t.Errorf("%d were answered before the source was, want the one who left", given.Load())
		}
		close(s.block)
		synctest.Wait()
		if given.Load() != 21 || s.questions() != 1 {
			t.Errorf("%d answered by %d questions, want 21 by one", given.Load(), s.questions())
		}
	})
}

func TestCredentialsSourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{block: make(chan struct{})}
		c := newCredentials(s, NewClock(time.Now))
		start := time.Now()
		_, err := c.Retrieve(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrCredentials) || time.Since(start) != fetchTimeout {
			t.Errorf("got %v after %v, want a deadline after %v", err, time.Since(start), fetchTimeout)
		}
	})
}

// TestCredentialsStatic rotates a secret in its file: what the file says signs,
// from the next signature on.
func TestCredentialsStatic(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	write := func(secret string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace := func(secret string) {
		t.Helper()
		next := filepath.Join(dir, "next")
		if err := errors.Join(os.WriteFile(next, []byte(secret), 0o600), os.Rename(next, file)); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n")
	c, err := NewCredentials(t.Context(), CredentialOptions{
		AccessKeyID: exampleID,
		Secret: func() (string, error) {
			secret, err := os.ReadFile(file)
			return string(secret), err
		},
		SecretFile: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	elapsed := time.Second
	c.elapsed = func() time.Duration { elapsed += fileCheckLife; return elapsed }
	expect := func(secret string) {
		t.Helper()
		got, err := c.Retrieve(t.Context())
		if secret == "" {
			if !errors.Is(err, ErrCredentials) || got.SecretAccessKey != "" {
				t.Errorf("got %q, %v; want an error", got.SecretAccessKey, err)
			}
			return
		}
		if err != nil || got.AccessKeyID != exampleID || got.SecretAccessKey != secret || got.CanExpire {
			t.Errorf("got %q with %q, %v; want %q", got.AccessKeyID, got.SecretAccessKey, err, secret)
		}
	}
	expect("one")
	// Written over, at once and as long as before; the clock may not have moved.
	write(" two\r\n")
	expect("two")
	write(" six\r\n")
	expect("six")
	replace(" ten\r\n")
	expect("ten")
	// With its times set back, as a restored copy has them.
	old := time.Now().Add(-time.Hour)
	replace("old copy")
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	expect("old copy")
	expect("old copy")
	write("")
	expect("")
	write("back")
	expect("back")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	expect("")
	expect("")
	write("again")
	expect("again")
}

func TestNewCredentialsRefuses(t *testing.T) {
	secret := func(s string, err error) func() (string, error) {
		return func() (string, error) { return s, err }
	}
	broken := errors.New("open /run/secrets/s3: permission denied")
	for _, c := range []struct {
		name   string
		secret func() (string, error)
		want   string
	}{
		{"no secret", nil, "the access key id has no secret access key"},
		{"an empty one", secret("", nil), "no valid credentials: access key id or secret is empty"},
		{"a blank one", secret(" \n", nil), "no valid credentials: access key id or secret is empty"},
		{"an unreadable one", secret("", broken), "no valid credentials: open /run/secrets/s3: permission denied"},
	} {
		got, err := NewCredentials(t.Context(), CredentialOptions{AccessKeyID: exampleID, Secret: c.secret})
		if got != nil || err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
