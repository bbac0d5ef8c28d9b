package redistest

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Group is a set of servers that work together.
type Group struct {
	Addresses []string  // what a client connects to: the nodes, or the sentinels
	Servers   []*Server // every redis-server; at first the first half of a cluster are the masters
	Sentinels []*Server // none in a cluster
	Master    string    // the name of the master at the sentinels
}

// StartCluster starts a cluster of three masters with one replica each, and waits until
// every node reports that the cluster is complete. The directives go into the
// configuration of every node. No replica takes over before FailOver is called.
func StartCluster(tb testing.TB, directives ...string) *Group {
	tb.Helper()
	directives = append(slices.Clone(directives), clusterStays+" yes")
	g := startCluster(tb, func(*Server) []string { return directives })
	// Nodes learn of each other more slowly with this timeout.
	for _, s := range g.Servers {
		s.MustDo(tb, "CONFIG", "SET", clusterTimeout, lasting)
	}
	return g
}

// StartClusterBehind starts a cluster in which clients and replicas reach each node only
// through a proxy. The proxies are in the order of the nodes. Replicas take over at once, as
// after FailOver.
func StartClusterBehind(tb testing.TB, directives ...string) (*Group, []*Proxy) {
	tb.Helper()
	var proxies []*Proxy
	g := startCluster(tb, func(s *Server) []string {
		p := StartProxy(tb, s.Addr)
		proxies = append(proxies, p)
		_, announced, _ := net.SplitHostPort(p.Addr)
		_, real, _ := net.SplitHostPort(s.Addr)
		port, _ := strconv.Atoi(real)
		return append(directives, "cluster-announce-ip 127.0.0.1", "cluster-announce-port "+announced,
			"cluster-announce-bus-port "+strconv.Itoa(port+busAbove))
	})
	for i := range g.Addresses {
		g.Addresses[i] = proxies[i].Addr
	}
	return g, proxies
}

// The time in milliseconds after which a node of a cluster or a sentinel takes a silent
// master for dead. A test that kills no master needs a long one: on a slow machine a master
// can be silent for seconds, and would lose its role.
const (
	brief          = "2000" // of a cluster, because a failover should take a test few seconds
	lasting        = "60000"
	clusterTimeout = "cluster-node-timeout"
	clusterStays   = "cluster-replica-no-failover"

	sentinelTimeout = "down-after-milliseconds"
)

// FailOver lets a replica take over a few seconds after its master has ended. The servers
// that run now learn it, so a test calls FailOver when the replica runs.
func (g *Group) FailOver(tb testing.TB) {
	tb.Helper()
	for _, s := range g.Sentinels {
		s.MustDo(tb, "SENTINEL", "SET", g.Master, sentinelTimeout, "1000")
		// A sentinel that did not run for 2 s would do nothing for 30 s (Redis documentation,
		// "High availability with Redis Sentinel", TILT mode).
		s.MustDo(tb, "SENTINEL", "DEBUG", "tilt-period", "1000")
	}
	if len(g.Sentinels) > 0 {
		return
	}
	for _, s := range g.Servers {
		if s.runs() {
			s.MustDo(tb, "CONFIG", "SET", clusterTimeout, brief, clusterStays, "no")
		}
	}
}

// startCluster starts a cluster whose nodes have different directives. It assigns slots and
// replicas itself, because redis-cli would need a terminal and more time.
func startCluster(tb testing.TB, directives func(*Server) []string) *Group {
	tb.Helper()
	g := &Group{}
	for range 6 {
		s := newServer(tb, "redis-server",
			"cluster-enabled yes", clusterTimeout+" "+brief, "cluster-replica-validity-factor 0")
		s.configure(tb, directives(s)...)
		s.Start(tb)
		g.Servers = append(g.Servers, s)
		g.Addresses = append(g.Addresses, s.Addr)
	}
	first := g.Servers[0]
	// Nodes that start at the same time would otherwise agree on their epochs only after
	// several rounds of gossip.
	for i, s := range g.Servers {
		s.MustDo(tb, "CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
		if i < 3 {
			from, to := i*16384/3, (i+1)*16384/3-1
			s.MustDo(tb, "CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(from), fmt.Sprint(to))
		}
		if i > 0 {
			host, port, _ := net.SplitHostPort(first.Addr)
			s.MustDo(tb, "CLUSTER", "MEET", host, port)
		}
	}
	// A node refuses REPLICATE until gossip has told it of the master.
	for i, s := range g.Servers[3:] {
		master := g.Servers[i].MustDo(tb, "CLUSTER", "MYID")
		Wait(tb, "node "+s.Addr+" to know its master", func() error {
			_, err := s.Do("CLUSTER", "REPLICATE", master)
			return err
		})
	}
	// Each node must know all the others: a client may ask any of them for the topology.
	for i, s := range g.Servers {
		Wait(tb, "the cluster to be whole at "+s.Addr, func() error {
			return contains(s, []string{"CLUSTER", "INFO"}, "cluster_state:ok", "cluster_known_nodes:6")
		})
		Wait(tb, "the replica of "+s.Addr, func() error {
			if i < 3 {
				return contains(s, []string{"INFO", "replication"}, "state=online")
			}
			return contains(s, []string{"INFO", "replication"}, "master_link_status:up")
		})
		Wait(tb, "three masters at "+s.Addr, func() error {
			nodes, err := s.Do("CLUSTER", "NODES")
			if n := strings.Count(nodes, "slave"); err == nil && n != 3 {
				err = fmt.Errorf("%d replicas:\n%s", n, nodes)
			}
			return err
		})
	}
	return g
}

// StartSentinel starts a master with one replica and three sentinels, and waits until every
// sentinel knows both servers and the other sentinels. The directives go into the
// configuration of the master and of the replica. The replica does not take over before
// FailOver is called.
func StartSentinel(tb testing.TB, directives ...string) *Group {
	tb.Helper()
	g := &Group{Master: "links"}
	master := StartSingle(tb, directives...)
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := StartSingle(tb, append(slices.Clone(directives), "replicaof "+host+" "+port)...)
	g.Servers = []*Server{master, replica}
	Wait(tb, "the replica", func() error {
		return contains(master, []string{"INFO", "replication"}, "state=online")
	})
	// Two of three sentinels must agree.
	for range 3 {
		s := newServer(tb, "redis-sentinel",
			"sentinel monitor "+g.Master+" "+host+" "+port+" 2",
			"sentinel auth-user "+g.Master+" "+AdminUsername,
			"sentinel auth-pass "+g.Master+" "+AdminPassword,
			"sentinel "+sentinelTimeout+" "+g.Master+" "+lasting,
			"sentinel failover-timeout "+g.Master+" 5000")
		s.Start(tb)
		g.Sentinels = append(g.Sentinels, s)
		g.Addresses = append(g.Addresses, s.Addr)
	}
	for _, s := range g.Sentinels {
		Wait(tb, "the sentinel at "+s.Addr, func() error {
			return contains(s, []string{"SENTINEL", "MASTER", g.Master},
				"num-slaves\n1", "num-other-sentinels\n2", "flags\nmaster\n")
		})
	}
	return g
}

// contains returns an error unless the reply to a command contains all parts.
func contains(s *Server, command []string, parts ...string) error {
	answer, err := s.Do(command...)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if !strings.Contains(answer, part) {
			return fmt.Errorf("%s lacks %q:\n%s", strings.Join(command, " "), part, answer)
		}
	}
	return nil
}
