package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// asAdmin returns options with the rights that a move needs.
func asAdmin(o redisstore.ClientOptions) redisstore.ClientOptions {
	o.Username, o.Password, o.Timeout = redistest.AdminUsername, redistest.AdminPassword, 30*time.Second
	return o
}

// receive moves everything from a source to a target.
func receive(t *testing.T, to, from redisstore.ClientOptions, prefix string, commit func() error) (int, error) {
	t.Helper()
	return receiveAgain(t, to, from, prefix, "", func(string) error { return commit() })
}

// receiveAgain moves everything from a source that the move with a mark has retired.
func receiveAgain(
	t *testing.T, to, from redisstore.ClientOptions, prefix, mark string, commit func(mark string) error,
) (int, error) {
	t.Helper()
	from.LongReplies = true
	source, err := redisstore.Connect(from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() })
	return open(t, to, withPrefix(prefix)).CopyFrom(t.Context(), source, mark, commit)
}

// digests is the directive that lets content compare values.
const digests = "enable-debug-command local"

// startSource starts a single server with a link, for moves that do not end.
func startSource(t *testing.T) (o redisstore.ClientOptions, node *redistest.Server) {
	t.Helper()
	node = redistest.StartSingle(t, digests)
	return clientOptions(redisstore.ModeSingle, node.Addr), node
}

// content returns what a Redis has under a prefix: the digest of each key's value, and when
// the key expires.
func content(t *testing.T, prefix string, nodes ...*redistest.Server) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, node := range nodes {
		for name := range strings.Lines(node.MustDo(t, "KEYS", prefix+":*")) {
			if name = strings.TrimSuffix(name, "\n"); name == "" || strings.HasSuffix(name, ":confirmation") {
				continue // A confirmation of the target is no data.
			}
			// Unlike DUMP, this does not depend on the order of fields in memory.
			all[name] = node.MustDo(t, "DEBUG", "DIGEST-VALUE", name) + " " + node.MustDo(t, "PEXPIRETIME", name)
		}
	}
	return all
}

// fillSource makes links for several pages of a move. It returns a live one with clicks, a
// revoked one and one whose only click is spent.
func fillSource(t *testing.T, o redisstore.ClientOptions, prefix string) (live, revoked, spent gateway.Link) {
	t.Helper()
	s := open(t, o, withPrefix(prefix))
	live, revoked = create(t, s, newLink(t)), create(t, s, newLink(t), 90*time.Minute)
	for range 300 {
		create(t, s, newLink(t))
	}
	for range 20 {
		equal(t, "a click", admit(t, s, live.ID, "GET"), gateway.OutcomeRedirected)
	}
	if _, _, err := s.Revoke(t.Context(), revoked.ID, "a test", operator()); err != nil {
		t.Fatal(err)
	}
	spent = restrict(t, s, limited(t, 1))
	spend(t, s, spent.ID, "a nonce of the test")
	return live, revoked, spent
}

// TestCopyFrom moves the data of a single server to each kind of Redis.
func TestCopyFrom(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) target{
		"single": func(t *testing.T) target {
			t.Helper()
			o, node := startSource(t)
			return target{o, []*redistest.Server{node}}
		},
		"sentinel": func(t *testing.T) target {
			t.Helper()
			g := redistest.StartSentinel(t, digests)
			o := clientOptions(redisstore.ModeSentinel, g.Addresses...)
			o.MasterName = g.Master
			return target{o, g.Servers[:1]}
		},
		"cluster": func(t *testing.T) target {
			t.Helper()
			g := redistest.StartCluster(t, digests)
			return target{clientOptions(redisstore.ModeCluster, g.Addresses...), g.Servers[:3]}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, node := startSource(t)
			target, prefix := start(t), newPrefix()
			live, revoked, spent := fillSource(t, from, prefix)
			long := prefix + ":{p3}:refusals"
			for range 2 {
				node.MustDo(t, "XADD", long, "*", "f", strings.Repeat(strconv.Itoa(time.Now().Nanosecond()), 80_000))
			}
			want := content(t, prefix, node)
			calls := 0
			keys, err := receive(t, asAdmin(target.client), asAdmin(from), prefix, func() error {
				// Before the source is given up, no service may use the target.
				err := open(t, target.client, withPrefix(prefix)).Ready(t.Context())
				if !errors.Is(err, redisstore.ErrMoving) {
					t.Errorf("a service on an incomplete target: %v, want ErrMoving", err)
				}
				calls++
				return nil
			})
			if err != nil || calls != 1 || keys != len(want)-1 {
				t.Fatalf("moved %d of %d keys, %d commits, %v", keys, len(want)-1, calls, err)
			}
			equal(t, "the content", content(t, prefix, target.nodes...), want)
			s := open(t, target.client, withPrefix(prefix))
			equal(t, "the live link", admit(t, s, live.ID, "GET"), gateway.OutcomeRedirected)
			equal(t, "its clicks", get(t, s, live.ID).Clicks, 21)
			equal(t, "the revoked link", admit(t, s, revoked.ID, "GET"), gateway.OutcomeRevoked)
			equal(t, "the spent link", get(t, s, spent.ID).State, gateway.StateUsedUp)
		})
	}
}

