package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// clockSlack is how far the clocks of a cluster's masters may be apart without
// a generation being missed.
const clockSlack = int64(time.Hour / time.Millisecond)

// walkOf chooses the index that names the fewest links for q, and begins after
// the position after.
func (s *Store) walkOf(q gateway.ListQuery, after string, now, horizon int64) (walk, error) {
	newest := (now + clockSlack) / generationWidth
	oldest := max(now-horizon-clockSlack, 0) / generationWidth
	switch {
	case byName(q):
		return s.walkNames(q, after, newest, oldest)
	case q.LabelName != "":
		return s.walkTerm(termLabel(q.LabelName, q.LabelValue), after, newest, oldest)
	case q.CreatedBy != "":
		return s.walkTerm(termCreator(q.CreatedBy), after, newest, oldest)
	case q.Bucket != "":
		return s.walkTerm(termBucket(q.Bucket), after, newest, oldest)
	}
	return s.walkTerm(termAll, after, newest, oldest)
}

// The widths of an entry of a term: its position in microseconds and the ID.
const (
	momentWidth = 7
	entryWidth  = momentWidth + 16
)

// walkTerm goes through the links of a term, newest first: generation after
// generation, each over all partitions.
func (s *Store) walkTerm(term, after string, newest, oldest int64) (walk, error) {
	if after != "" {
		if len(after) != entryWidth {
			return nil, gateway.ErrCursor
		}
		newest = min(newest, entryMoment(after)/1000/generationWidth)
	}
	var w walk
	for generation := newest; generation >= oldest; generation-- {
		m := &merge{
			piece:  firstPiece,
			before: func(a, b string) bool { return a > b },
			fetch: func(ctx context.Context, sources []*source, n int) error {
				return s.fetchTerm(ctx, term, sources, n)
			},
		}
		for p := range partitions {
			m.sources = append(m.sources, &source{partition: p, generation: generation, after: after})
		}
		w = append(w, m)
	}
	return w, nil
}

// entryMoment returns the microseconds that a position of a term begins with.
func entryMoment(position string) int64 {
	d := decoder{rest: position}
	return d.fixed(momentWidth)
}

// fetchTerm reads the next n entries of a term from each source.
func (s *Store) fetchTerm(ctx context.Context, term string, sources []*source, n int) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	batches := make([]batch, len(sources))
	for i, src := range sources {
		newest := int64(1) << 52
		if src.after != "" {
			newest = entryMoment(src.after)
		}
		// One more, for the entry read before comes again.
		batches[i] = batch{
			keys: []string{s.keys.terms(src.partition, src.generation)},
			args: []any{term, newest, n + 1},
		}
	}
	if err := runAll(ctx, s.client.rest, s.scripts.page, true, batches); err != nil {
		return err
	}
	for i, b := range batches {
		packed, ok := b.reply.(string)
		if !ok || len(packed)%entryWidth != 0 {
			return fmt.Errorf("%w: page of a term", gateway.ErrRecord)
		}
		sources[i].done = len(packed) < (n+1)*entryWidth
		var entries []entry
		for ; packed != ""; packed = packed[entryWidth:] {
			position := packed[:entryWidth]
			if sources[i].after == "" || position < sources[i].after {
				entries = append(entries, entry{
					id: gateway.ID([]byte(position[momentWidth:])), generation: sources[i].generation, position: position,
				})
			}
		}
		sources[i].read(entries)
	}
	return nil
}

// walkNames goes through the links of a key or prefix in the order of bucket,
// key and ID: bucket after bucket, each over all partitions and generations.
func (s *Store) walkNames(q gateway.ListQuery, after string, newest, oldest int64) (walk, error) {
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
			first = nameOf(bucket, q.Key)
		}
		end := successor(first)
		if after >= end {
			continue
		}
		m := &merge{
			piece:  firstPiece,
			before: func(a, b string) bool { return a < b },
			fetch: func(ctx context.Context, sources []*source, n int) error {
				return s.fetchNames(ctx, first, end, sources, n)
			},
		}
		for generation := newest; generation >= oldest; generation-- {
			for p := range partitions {
				src := &source{partition: p, generation: generation}
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

// successor returns the first string after all that begin with s, which is not
// empty and, since it begins with a bucket's name, not all 0xff.
func successor(s string) string {
	last := len(s) - 1
	for s[last] == 0xff {
		last--
	}
	return s[:last] + string([]byte{s[last] + 1})
}

// fetchNames reads the next n names of each source that are from first to end.
func (s *Store) fetchNames(ctx context.Context, first, end string, sources []*source, n int) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	pipe := s.client.rest.Pipeline()
	commands := make([]*redis.Cmd, len(sources))
	for i, src := range sources {
		from := "[" + first
		if src.after != "" {
			from = "(" + src.after
		}
		commands[i] = pipe.Do(ctx, "zrangebylex", s.keys.names(src.partition, src.generation),
			from, "("+end, "limit", "0", strconv.Itoa(n))
	}
	_, _ = pipe.Exec(ctx) // The errors are in the commands.
	for i, command := range commands {
		names, err := command.StringSlice()
		if err != nil {
			return err
		}
		sources[i].done = len(names) < n
		entries := make([]entry, len(names))
		for j, name := range names {
			if len(name) <= 16 {
				return fmt.Errorf("%w: name in an index", gateway.ErrRecord)
			}
			entries[j] = entry{id: gateway.ID([]byte(name[len(name)-16:])), generation: sources[i].generation, position: name}
			if partition(entries[j].id) != sources[i].partition || name < first || name >= end {
				return errOtherReply // Not of the index that was asked.
			}
		}
		sources[i].read(entries)
	}
	return nil
}
