package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// waitMargin is what is left of a call's time for the answer of WAIT to arrive.
const waitMargin = 20 * time.Millisecond

// write executes a script that changes links, over c. With WaitReplicas it does
// so over connections of their own, and returns without error only when that
// many replicas have it.
func (s *Store) write(ctx context.Context, c redis.UniversalClient, sc script, again repeatable, keys []string, args ...any) (any, error) {
	if s.options.WaitReplicas == 0 {
		return run(ctx, c, sc, again, keys, args...)
	}
	node, err := s.client.master(ctx, keys[0])
	asking := false
	for err == nil {
		var reply any
		reply, err = s.writeTo(ctx, node, asking, sc, keys, args)
		moved, hasMoved := redis.IsMovedError(err)
		ask, isAsked := redis.IsAskError(err)
		switch {
		case hasMoved, isAsked:
			// A node that sends elsewhere has executed nothing.
			if asking = isAsked; isAsked {
				moved = ask
			}
			node, err = s.client.nodeAt(ctx, moved, keys[0])
		case redis.HasErrorPrefix(err, "TRYAGAIN"):
			err = nil
		default:
			return reply, err
		}
		if !pause(ctx, tryAgainPause) {
			return nil, ctx.Err()
		}
	}
	return nil, err
}

// writeTo executes a script on one node and waits for its replicas. WAIT answers
// for the writes of its own connection, and at once where there were none: so
// both go over one, which is never exchanged for another between them. With
// gateway.ErrNotConfirmed the script was executed, and its reply is returned too.
func (s *Store) writeTo(ctx context.Context, node *redis.Client, asking bool, sc script, keys []string, args []any) (any, error) {
	conn := node.Conn()
	defer func() { _ = conn.Close() }()
	reply, err := sc.execute(keys, args, func(command []any) (any, error) {
		if asking {
			if err := conn.Process(ctx, redis.NewStatusCmd(ctx, "asking")); err != nil {
				return nil, err
			}
		}
		cmd := redis.NewCmd(ctx, command...)
		_ = conn.Process(ctx, once{cmd}) // The error is in the command.
		return cmd.Result()
	})
	if err != nil {
		s.client.lookAgain(ctx, err)
		return nil, err
	}
	return reply, s.wait(ctx, conn)
}

// wait returns without error when Options.WaitReplicas replicas have what conn has
// written, and gateway.ErrNotConfirmed otherwise.
func (s *Store) wait(ctx context.Context, conn *redis.Conn) error {
	patience := time.Millisecond
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(time.Until(deadline)-waitMargin, patience)
	}
	wait := redis.NewCmd(ctx, "wait", s.options.WaitReplicas, patience.Milliseconds())
	_ = conn.Process(ctx, once{wait}) // The error is in the command.
	have, err := wait.Int()
	if err != nil {
		return fmt.Errorf("%w: %w", gateway.ErrNotConfirmed, err)
	}
	if have < s.options.WaitReplicas {
		return fmt.Errorf("%w: %d of %d replicas have it", gateway.ErrNotConfirmed, have, s.options.WaitReplicas)
	}
	return nil
}

// master returns the node that holds key, for what waits for replicas.
func (c *Client) master(ctx context.Context, key string) (*redis.Client, error) {
	return masterOf(ctx, c.waiting, key)
}

// masterOf returns the node that holds key, as a client knows it.
func masterOf(ctx context.Context, c redis.UniversalClient, key string) (*redis.Client, error) {
	switch client := c.(type) {
	case *redis.ClusterClient:
		return client.MasterForKey(ctx, key)
	case *redis.Client:
		return client, nil
	}
	return nil, errors.New("no client that can wait")
}

// nodeAt returns the node of a cluster at the address that another one named, or
// whom the cluster names by now.
func (c *Client) nodeAt(ctx context.Context, addr, key string) (*redis.Client, error) {
	all, ok := c.waiting.(*redis.ClusterClient)
	if !ok {
		return c.master(ctx, key)
	}
	all.ReloadState(ctx)
	found := make(chan *redis.Client, 1)
	_ = all.ForEachShard(ctx, func(_ context.Context, node *redis.Client) error {
		if node.Options().Addr == addr {
			found <- node
		}
		return nil
	})
	select {
	case node := <-found:
		return node, nil
	default:
		return all.MasterForKey(ctx, key)
	}
}

// lookAgain lets a cluster's masters be looked for again where one did not answer.
func (c *Client) lookAgain(ctx context.Context, err error) {
	if all, ok := c.waiting.(*redis.ClusterClient); ok {
		lookAgain{all}.after(ctx, err)
	}
}
