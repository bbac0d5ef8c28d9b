package redisstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// TestCopyFromRetired repeats a move whose source is retired: only the target of that move
// is accepted, and only while it has exactly the copy. A link that was revoked since is not
// revived.
func TestCopyFromRetired(t *testing.T) {
	t.Parallel()
	from, _ := startSource(t)
	to, node := startSource(t)
	other, otherNode := startSource(t)
	prefix, kept := newPrefix(), ""
	link := create(t, open(t, from, withPrefix(prefix)), newLink(t))
	repeat := func(to redisstore.ClientOptions) error {
		t.Helper()
		_, err := receiveAgain(t, asAdmin(to), asAdmin(from), prefix, kept, func(mark string) error {
			if kept != "" && mark != kept {
				t.Errorf("the mark becomes %q, was %q", mark, kept)
			}
			kept = mark
			return nil
		})
		return err
	}
	wantError := func(name string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if err := repeat(to); err != nil || !strings.HasPrefix(kept, "moving ") {
		t.Fatalf("the move: %v, mark %q", err, kept)
	}
	wantError("a complete target", repeat(to), redisstore.ErrUsed)

	// The run ended before its last write.
	name := prefix + ":partitions"
	node.MustDo(t, "SET", name, kept)
	if err := repeat(to); err != nil || node.MustDo(t, "GET", name) != "64" {
		t.Errorf("the last step is not repeated: %v", err)
	}

	wantError("another target", repeat(other), redisstore.ErrRetired)
	otherNode.MustDo(t, "SET", name, "moving y")
	wantError("the target of another move", repeat(other), redisstore.ErrRetired)
	if got := otherNode.MustDo(t, "KEYS", prefix+":{*"); got != "" {
		t.Errorf("another target has %s", got)
	}

	s := open(t, to, withPrefix(prefix))
	if _, _, err := s.Revoke(t.Context(), link.ID, "a test", operator()); err != nil {
		t.Fatal(err)
	}
	newer := create(t, s, newLink(t))
	node.MustDo(t, "SET", name, kept) // A failover has lost the last write.
	wantError("a target with changes", repeat(to), redisstore.ErrRetired)
	node.MustDo(t, "SET", name, "64")
	equal(t, "the revoked link", admit(t, s, link.ID, "GET"), gateway.OutcomeRevoked)
	equal(t, "the newer link", admit(t, s, newer.ID, "GET"), gateway.OutcomeRedirected)
	node.MustDo(t, "FLUSHALL")
	wantError("a target without data", repeat(to), redisstore.ErrRetired)
}

// TestCopyFromLastWrite reports a last write that fails or that no replica has, and a repeat
// finds out whether the replicas have it since.
func TestCopyFromLastWrite(t *testing.T) {
	t.Parallel()
	source, prefix := startSingle(t), newPrefix()
	create(t, open(t, source.client, withPrefix(prefix)), newLink(t))
	g := redistest.StartSentinel(t)
	master, replica := g.Servers[0], g.Servers[1]
	defer replica.Resume(t) // Even if the test fails.
	to := asAdmin(clientOptions(redisstore.ModeSentinel, g.Addresses...))
	to.MasterName, to.Timeout = g.Master, unconfirmed
	client, err := redisstore.Connect(asAdmin(source.client))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	mark := ""
	move := func(afterCommit func()) error {
		_, err := open(t, to, withPrefix(prefix), withReplica()).CopyFrom(t.Context(), client, mark, func(m string) error {
			mark = m
			afterCommit()
			return nil
		})
		return err
	}
	err = move(func() { master.MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "5") })
	if !errors.Is(err, redisstore.ErrUnfinished) || !strings.Contains(err.Error(), "NOREPLICAS") {
		t.Errorf("a refused last write: %v, want ErrUnfinished", err)
	}
	master.MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "0")

	detach := func() { replica.Pause(t) }
	err = move(detach)
	if !errors.Is(err, redisstore.ErrUnfinished) || !errors.Is(err, gateway.ErrNotConfirmed) {
		t.Errorf("a last write without replica: %v, want ErrUnfinished", err)
	}
	if err := move(detach); !errors.Is(err, gateway.ErrNotConfirmed) || errors.Is(err, redisstore.ErrUsed) {
		t.Errorf("a repeat without replica: %v, want ErrNotConfirmed", err)
	}
	replica.Resume(t)
	if err := move(detach); !errors.Is(err, redisstore.ErrUsed) {
		t.Errorf("a repeat with the replica: %v, want ErrUsed", err)
	}
}

// TestCopyFromNestedPrefix deletes no key of an installation whose prefix begins with that
// of the move.
func TestCopyFromNestedPrefix(t *testing.T) {
	t.Parallel()
	for _, nested := range []string{":eu", ":acme"} {
		from, _ := startSource(t)
		to, node := startSource(t)
		prefix := newPrefix()
		create(t, open(t, from, withPrefix(prefix)), newLink(t))
		interrupted := errors.New("interrupted")
		_, err := receive(t, asAdmin(to), asAdmin(from), prefix, func() error { return interrupted })
		if !errors.Is(err, interrupted) {
			t.Fatal(err)
		}
		other := open(t, to, withPrefix(prefix+nested))
		link := create(t, other, newLink(t))
		before := content(t, prefix, node)
		_, err = receive(t, asAdmin(to), asAdmin(from), prefix, func() error { return nil })
		if !errors.Is(err, redisstore.ErrUsed) {
			t.Errorf("%s: %v, want ErrUsed", nested, err)
		}
		equal(t, "the target", content(t, prefix, node), before)
		equal(t, "the link of the other installation", admit(t, other, link.ID, "GET"), gateway.OutcomeRedirected)
	}
}

// TestCopyFromClocks refuses a target whose clock differs, before it writes anything: Redis
// drops values that have expired by its clock.
func TestCopyFromClocks(t *testing.T) {
	t.Parallel()
	from, _ := startSource(t)
	prefix := newPrefix()
	create(t, open(t, from, withPrefix(prefix)), newLink(t))
	const least = gateway.NotableSkew + time.Second
	for _, skew := range []time.Duration{-time.Hour, -least, least, time.Hour} {
		// The time that the commands take counts as no difference.
		inTime(t, skew.String(), func() error {
			m := redistest.StartMini(t)
			m.SetTime(time.Now().Add(skew))
			_, err := receive(t, clientOptions(redisstore.ModeSingle, m.Addr()), asAdmin(from), prefix, func() error {
				return errors.New("the source was given up")
			})
			if !errors.Is(err, redisstore.ErrClocks) || len(m.Keys()) > 0 {
				return errors.Join(fmt.Errorf("want ErrClocks; keys %q", m.Keys()), err)
			}
			return nil
		})
	}
}
