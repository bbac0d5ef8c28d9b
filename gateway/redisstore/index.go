package redisstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// clockSlack is the largest difference between the clocks of a cluster's masters, in
// milliseconds, at which listings still find every index bucket.
const clockSlack = int64(time.Hour / time.Millisecond)

// newWalk returns a walk through the index that lists the fewest links for q. It begins
// after the position after. start is the time of the first page.
func (s *Store) newWalk(q gateway.ListQuery, after string, start, now, retentionHorizon int64) (walk, error) {
	since := int64(0)
	if t := q.IssuedSince(record.Time(start)); !t.IsZero() {
		since = max(t.UnixMilli(), 0)
	}
	span := indexSpan{
		newest: (now + clockSlack) / indexBucketWidth,
		oldest: max(now-retentionHorizon-clockSlack, since, 0) / indexBucketWidth,
		since:  since,
	}
	if byName(q) {
		return s.walkPrefix(q, after, span)
	}
	return s.walkAttribute(attributeOf(q), after, span)
}

// indexSpan is the part of the indexes that a listing reads.
type indexSpan struct {
	newest, oldest int64 // index buckets
	since          int64 // Unix milliseconds; links that were issued before are not selected
}

// attributeOf returns the attribute of the secondary index that lists the fewest links of
// a query without prefix and key. Of several labels it is the one with the longest value:
// the names of single cases are longer than those of teams.
func attributeOf(q gateway.ListQuery) string {
	best := ""
	for _, name := range slices.Sorted(maps.Keys(q.Labels)) {
		if best == "" || len(q.Labels[name]) > len(q.Labels[best]) {
			best = name
		}
	}
	switch {
	case best != "":
		return attributeLabel(best, q.Labels[best])
	case q.CreatedBy != "":
		return attributeCreator(q.CreatedBy)
	case q.Bucket != "":
		return attributeBucket(q.Bucket)
	}
	return attributeAll
}

// The lengths in bytes of a position (microseconds) and of an entry of the secondary
// index (a position and an id).
const (
	positionWidth = 7
	entryWidth    = positionWidth + 16
)

// walkAttribute walks through the links with an attribute, newest first: one index bucket
// after the other, each over all partitions.
func (s *Store) walkAttribute(attribute, after string, span indexSpan) (walk, error) {
	newest := span.newest
	if after != "" {
		if len(after) != entryWidth {
			return nil, gateway.ErrCursor
		}
		newest = min(newest, entryTime(after)/1000/indexBucketWidth)
	}
	var w walk
	for indexBucket := newest; indexBucket >= span.oldest; indexBucket-- {
		m := &merge{
			chunk:  firstChunk,
			before: func(a, b string) bool { return a > b },
			fetch: func(ctx context.Context, sources []*source, n int) error {
				return s.fetchAttribute(ctx, attribute, span.since, sources, n)
			},
		}
		for p := range partitions {
			m.sources = append(m.sources, &source{partition: p, indexBucket: indexBucket, after: after})
		}
		w = append(w, m)
	}
	return w, nil
}

// entryTime returns the microseconds at the start of an entry of the secondary index.
func entryTime(position string) int64 {
	d := record.Decoder{Rest: position}
	return d.Fixed(positionWidth)
}

