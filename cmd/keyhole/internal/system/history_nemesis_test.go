//go:build system

package system

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"keyhole/gateway/redisstore/redistest"
)

// nemesis injects faults into a cluster of three masters with a replica each, one
// after the other.
type nemesis struct {
	t       *testing.T
	group   *redistest.Group
	proxies []*redistest.Proxy // of the nodes, in their order
	counts  map[string]int
}

// fault is one kind of trouble. It ends what it has begun.
type fault struct {
	name   string
	inject func(n *nemesis, ctx context.Context, master, replica int)
}

// faults are those of the list in deploy/docs/dev/faults.md that Redis and the wire can
// have, by their numbers.
func faults() []fault {
	return []fault{
		{"1 killed", (*nemesis).killed},
		{"2 stopped", (*nemesis).stopped},
		{"2 silent", (*nemesis).silent},
		{"3 slow", (*nemesis).slow},
		{"4 replies lost", (*nemesis).repliesLost},
		{"5 failover", (*nemesis).failover},
		{"6 failover to a replica behind", (*nemesis).failoverBehind},
		{"7 replica behind the address", (*nemesis).readOnly},
		{"7 no replicas", (*nemesis).noReplicas},
		{"8 out of memory", (*nemesis).outOfMemory},
		{"9 scripts flushed", (*nemesis).flushed},
		{"10 slot moved", (*nemesis).slotMoved},
	}
}

// haunt injects faults, each kind in turn, on a master by chance, for some rounds or
// until ctx ends. After each it waits until the cluster is whole again.
func (n *nemesis) haunt(ctx context.Context, rounds int) {
	for range rounds {
		for _, f := range faults() {
			pauseFor(ctx, 400*time.Millisecond)
			if ctx.Err() != nil {
				return
			}
			master, replica := n.victim()
			f.inject(n, ctx, master, replica)
			n.counts[f.name]++
			n.mend()
		}
	}
}

// node returns one of the servers.
func (n *nemesis) node(i int) *redistest.Server { return n.group.Servers[i] }

// masters returns which nodes are masters with slots, as one that answers says.
func (n *nemesis) masters() []int {
	var found []int
	for _, line := range n.nodes() {
		if strings.Contains(line, "master") && !strings.Contains(line, "fail") && len(strings.Fields(line)) > 8 {
			found = append(found, n.indexOf(line))
		}
	}
	return found
}

// allMasters waits until there are three masters with a replica each, and returns them. After
// a stall of the machine, nodes suspect each other for a moment, and masters leaves them out.
func (n *nemesis) allMasters() (masters []int) {
	redistest.Wait(n.t, "three masters with replicas", func() error {
		if masters = n.masters(); len(masters) != 3 {
			return fmt.Errorf("%d masters", len(masters))
		}
		for _, master := range masters {
			if _, err := n.replicaOf(master); err != nil {
				return err
			}
		}
		return nil
	})
	return masters
}

// victim returns a master by chance, and its replica.
func (n *nemesis) victim() (master, replica int) {
	redistest.Wait(n.t, "a master with a replica", func() (err error) {
		master = n.allMasters()[rand.N(3)]
		replica, err = n.replicaOf(master)
		return err
	})
	return master, replica
}

// nodes returns the lines of CLUSTER NODES.
func (n *nemesis) nodes() []string {
	for _, s := range n.group.Servers {
		if text, err := s.Do("CLUSTER", "NODES"); err == nil {
			return strings.Split(strings.TrimSpace(text), "\n")
		}
	}
	n.t.Fatal("no node of the cluster answers")
	return nil
}

// indexOf returns which node a line of CLUSTER NODES is of: they announce the
// addresses of their proxies.
func (n *nemesis) indexOf(line string) int {
	address, _, _ := strings.Cut(strings.Fields(line)[1], "@")
	for i, p := range n.proxies {
		if p.Addr == address {
			return i
		}
	}
	n.t.Fatalf("no proxy of %s", line)
	return -1
}

// replicaOf returns the replica of a master, or an error if a node suspects that replica.
func (n *nemesis) replicaOf(master int) (int, error) {
	lines := n.nodes()
	id := ""
	for _, line := range lines {
		if n.indexOf(line) == master {
			id = strings.Fields(line)[0]
		}
	}
	for _, line := range lines {
		if fields := strings.Fields(line); fields[3] == id && !strings.Contains(line, "fail") {
			return n.indexOf(line), nil
		}
	}
	return -1, fmt.Errorf("node %d has no replica:\n%s", master, strings.Join(lines, "\n"))
}