// TestCopyFromRefused moves nothing, and changes nothing, if the target is in use or not
// fit, or the source is no complete one.
func TestCopyFromRefused(t *testing.T) {
	t.Parallel()
	from, source := startSource(t)
	to, node := startSource(t)
	prefix := newPrefix()
	create(t, open(t, from, withPrefix(prefix)), newLink(t))
	refused := func(name string, target redisstore.ClientOptions, want error, text string) {
		t.Helper()
		before := content(t, prefix, node)
		_, err := receive(t, target, asAdmin(from), prefix, func() error {
			t.Errorf("%s: the source was given up", name)
			return nil
		})
		if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %v with %q", name, err, want, text)
		}
		equal(t, name+": the target", content(t, prefix, node), before)
	}
	refused("no rights", to, nil, "NOPERM")
	for _, name := range []string{prefix + ":{p1}:ops", prefix + ":partitions"} {
		node.MustDo(t, "SET", name, "64")
		refused("a target with "+name, asAdmin(to), redisstore.ErrUsed, "")
		node.MustDo(t, "DEL", name)
	}
	node.MustDo(t, "CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
	refused("a target that evicts", asAdmin(to), redisstore.ErrEvicting, "")
	node.MustDo(t, "CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction")
	source.MustDo(t, "SET", prefix+":partitions", "moving x")
	refused("a source that is a target", asAdmin(to), redisstore.ErrNothingToMove, "")
	source.MustDo(t, "SET", prefix+":partitions", "7")
	refused("a source of another version", asAdmin(to), redisstore.ErrPartitions, "")
	source.MustDo(t, "DEL", prefix+":partitions")
	refused("an empty source", asAdmin(to), redisstore.ErrNothingToMove, "")
}

// TestCopyFromRepeated interrupts a move at several points. No service can use the target,
// and a repeat moves what the source then has: a link that was revoked in between is not
// revived.
func TestCopyFromRepeated(t *testing.T) {
	t.Parallel()
	from, node := startSource(t)
	g := redistest.StartCluster(t, digests)
	target := target{clientOptions(redisstore.ModeCluster, g.Addresses...), g.Servers[:3]}
	prefix := newPrefix()
	s := open(t, from, withPrefix(prefix))
	link := create(t, s, newLink(t))
	interrupted := errors.New("interrupted")
	commits := 0
	commit := func() error {
		if commits++; commits == 1 {
			return interrupted
		}
		return nil
	}
	if _, err := receive(t, asAdmin(target.client), asAdmin(from), prefix, commit); !errors.Is(err, interrupted) {
		t.Fatalf("the first run: %v", err)
	}
	moved := open(t, target.client, withPrefix(prefix))
	if err := moved.Ready(t.Context()); !errors.Is(err, redisstore.ErrMoving) {
		t.Errorf("a service on an incomplete target: %v", err)
	}
	_, err := moved.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"})
	unavailable(t, "a click on an incomplete target", err)

	if _, _, err := s.Revoke(t.Context(), link.ID, "a test", operator()); err != nil {
		t.Fatal(err)
	}
	want := content(t, prefix, node)
	if _, err := receive(t, asAdmin(target.client), asAdmin(from), prefix, commit); err != nil {
		t.Fatalf("the repeat: %v", err)
	}
	equal(t, "the content", content(t, prefix, target.nodes...), want)
	equal(t, "the revoked link", admit(t, moved, link.ID, "GET"), gateway.OutcomeRevoked)
	_, err = receive(t, asAdmin(target.client), asAdmin(from), prefix, commit)
	if !errors.Is(err, redisstore.ErrUsed) || commits != 2 {
		t.Errorf("a third run: %v, %d commits", err, commits)
	}
}

