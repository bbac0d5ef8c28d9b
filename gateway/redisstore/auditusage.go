package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// The kinds of events that the audit keeps in separate streams, as AuditUsage names them.
const (
	AuditDownloads  = "downloads"
	AuditRefusals   = "refusals"   // refusals, pages and failures
	AuditOperations = "operations" // operators' events
)

// AuditUsage tells how full the audit is with events of one kind.
type AuditUsage struct {
	Kind   string // AuditDownloads, AuditRefusals or AuditOperations
	Events int64  // in all partitions
	// Limit is the largest number of events in all partitions. Redis trims whole nodes of a
	// stream, so Events can be higher. 0: operators' events are removed by their age.
	Limit int64
	// Fullest is the use of the fullest partition: 0 empty, 1 at its limit. Each partition has
	// the same part of Limit, so one link with many clicks can fill its partition alone. 0
	// without a limit.
	Fullest float64
	// CompleteSince is the time since which the audit has every event of this kind, by the
	// clock of Redis: in every partition that is full, older events made room for newer ones.
	// The zero time: no partition is full, or there is no limit.
	CompleteSince time.Time
}

// AuditUsage returns the usage of the audit, one entry for each kind of events. It reads the
// counters of the streams in one round trip, and no events but the oldest of each stream.
// The error is gateway.ErrUnavailable.
func (s *Store) AuditUsage(ctx context.Context) (_ []AuditUsage, err error) {
	defer s.observe(callAuditUsage, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return nil, err
	}
	kinds := []struct {
		name string
		key  func(p int) string
		most int // events in one partition
	}{
		{AuditDownloads, s.keys.clicks, s.maxDownloads()},
		{AuditRefusals, s.keys.refusals, s.maxRefusals()},
		{AuditOperations, s.keys.operations, 0},
	}
	pipe := s.client.rest.Pipeline()
	var commands []*redis.XInfoStreamCmd
	for _, kind := range kinds {
		for p := range partitions {
			commands = append(commands, pipe.XInfoStream(ctx, kind.key(p)))
		}
	}
	_, _ = pipe.Exec(ctx) // The commands hold their errors.
	all := make([]AuditUsage, len(kinds))
	for i, kind := range kinds {
		all[i] = AuditUsage{Kind: kind.name, Limit: int64(partitions * kind.most)}
		for _, command := range commands[i*partitions : (i+1)*partitions] {
			if err := all[i].add(command, int64(kind.most)); err != nil {
				return nil, unavailable("read the usage of the audit", err)
			}
		}
	}
	return all, nil
}

// add adds the stream of one partition, which may have most events; 0: no limit.
func (u *AuditUsage) add(command *redis.XInfoStreamCmd, most int64) error {
	info, err := command.Result()
	if redis.HasErrorPrefix(err, "no such key") {
		return nil // This partition has no such event yet.
	}
	if err != nil {
		return err
	}
	u.Events += info.Length
	if most == 0 {
		return nil
	}
	u.Fullest = max(u.Fullest, min(float64(info.Length)/float64(most), 1))
	// An erasure of addresses writes the stream again, which resets its counter of added
	// events. The length still shows that the stream is full.
	if info.EntriesAdded <= info.Length && info.Length < most {
		return nil
	}
	if info.FirstEntry.ID == "" {
		return nil // The stream is empty, or this is miniredis, which does not report it.
	}
	ms, _, err := parseStreamID(info.FirstEntry.ID)
	if err != nil {
		return err
	}
	if first := time.UnixMilli(ms); first.After(u.CompleteSince) {
		u.CompleteSince = first
	}
	return nil
}