// fetchAttribute reads the next n entries of an attribute from each source. A source ends
// at the first entry before since: the position of an entry is never before the time of
// issue, and the entries behind it are older.
func (s *Store) fetchAttribute(ctx context.Context, attribute string, since int64, sources []*source, n int) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	executions := make([]execution, len(sources))
	for i, src := range sources {
		newest := int64(1) << 52
		if src.after != "" {
			newest = entryTime(src.after)
		}
		// The reply begins with the last entry of the previous page, so it needs n + 1
		// entries.
		executions[i] = execution{
			keys: []string{s.keys.secondaryIndex(src.partition, src.indexBucket)},
			args: []any{attribute, newest, n + 1},
		}
	}
	if err := runAll(ctx, s.client.rest, s.scripts.page, true, executions); err != nil {
		return err
	}
	for i, e := range executions {
		packed, ok := e.reply.(string)
		if !ok || len(packed)%entryWidth != 0 {
			return fmt.Errorf("%w: invalid page of the secondary index", gateway.ErrRecord)
		}
		sources[i].done = len(packed) < (n+1)*entryWidth
		var entries []entry
		for ; packed != ""; packed = packed[entryWidth:] {
			position := packed[:entryWidth]
			if entryTime(position) < since*1000 {
				sources[i].done = true
				break
			}
			if sources[i].after == "" || position < sources[i].after {
				entries = append(entries, entry{
					id: gateway.ID([]byte(position[positionWidth:])), indexBucket: sources[i].indexBucket, position: position,
				})
			}
		}
		sources[i].read(entries)
	}
	return nil
}

// walkPrefix walks through the links of an object key or prefix in the order of bucket,
// key and id: one bucket after the other, each over all partitions and index buckets.
func (s *Store) walkPrefix(q gateway.ListQuery, after string, span indexSpan) (walk, error) {
	if after != "" && len(after) <= 16 {
		return nil, gateway.ErrCursor
	}
	buckets := []string{q.Bucket}
	if q.Bucket == "" {
		buckets = slices.Compact(slices.Sorted(slices.Values(q.Buckets)))
	}
	var w walk
	for _, bucket := range buckets {
		first := bucket + "\x00" + q.Prefix
		if q.Key != "" {
			first = prefixMember(bucket, q.Key)
		}
		end := successor(first)
		if after >= end {
			continue
		}
		m := &merge{
			chunk:  firstChunk,
			before: func(a, b string) bool { return a < b },
			fetch: func(ctx context.Context, sources []*source, n int) error {
				return s.fetchPrefix(ctx, first, end, sources, n)
			},
		}
		for indexBucket := span.newest; indexBucket >= span.oldest; indexBucket-- {
			for p := range partitions {
				src := &source{partition: p, indexBucket: indexBucket}
				if after >= first {
					src.after = after
				}
				m.sources = append(m.sources, src)
			}
		}
		w = append(w, m)
	}
	return w, nil
}

// successor returns the smallest string that is greater than every string with the prefix
// s. s begins with the name of a bucket, so it is neither empty nor all 0xff.
func successor(s string) string {
	last := len(s) - 1
	for s[last] == 0xff {
		last--
	}
	return s[:last] + string([]byte{s[last] + 1})
}

// fetchPrefix reads the next n members of each source, from first up to and without end.
func (s *Store) fetchPrefix(ctx context.Context, first, end string, sources []*source, n int) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	pipe := s.client.rest.Pipeline()
	commands := make([]*redis.Cmd, len(sources))
	for i, src := range sources {
		from := "[" + first
		if src.after != "" {
			from = "(" + src.after
		}
		commands[i] = pipe.Do(ctx, "zrangebylex", s.keys.prefixIndex(src.partition, src.indexBucket),
			from, "("+end, "limit", "0", strconv.Itoa(n))
	}
	_, _ = pipe.Exec(ctx) // The commands hold their errors.
	for i, command := range commands {
		members, err := command.StringSlice()
		if err != nil {
			return err
		}
		sources[i].done = len(members) < n
		entries := make([]entry, len(members))
		for j, member := range members {
			if len(member) <= 16 {
				return fmt.Errorf("%w: invalid member of the prefix index", gateway.ErrRecord)
			}
			id := gateway.ID([]byte(member[len(member)-16:]))
			entries[j] = entry{id: id, indexBucket: sources[i].indexBucket, position: member}
			if partition(entries[j].id) != sources[i].partition || member < first || member >= end {
				return errOtherReply // The member belongs to another index.
			}
		}
		sources[i].read(entries)
	}
	return nil
}