// TestCopyFromIncomplete finds whatever differs after the copy, in both directions, and
// another run that takes the target over.
func TestCopyFromIncomplete(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change []string // is done at the target when the first value arrives there
		want   error
	}{
		"a lost key":       {[]string{"DEL", "%s:horizon"}, redisstore.ErrMoveDiffers},
		"a foreign key":    {[]string{"SET", "%s:{p1}:ops", "1"}, redisstore.ErrMoveDiffers},
		"another expiry":   {[]string{"PEXPIRE", "%s:horizon", "10000000"}, redisstore.ErrMoveDiffers},
		"another run":      {[]string{"SET", "%s:partitions", "moving y"}, redisstore.ErrMoving},
		"a service's keys": {[]string{"SET", "%s:partitions", "64"}, redisstore.ErrMoving},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := startSingle(t), startSingle(t)
			proxy := redistest.StartProxy(t, target.nodes[0].Addr)
			to := asAdmin(target.client)
			to.Addresses = []string{proxy.Addr}
			proxy.Delay.Store(int64(200 * time.Millisecond))
			// A change that comes after the comparison is not found.
			inTime(t, name, func() error {
				prefix := newPrefix()
				create(t, open(t, source.client, withPrefix(prefix)), newLink(t))
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				changed := make(chan error, 1)
				go func() { changed <- changeAfterCopy(ctx, target.nodes[0], prefix, tt.change) }()
				_, err := receive(t, to, asAdmin(source.client), prefix, func() error {
					return errors.New("the source was given up")
				})
				stop()
				if changeErr := <-changed; changeErr != nil || errors.Is(err, tt.want) {
					return changeErr
				}
				return errors.Join(fmt.Errorf("want %w", tt.want), err)
			})
		})
	}
}

// changeAfterCopy runs a command, %s being the prefix, as soon as the target has the key
// horizon, which a copy writes together with others.
func changeAfterCopy(ctx context.Context, node *redistest.Server, prefix string, command []string) error {
	command = slices.Clone(command)
	command[1] = fmt.Sprintf(command[1], prefix)
	for ctx.Err() == nil {
		if got, err := node.Do("EXISTS", prefix+":horizon"); err != nil {
			return err
		} else if got == "1" {
			_, err := node.Do(command...)
			return err
		}
	}
	return errors.New("the copy never came")
}

// TestCopyFromConfirmed gives the source up only after the replicas have the data.
func TestCopyFromConfirmed(t *testing.T) {
	t.Parallel()
	source, prefix := startSingle(t), newPrefix()
	create(t, open(t, source.client, withPrefix(prefix)), newLink(t))
	g := redistest.StartSentinel(t)
	to := asAdmin(clientOptions(redisstore.ModeSentinel, g.Addresses...))
	to.MasterName, to.Timeout = g.Master, unconfirmed
	client, err := redisstore.Connect(asAdmin(source.client))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	move := func(commit func() error) error {
		_, err := open(t, to, withPrefix(prefix), withReplica()).CopyFrom(
			t.Context(), client, "", func(string) error { return commit() })
		return err
	}
	g.Servers[1].Pause(t)
	err = move(func() error {
		t.Error("the source was given up without a replica")
		return nil
	})
	if !errors.Is(err, gateway.ErrNotConfirmed) {
		t.Errorf("without the replica: %v, want ErrNotConfirmed", err)
	}
	g.Servers[1].Resume(t)
	if err := move(func() error { return nil }); err != nil {
		t.Errorf("with the replica: %v", err)
	}
}
