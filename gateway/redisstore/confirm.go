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

// A bulk operation confirms its result with an additional write on every master, even if
// it ended no link. An earlier call may have ended the links that it found ended, and no
// replica may have that write. WAIT on the additional write covers every earlier write of
// that master, by any client.
//
// The links must have been read from the same masters. After a failover between the read
// and the write, the new master would confirm a state that only the old one had. A
// master's replication ID identifies the history of its writes and changes with every
// failover (Redis documentation, "Replication"). So the store compares the IDs before and
// after, in the pool that reads links and in the pool that waits.
//
// While a slot moves, its links are on two masters, and the target is not yet known as
// the master of the partition. The store confirms nothing until the slot has moved.

// replicationIDs are the replication IDs of the masters, by partition. They are empty if
// the store does not wait for replicas.
type replicationIDs [partitions]string

// replicationIDs reads the replication ID of every master. If the pools still use
// different masters, the error is gateway.ErrNotConfirmed.
func (s *Store) replicationIDs(ctx context.Context) (ids replicationIDs, err error) {
	if s.options.WaitReplicas == 0 {
		return ids, nil
	}
	if ids, err = s.replicationIDsOver(ctx, s.client.waiting); err != nil {
		return ids, err
	}
	read, err := s.replicationIDsOver(ctx, s.client.rest)
	if err == nil && read != ids {
		err = fmt.Errorf("%w: reads and writes use different masters", gateway.ErrNotConfirmed)
	}
	return ids, err
}

// replicationIDsOver reads the replication IDs over the connections of one client.
func (s *Store) replicationIDsOver(ctx context.Context, c redis.UniversalClient) (ids replicationIDs, err error) {
	err = s.eachMaster(ctx, c, func(ctx context.Context, node *redis.Client, served []int) error {
		text, err := node.Info(ctx, "replication").Result()
		id := parseInfo(text)["master_replid"]
		if err == nil && id == "" {
			err = errors.New("INFO contains no master_replid")
		}
		for _, p := range served {
			ids[p] = id // Each partition has one master.
		}
		return err
	})
	return ids, err
}

// confirmationLife is the TTL of the key of a confirmation. Extending the TTL is a write
// that needs no memory.
const confirmationLife = 365 * 24 * time.Hour

// confirmAll returns without error only if every master has written and, with
// Options.WaitReplicas, that many of its replicas have all its earlier writes. Each
// partition must still have the master whose ID is in before. Otherwise the error is
// gateway.ErrNotConfirmed.
func (s *Store) confirmAll(ctx context.Context, before replicationIDs) error {
	if s.options.WaitReplicas == 0 {
		return s.writeEverywhere(ctx)
	}
	read, err := s.replicationIDsOver(ctx, s.client.rest)
	if err == nil && read != before {
		err = errors.New("the master of a partition has changed since the links were read")
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
				return fmt.Errorf("the master of partition %d has changed since the links were read", p)
			}
		}
		return s.wait(ctx, conn)
	})
	if err != nil && !errors.Is(err, gateway.ErrNotConfirmed) {
		err = fmt.Errorf("%w: %w", gateway.ErrNotConfirmed, err)
	}
	return err
}

// serves returns an error if the slot of a partition belongs to another node or is
// moving to one (Redis documentation, "Redis cluster specification", ASK redirection).
func (s *Store) serves(ctx context.Context, c redis.Cmdable, served []int) error {
	pipe := c.Pipeline()
	for _, p := range served {
		pipe.Exists(ctx, s.keys.absent(p))
	}
	_, err := pipe.Exec(ctx)
	return err
}

// writeEverywhere writes in every partition. A master that has lost its replicas answers
// reads but refuses this write (min-replicas-to-write), so the operation fails. A master
// that is out of memory gets a write that needs no memory.
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

// touch writes to the keys of confirmations. It extends the TTL of an existing key, which
// needs no memory.
func touch(ctx context.Context, c redis.Cmdable, keys []string) error {
	pipe := c.Pipeline()
	extended := make([]*redis.BoolCmd, len(keys))
	for i, key := range keys {
		extended[i] = pipe.PExpireAt(ctx, key, time.Now().Add(confirmationLife))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	pipe = c.Pipeline()
	for i, key := range keys {
		if !extended[i].Val() {
			pipe.Set(ctx, key, "", confirmationLife)
		}
	}
	if pipe.Len() == 0 {
		return nil
	}
	_, err := pipe.Exec(ctx)
	return err
}

// eachMaster calls do for every master that c knows, all at the same time, with the
// partitions that the master serves. It returns the errors of all.
func (s *Store) eachMaster(
	ctx context.Context, c redis.UniversalClient,
	do func(ctx context.Context, node *redis.Client, served []int) error,
) error {
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
	var calling sync.WaitGroup
	for node, own := range served {
		calling.Go(func() {
			if err := do(ctx, node, own); err != nil {
				s.client.reloadTopology(ctx, err)
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
			}
		})
	}
	calling.Wait()
	return failed
}
