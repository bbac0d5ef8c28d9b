package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// startRedis starts a Redis of a kind on the gateway's core. With an error it also returns
// the processes that were started before.
func startRedis(ctx context.Context, o *options, kind string) (nodes []*process, addresses []string, err error) {
	args := []string{"--save", "", "--appendonly", "no"}
	many := 1
	switch kind {
	case appendOnly:
		args = append(args, "--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0")
	case clusterOf3:
		args = append(args, "--cluster-enabled", "yes")
		many = clusterNodes
	}
	for range many {
		p, address, err := startNode(ctx, o, args)
		if err != nil {
			return nodes, nil, err
		}
		nodes, addresses = append(nodes, p), append(addresses, address)
	}
	if kind == clusterOf3 {
		err = joinCluster(ctx, nodes, addresses)
	}
	return nodes, addresses, err
}

// startNode starts one redis-server on the gateway's core, with a directory of its own. It
// has no password, because it listens on loopback and holds made-up links.
func startNode(ctx context.Context, o *options, args []string) (_ *process, address string, _ error) {
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	dir, err := os.MkdirTemp(o.scratch, "redis")
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(address)
	// Redis would use the port 10,000 above as the cluster's port, which may not exist.
	bus, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	_, busPort, _ := net.SplitHostPort(bus)
	p, err := launch(o, o.core, "redis-server", nil,
		append([]string{"--bind", "127.0.0.1", "--port", port, "--cluster-port", busPort, "--dir", dir}, args...)...)
	if err != nil {
		return nil, "", err
	}
	return p, address, p.await(ctx, listening(address))
}

// slots is the number of hash slots of a cluster (Redis Cluster specification).
const slots = 16384

// joinCluster makes separate nodes a cluster of masters and waits until each node reports
// that the cluster is complete.
func joinCluster(ctx context.Context, nodes []*process, addresses []string) error {
	clients := make([]*redis.Client, len(addresses))
	for i, address := range addresses {
		clients[i] = redis.NewClient(&redis.Options{Addr: address})
		defer func() { _ = clients[i].Close() }()
		err := errors.Join(
			clients[i].Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(),
			clients[i].ClusterAddSlotsRange(ctx, i*slots/len(addresses), (i+1)*slots/len(addresses)-1).Err(),
		)
		if err != nil {
			return err
		}
		own, err := clients[i].ConfigGet(ctx, "cluster-port").Result()
		if err != nil {
			return err
		}
		host, port, _ := net.SplitHostPort(address)
		if err := clients[0].Do(ctx, "CLUSTER", "MEET", host, port, own["cluster-port"]).Err(); err != nil {
			return err
		}
	}
	for i, client := range clients {
		if err := nodes[i].await(ctx, wholeCluster(client, len(clients))); err != nil {
			return err
		}
	}
	return nil
}

// wholeCluster reports whether a node knows that many nodes and every slot is served. Until
// then, a node can refuse keys that are not its own.
func wholeCluster(client *redis.Client, nodes int) func(context.Context) error {
	return func(ctx context.Context) error {
		info, err := client.ClusterInfo(ctx).Result()
		if err == nil && (!strings.Contains(info, "cluster_state:ok") || !strings.Contains(info,
			"cluster_known_nodes:"+strconv.Itoa(nodes))) {
			err = errors.New("the cluster is not whole: " + info)
		}
		return err
	}
}
