package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// redisClient returns a client of one node that ends with the test.
func redisClient(t *testing.T, address string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestStartRedis gives each kind of Redis the persistence that its row names.
func TestStartRedis(t *testing.T) {
	for kind, want := range map[string]map[string]string{
		inMemory:   {"appendonly": "no", "save": "", "cluster-enabled": "no"},
		appendOnly: {"appendonly": "yes", "appendfsync": "everysec", "save": "", "auto-aof-rewrite-percentage": "0"},
	} {
		t.Run(kind, func(t *testing.T) {
			s := realStore(t, testOptions(t), kind)
			if len(s.nodes) != 1 || len(s.addresses) != 1 {
				t.Fatalf("%d nodes at %q", len(s.nodes), s.addresses)
			}
			for name, value := range want {
				got, err := redisClient(t, s.addresses[0]).ConfigGet(t.Context(), name).Result()
				if err != nil || got[name] != value {
					t.Errorf("%s is %q, want %q: %v", name, got[name], value, err)
				}
			}
		})
	}
}

// TestStartCluster starts masters that serve all slots and know each other.
func TestStartCluster(t *testing.T) {
	s := realStore(t, testOptions(t), clusterOf3)
	if len(s.nodes) != clusterNodes || len(s.addresses) != clusterNodes {
		t.Fatalf("%d nodes at %q", len(s.nodes), s.addresses)
	}
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: s.addresses})
	t.Cleanup(func() { _ = cluster.Close() })
	owners := map[string]int{}
	all, err := cluster.ClusterShards(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range all {
		for _, part := range shard.Slots {
			owners[shard.Nodes[0].ID] += int(part.End - part.Start + 1)
		}
	}
	if len(owners) != clusterNodes {
		t.Errorf("the slots belong to %v", owners)
	}
	total := 0
	for id, n := range owners {
		if n < slots/clusterNodes {
			t.Errorf("node %s has %d slots, fewer than a third", id, n)
		}
		total += n
	}
	if total != slots {
		t.Errorf("%d slots are served, want %d", total, slots)
	}
	for _, key := range []string{"{a}1", "{b}1", "{c}1", "{d}1"} {
		if err := cluster.Set(t.Context(), key, "x", 0).Err(); err != nil {
			t.Errorf("set %s: %v", key, err)
		}
	}
}

// TestStartRedisFails returns the nodes that run, so that the benchmark can end them.
func TestStartRedisFails(t *testing.T) {
	o := testOptions(t)
	o.scratch = "/nonexistent"
	if nodes, _, err := startRedis(t.Context(), o, inMemory); err == nil || len(nodes) != 0 {
		t.Errorf("without a directory: %d nodes, %v", len(nodes), err)
	}
	o = testOptions(t)
	if _, _, err := startNode(t.Context(), o, []string{"--no-such-directive", "1"}); err == nil ||
		!strings.Contains(err.Error(), "ended at once") {
		t.Errorf("a directive that Redis does not know: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := startRedis(ctx, o, inMemory); err == nil {
		t.Error("a Redis was started after the end")
	}
}

// TestJoinClusterFails names what a node without cluster mode answers.
func TestJoinClusterFails(t *testing.T) {
	s := realStore(t, testOptions(t), inMemory)
	err := joinCluster(t.Context(), s.nodes, s.addresses)
	if err == nil || !strings.Contains(err.Error(), "cluster support disabled") {
		t.Errorf("got %v", err)
	}
}

// TestWholeCluster is about the state and the number of nodes.
func TestWholeCluster(t *testing.T) {
	s := realStore(t, testOptions(t), clusterOf3)
	c := redisClient(t, s.addresses[0])
	if err := wholeCluster(c, clusterNodes)(t.Context()); err != nil {
		t.Errorf("the cluster: %v", err)
	}
	if err := wholeCluster(c, clusterNodes+1)(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "cluster_known_nodes:3") {
		t.Errorf("with another node: %v", err)
	}
	if err := c.ClusterDelSlots(t.Context(), 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.nodes[0].stop()
	var failed *net.OpError
	if err := wholeCluster(c, clusterNodes)(t.Context()); !errors.As(err, &failed) {
		t.Errorf("a node that has ended: %v", err)
	}
}

// TestScriptCalls counts the calls of scripts on all nodes. Other commands do not count,
// and neither do commands within a script.
func TestScriptCalls(t *testing.T) {
	o := testOptions(t)
	one, two := realStore(t, o, inMemory), realStore(t, o, inMemory)
	addresses := []string{one.addresses[0], two.addresses[0]}
	if n, err := scriptCalls(t.Context(), addresses); n != 0 || err != nil {
		t.Errorf("before the first call: %d, %v", n, err)
	}
	for i, address := range addresses {
		c := redisClient(t, address)
		digest, err := c.ScriptLoad(t.Context(), "return redis.call('GET', KEYS[1])").Result()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 + i {
			if err := c.EvalSha(t.Context(), digest, []string{"k"}).Err(); err != nil && !errors.Is(err, redis.Nil) {
				t.Fatal(err)
			}
		}
		if err := c.Get(t.Context(), "k").Err(); !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
	}
	if n, err := scriptCalls(t.Context(), addresses); n != 5 || err != nil {
		t.Errorf("after five calls: %d, %v", n, err)
	}
	if n, err := scriptCalls(t.Context(), addresses[1:]); n != 3 || err != nil {
		t.Errorf("on the second node: %d, %v", n, err)
	}
	two.nodes[0].stop()
	if _, err := scriptCalls(t.Context(), addresses); err == nil {
		t.Error("a node that has ended is no error")
	}
}