// mend waits until every node says that the cluster is whole, and every replica
// has what its master has.
func (n *nemesis) mend() {
	redistest.Wait(n.t, "the cluster to be whole", func() error {
		for i, s := range n.group.Servers {
			state, err := s.Do("CLUSTER", "INFO")
			if err != nil || !strings.Contains(state, "cluster_state:ok") {
				return fmt.Errorf("node %d: %w %s", i, err, state)
			}
		}
		lines := n.nodes()
		if masters := n.masters(); len(masters) != 3 {
			return fmt.Errorf("%d masters", len(masters))
		}
		if err := n.adopt(lines); err != nil {
			return err
		}
		for _, line := range lines {
			if strings.Contains(line, "fail") {
				return fmt.Errorf("failing: %s", line)
			}
			if !strings.Contains(line, "slave") {
				continue
			}
			info, err := n.node(n.indexOf(line)).Do("INFO", "replication")
			if err != nil || !strings.Contains(info, "master_link_status:up") {
				return fmt.Errorf("a replica without its master: %w", err)
			}
		}
		return nil
	})
}

// adopt gives a master without slots, as one comes back that has lost them to
// several others while it was away, to the master that has no replica.
func (n *nemesis) adopt(lines []string) error {
	lonely, empty := "", -1
	for _, line := range lines {
		fields := strings.Fields(line)
		if !strings.Contains(fields[2], "master") {
			continue
		}
		switch {
		case len(fields) <= 8:
			empty = n.indexOf(line)
		case !slices.ContainsFunc(lines, func(other string) bool { return strings.Fields(other)[3] == fields[0] }):
			lonely = fields[0]
		}
	}
	if empty < 0 {
		return nil
	}
	_, err := n.node(empty).Do("CLUSTER", "REPLICATE", lonely)
	return errors.Join(err, fmt.Errorf("node %d was no replica", empty))
}

// killed kills a master and starts it again at once.
func (n *nemesis) killed(ctx context.Context, master, _ int) {
	n.node(master).Kill(n.t)
	n.proxies[master].HangUp()
	pauseFor(ctx, 300*time.Millisecond)
	n.node(master).Start(n.t)
}

// stopped puts a master to sleep, for less than a failover takes.
func (n *nemesis) stopped(ctx context.Context, master, _ int) {
	n.node(master).Pause(n.t)
	pauseFor(ctx, 900*time.Millisecond)
	n.node(master).Resume(n.t)
}

// silent lets the wire to a master swallow everything, from both sides.
func (n *nemesis) silent(ctx context.Context, master, _ int) {
	n.proxies[master].Silent.Store(true)
	pauseFor(ctx, 900*time.Millisecond)
	n.proxies[master].Silent.Store(false)
	n.proxies[master].HangUp() // what was swallowed is missing in the streams
}

// slow lets a master's answers come later by 50, 200 or 1,000 ms.
func (n *nemesis) slow(ctx context.Context, master, _ int) {
	by := []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, time.Second}[rand.N(3)]
	n.proxies[master].Delay.Store(int64(by))
	pauseFor(ctx, time.Second)
	n.proxies[master].Delay.Store(0)
}

// repliesLost keeps the replies of what a master executes, and hangs up.
func (n *nemesis) repliesLost(ctx context.Context, master, _ int) {
	n.proxies[master].Lose.Store(true)
	pauseFor(ctx, 500*time.Millisecond)
	n.proxies[master].Lose.Store(false)
}

// failover kills a master and lets its replica take over.
func (n *nemesis) failover(_ context.Context, master, replica int) {
	n.node(master).Kill(n.t)
	n.proxies[master].HangUp()
	n.takesOver(replica)
	n.node(master).Start(n.t)
}

// behindFor is the shortest time that a replica is kept behind, and behindMore what
// chance adds: within the longer ones a change is refused for want of replicas, and
// repeated, before the failover.
const (
	behindFor  = 400 * time.Millisecond
	behindMore = 1200 * time.Millisecond
)

// failoverBehind keeps from a replica what its master sends it under load, kills the
// master, and lets the replica take over.
func (n *nemesis) failoverBehind(ctx context.Context, master, replica int) {
	n.killBehind(ctx, master)
	n.takesOver(replica)
	n.node(master).Start(n.t)
}

