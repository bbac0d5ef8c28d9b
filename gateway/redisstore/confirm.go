package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// An operation over all links is confirmed by a write of its own on every master,
// also where it found nothing to do: what it found ended may have been ended by a
// call that no replica has heard of. WAIT answers for all that the master had
// written before that write, by whomever.
//
// The links must have been read from the same masters. A failover between reading
// and writing would let the new master confirm what only the old one said. A
// master's replication ID names the history of its writes and changes with every
// failover, so it is compared before and after (Redis documentation, "Replication"):
// over the connections that links are read by, and over those that wait.
//
// While a slot moves, its links are on two masters, and the one that it moves to is
// not known as a master of its partition. Nothing is confirmed until it has moved.

// replicationIDs are the replication IDs of the masters, by partition; empty where
// no replicas are waited for.
type replicationIDs [partitions]string

// replicationIDs asks every master for its replication ID. If links are still read
// from another master than the one that is written to, the error is
// gateway.ErrNotConfirmed.
func (s *Store) replicationIDs(ctx context.Context) (ids replicationIDs, err error) {
	if s.options.WaitReplicas == 0 {
		return ids, nil
	}
	if ids, err = s.replicationIDsOver(ctx, s.client.waiting); err != nil {
		return ids, err
	}
	read, err := s.replicationIDsOver(ctx, s.client.rest)
	if err == nil && read != ids {
		err = fmt.Errorf("%w: links are read from another master", gateway.ErrNotConfirmed)
	}
	return ids, err
}

// replicationIDsOver asks over the connections of one client.
func (s *Store) replicationIDsOver(ctx context.Context, c redis.UniversalClient) (ids replicationIDs, err error) {
	err = s.eachMaster(ctx, c, func(ctx context.Context, node *redis.Client, served []int) error {
		text, err := node.Info(ctx, "replication").Result()
		id := parseInfo(text)["master_replid"]
		if err == nil && id == "" {
			err = errors.New("INFO says no replication ID")
		}
		for _, p := range served {
			ids[p] = id // Each partition is one master's.
		}
		return err
	})
	return ids, err
}

// confirmationLife is how long a master keeps the key of a confirmation: to put off
// its end is a write that needs no memory.
const confirmationLife = 365 * 24 * time.Hour

// confirmAll returns without error only when every master has written and, with
// Options.WaitReplicas, that many of its replicas have all it had written by then,
// and each partition is still served by the master that before was taken from.
func (s *Store) confirmAll(ctx context.Context, before replicationIDs) error {
	if s.options.WaitReplicas == 0 {
		return s.writeEverywhere(ctx)
	}
	read, err := s.replicationIDsOver(ctx, s.client.rest)
	if err == nil && read != before {
		err = errors.New("a master that links were read from has changed meanwhile")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", gateway.ErrNotConfirmed, err)
	}
	err = s.eachMaster(ctx, s.client.waiting, func(ctx context.Context, node *redis.Client, served []int) error {
		conn := node.Conn()
		defer func() { _ = conn.Close() }()
		if err := s.serves(ctx, conn, served); err != nil {
			return err
		}
		if err := touch(ctx, conn, []string{s.keys.confirmation(served[0])}); err != nil {
			return err
		}
		text, err := conn.Info(ctx, "replication").Result()
		if err != nil {
			return err
		}
		id := parseInfo(text)["master_replid"]
		for _, p := range served {
			if id == "" || id != before[p] {
				return fmt.Errorf("the master of partition %d has changed meanwhile", p)
			}
		}
		return s.wait(ctx, conn)
	})
	if err != nil && !errors.Is(err, gateway.ErrNotConfirmed) {
		err = fmt.Errorf("%w: %w", gateway.ErrNotConfirmed, err)
	}
	return err
}

// serves returns an error if a partition's slot is, or begins to be, another node's
// (Redis documentation, "Redis cluster specification", ASK redirection).
func (s *Store) serves(ctx context.Context, c redis.Cmdable, served []int) error {
	pipe := c.Pipeline()
	for _, p := range served {
		pipe.Exists(ctx, s.keys.absent(p))
	}
	_, err := pipe.Exec(ctx)
	return err
}

// writeEverywhere writes in every partition, so that a master which has lost its
// replicas (min-replicas-to-write) refuses what it would otherwise only read. One that
// has no memory for that is asked for a write that needs none.
func (s *Store) writeEverywhere(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	keys := make([]string, partitions)
	for p := range keys {
		keys[p] = s.keys.confirmation(p)
	}
	err := touch(ctx, s.client.rest, keys)
	if redis.HasErrorPrefix(err, "OOM") {
		pipe := s.client.rest.Pipeline()
		for _, key := range keys {
			pipe.Del(ctx, key)
		}
		_, err = pipe.Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", gateway.ErrNotConfirmed, err)
	}
	return nil
}

// touch changes the keys of confirmations: those that are there need no memory for
// it.
func touch(ctx context.Context, c redis.Cmdable, keys []string) error {
	pipe := c.Pipeline()
	put := make([]*redis.BoolCmd, len(keys))
	for i, key := range keys {
		put[i] = pipe.PExpireAt(ctx, key, time.Now().Add(confirmationLife))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	pipe = c.Pipeline()
	for i, key := range keys {
		if !put[i].Val() {
			pipe.Set(ctx, key, "", confirmationLife)
		}
	}
	if pipe.Len() == 0 {
		return nil
	}
	_, err := pipe.Exec(ctx)
	return err
}

// eachMaster calls do for every master that c knows, at once, with the partitions that
// it serves, and returns the errors of all.
func (s *Store) eachMaster(ctx context.Context, c redis.UniversalClient, do func(ctx context.Context, node *redis.Client, served []int) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	served := map[*redis.Client][]int{}
	for p := range partitions {
		node, err := masterOf(ctx, c, s.streams[p])
		if err != nil {
			return err
		}
		served[node] = append(served[node], p)
	}
	var mu sync.Mutex
	var failed error
	var asking sync.WaitGroup
	for node, its := range served {
		asking.Go(func() {
			if err := do(ctx, node, its); err != nil {
				s.client.lookAgain(ctx, err)
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
			}
		})
	}
	asking.Wait()
	return failed
}
