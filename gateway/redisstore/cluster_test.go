package redisstore_test

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// TestMigration moves the slot of a link while the link is clicked. The old node admits
// clicks, refuses them while the link is split, then redirects with ASK and finally with
// MOVED. No click is counted twice.
func TestMigration(t *testing.T) {
	g := redistest.StartCluster(t)
	o := clientOptions(redisstore.ModeCluster, g.Addresses...)
	prefix := newPrefix()
	s := open(t, o, withPrefix(prefix))
	link := create(t, s, newLink(t))
	hasty := briefly(t, o, prefix, link.ID)
	other := newLink(t)
	other.ID[0] = link.ID[0]
	create(t, s, other)
	permission := keyIn(prefix, "l", link.ID)
	slot := g.Servers[0].MustDo(t, "CLUSTER", "KEYSLOT", permission)
	from, to := g.Servers[0], g.Servers[1]
	for _, node := range g.Servers[:3] {
		if _, err := node.Do("EXISTS", permission); err == nil {
			from = node
		}
	}
	if from == to {
		to = g.Servers[2]
	}
	to.MustDo(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.MustDo(t, "CLUSTER", "MYID"))
	from.MustDo(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.MustDo(t, "CLUSTER", "MYID"))
	host, port, err := net.SplitHostPort(to.Addr)
	if err != nil {
		t.Fatalf("address: %v", err)
	}
	move := func(keys ...string) {
		t.Helper()
		from.MustDo(t, append([]string{
			"MIGRATE", host, port, "", "0", "5000", "AUTH2", redistest.AdminUsername, redistest.AdminPassword, "KEYS",
		}, keys...)...)
	}

	// Writes that wait for replicas follow the slot too, on connections of their own.
	waiting := open(t, o, withPrefix(prefix), withReplica())
	note := func(what string) {
		t.Helper()
		if _, err := waiting.Change(t.Context(), link.ID, gateway.Change{Note: &what}, operator()); err != nil {
			t.Errorf("change, %s: %v", what, err)
		}
	}
	// What covers all links waits until the slot has moved: the master that it moves to
	// may have heard of revocations that its replicas have not.
	revokeNothing := func() error {
		_, err := waiting.RevokeAll(t.Context(), gateway.ListQuery{CreatedBy: "nobody"}, gateway.BulkOptions{}, operator())
		return err
	}
	if err := revokeNothing(); !errors.Is(err, gateway.ErrNotConfirmed) {
		t.Errorf("a bulk revocation of nothing, while a slot moves: %v, want ErrNotConfirmed", err)
	}
	note("before")
	equal(t, "before", admit(t, s, link.ID, "GET"), gateway.OutcomeRedirected)
	move(permission)
	inTime(t, "a link in pieces", func() error {
		begun := time.Now()
		err := refusedInTime(t, hasty, link.ID, brief+grace)
		if took := time.Since(begun); took < brief/2 {
			t.Errorf("a link in pieces was asked for %v only", took)
		}
		return err
	})
	move(strings.Split(from.MustDo(t, "CLUSTER", "GETKEYSINSLOT", slot, "100"), "\n")...)
	for _, method := range []string{"GET", "HEAD", "POST"} {
		equal(t, "sent on by ASK, "+method, admit(t, s, link.ID, method), gateway.OutcomeRedirected)
	}
	note("sent on by ASK")
	equal(t, "the other link", admit(t, s, other.ID, "GET"), gateway.OutcomeRedirected)
	if _, err := s.List(t.Context(), gateway.ListQuery{Limit: 10}); err != nil {
		t.Errorf("list: %v", err)
	}
	for _, node := range g.Servers[:3] {
		node.MustDo(t, "CLUSTER", "SETSLOT", slot, "NODE", to.MustDo(t, "CLUSTER", "MYID"))
	}
	note("sent on by MOVED")
	redistest.Wait(t, "a bulk revocation to be confirmed", revokeNothing)
	equal(t, "sent on by MOVED", admit(t, s, link.ID, "GET"), gateway.OutcomeRedirected)
	equal(t, "clicks", get(t, s, link.ID).Clicks, 4)
	equal(t, "events", len(events(t, s, link.ID, 50)), 8)
}

// TestFailover kills a master. After a time of ErrUnavailable the replica serves the
// links, in a cluster and behind Sentinel.
func TestFailover(t *testing.T) {
	for name, start := range replicated() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, o := start(t)
			prefix := newPrefix()
			calm := open(t, o, withPrefix(prefix))
			link := create(t, calm, newLink(t))
			admit(t, calm, link.ID, "GET")
			s := briefly(t, o, prefix, link.ID)
			permission := keyIn(prefix, "l", link.ID)
			var master *redistest.Server
			for i, node := range g.Servers[:len(g.Servers)/2] {
				n, err := node.Do("EXISTS", permission)
				if err != nil || n != "1" {
					continue
				}
				master = node
				redistest.Wait(t, "the replica", func() error {
					return sameOffset(node, g.Servers[len(g.Servers)/2+i])
				})
			}
			g.FailOver(t)
			master.Kill(t)
			began := time.Now()
			outages, admitted, unknown := 0, int64(1), int64(0)
			redistest.Wait(t, "the replica to take over", func() (err error) {
				inTime(t, "admit", func() error {
					begun := time.Now()
					_, err = s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"})
					switch {
					case err == nil:
						admitted++
					case time.Since(begun) > brief/2: // Redis may have executed it.
						unknown++
						fallthrough
					default:
						outages++
						unavailable(t, "admit", err)
					}
					return late(begun, brief+grace)
				})
				return err
			})
			t.Logf("%v without clicks, %d refused, %d of them after a while",
				time.Since(began).Round(time.Millisecond), outages, unknown)
			if outages == 0 {
				t.Error("no click was refused: the master was not killed")
			}
			// Other connections learn the new master by their first call.
			redistest.Wait(t, "readiness", func() error { return s.Ready(t.Context()) })
			redistest.Wait(t, "the clicks", func() error {
				got, err := s.Get(t.Context(), link.ID)
				if err == nil && (got.Clicks < admitted || got.Clicks > admitted+unknown) {
					t.Errorf("%d clicks, want %d to %d", got.Clicks, admitted, admitted+unknown)
				}
				return err
			})
		})
	}
}

// sameOffset returns an error until a replica has all writes of its master.
func sameOffset(master, replica *redistest.Server) error {
	of := func(s *redistest.Server, name string) string {
		info, _ := s.Do("INFO", "replication")
		for line := range strings.Lines(info) {
			if value, ok := strings.CutPrefix(line, name+":"); ok {
				return value
			}
		}
		return name
	}
	if of(master, "master_repl_offset") != of(replica, "slave_repl_offset") {
		return errors.New("the replica is behind")
	}
	return nil
}

// TestSilentNode starts gateways beside a node that accepts connections and does not
// answer: another node tells the topology, for readiness and for the first click.
func TestSilentNode(t *testing.T) {
	t.Parallel()
	g := redistest.StartCluster(t)
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	o := clientOptions(redisstore.ModeCluster, silent.Addr().String(), g.Addresses[0])
	prefix := newPrefix()
	link := create(t, open(t, clientOptions(redisstore.ModeCluster, g.Addresses...), withPrefix(prefix)), newLink(t))
	o.Timeout = 8 * time.Second // The silent node may cost half of it.
	for i := range 8 {          // go-redis selects the first node at random.
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			s := open(t, o, withPrefix(prefix))
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("ready: %v", err)
			}
			equal(t, "first click", admit(t, s, link.ID, "GET"), gateway.OutcomeRedirected)
		})
	}
}