// killBehind kills a master whose replica is behind.
func (n *nemesis) killBehind(ctx context.Context, master int) {
	n.proxies[master].Behind.Store(true)
	pauseFor(ctx, behindFor+rand.N(behindMore))
	n.node(master).Kill(n.t)
	n.proxies[master].HangUp()
	n.proxies[master].Behind.Store(false)
}

// takesOver waits until the cluster has made a master of a replica. ROLE would not
// do: a replica that has just started says master until it has found its own.
func (n *nemesis) takesOver(replica int) {
	redistest.Wait(n.t, "the replica to take over", func() error {
		nodes, err := n.node(replica).Do("CLUSTER", "NODES")
		if err == nil && !strings.Contains(nodes, "myself,master") {
			err = errors.New("it is a replica")
		}
		return err
	})
}

// readOnly puts a master's replica behind its address.
func (n *nemesis) readOnly(ctx context.Context, master, replica int) {
	n.proxies[master].Upstream.Store(&n.node(replica).Addr)
	n.proxies[master].HangUp()
	pauseFor(ctx, 500*time.Millisecond)
	n.proxies[master].Upstream.Store(&n.node(master).Addr)
	n.proxies[master].HangUp()
}

// noReplicas lets a master miss replicas that it must have.
func (n *nemesis) noReplicas(ctx context.Context, master, _ int) {
	n.node(master).MustDo(n.t, "CONFIG", "SET", "min-replicas-to-write", "5")
	pauseFor(ctx, 500*time.Millisecond)
	n.node(master).MustDo(n.t, "CONFIG", "SET", "min-replicas-to-write", "1")
}

// outOfMemory leaves a master no memory.
func (n *nemesis) outOfMemory(ctx context.Context, master, _ int) {
	n.node(master).MustDo(n.t, "CONFIG", "SET", "maxmemory", "1")
	pauseFor(ctx, 500*time.Millisecond)
	n.node(master).MustDo(n.t, "CONFIG", "SET", "maxmemory", "0")
}

// flushed empties the script cache of every node.
func (n *nemesis) flushed(context.Context, int, int) {
	for _, s := range n.group.Servers {
		s.MustDo(n.t, "SCRIPT", "FLUSH")
	}
}

// slotMoved moves the slot of a partition, key by key, to another master.
func (n *nemesis) slotMoved(_ context.Context, master, _ int) {
	from := n.node(master)
	var to *redistest.Server
	for _, other := range n.allMasters() {
		if other != master {
			to = n.node(other)
		}
	}
	slot := n.slotAt(from)
	if slot == "" {
		return // it has none of the partitions any more
	}
	id, own := to.MustDo(n.t, "CLUSTER", "MYID"), from.MustDo(n.t, "CLUSTER", "MYID")
	to.MustDo(n.t, "CLUSTER", "SETSLOT", slot, "IMPORTING", own)
	from.MustDo(n.t, "CLUSTER", "SETSLOT", slot, "MIGRATING", id)
	host, port, err := net.SplitHostPort(to.Addr)
	if err != nil {
		n.t.Fatal(err)
	}
	for {
		keys := from.MustDo(n.t, "CLUSTER", "GETKEYSINSLOT", slot, "50")
		if keys == "" {
			break
		}
		from.MustDo(n.t, append([]string{
			"MIGRATE", host, port, "", "0", "5000", "AUTH2", redistest.AdminUsername, redistest.AdminPassword, "KEYS",
		}, strings.Split(keys, "\n")...)...)
	}
	to.MustDo(n.t, "CLUSTER", "SETSLOT", slot, "NODE", id)
	for _, other := range n.allMasters() {
		n.node(other).MustDo(n.t, "CLUSTER", "SETSLOT", slot, "NODE", id)
	}
}

// slotAt returns a slot of a partition that a node serves, empty where it has none.
func (n *nemesis) slotAt(node *redistest.Server) string {
	for _, p := range rand.Perm(64) {
		key := "keyhole:{p" + strconv.Itoa(p) + "}:ops"
		if found, err := node.Do("EXISTS", key); err == nil && found == "1" {
			return node.MustDo(n.t, "CLUSTER", "KEYSLOT", key)
		}
	}
	return ""
}
