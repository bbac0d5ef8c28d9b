package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// The limits of LiveLinks. They keep the slowest page near 30 ms with a million links.
// If a limit is reached, the counts of the keys concerned are lower bounds.
const (
	countRounds   = 4    // round trips through the prefix indexes
	countCommands = 512  // commands of each round trip after the first
	countFirst    = 32   // members that a command of the first round trip reads
	countLater    = 8    // members that a later command reads; most only skip a folder
	countPerKey   = 16   // links of one object that are read from one index
	countBudget   = 1000 // links whose records are read
)

// LiveLinks implements gateway.Store. The links of a page of keys are close to each other
// in the prefix index, so usually one command for each index reads them all, in one round
// trip. A second round trip reads the records of these links.
func (s *Store) LiveLinks(
	ctx context.Context, storage, bucket string, keys []string,
) (_ map[string]gateway.LiveCount, err error) {
	defer s.observe(callLiveLinks, time.Now(), &err)
	if len(keys) == 0 {
		return map[string]gateway.LiveCount{}, nil
	}
	_, now, retentionHorizon, err := s.span(ctx, cursorAttribute, "", "")
	if err != nil {
		return nil, err
	}
	c := newCandidates(bucket, keys)
	left, err := s.readSegments(ctx, c, c.segments(now, retentionHorizon), countFirst)
	for round := 1; round < countRounds && err == nil; round++ {
		left, err = s.readSegments(ctx, c, c.split(left, countCommands), countLater)
	}
	if err != nil {
		return nil, unavailable("live links", err)
	}
	for _, seg := range left {
		c.leave(seg)
	}
	counts, err := s.countLive(ctx, storage, c)
	if err != nil {
		return nil, unavailable("live links", err)
	}
	return counts, nil
}

// candidates are the links of a page of keys that the indexes list.
type candidates struct {
	bucket  string
	keys    []string  // sorted, each once
	links   [][]entry // by key
	partial []bool    // by key: the object may have more links
}

// newCandidates returns the candidates for keys, none yet.
func newCandidates(bucket string, keys []string) *candidates {
	c := &candidates{bucket: bucket, keys: slices.Compact(slices.Sorted(slices.Values(keys)))}
	c.links, c.partial = make([][]entry, len(c.keys)), make([]bool, len(c.keys))
	return c
}

// segment is a part of one index: the members of the keys from next to last.
type segment struct {
	partition   int
	indexBucket int64
	from        string // beginning of the range, as ZRANGEBYLEX takes it
	next, last  int    // of candidates.keys
	taken       int    // links of the key next that earlier commands have returned
}

// segments returns the whole page in every index, the newest index first.
func (c *candidates) segments(now, retentionHorizon int64) []segment {
	var all []segment
	oldest := max(now-retentionHorizon-clockSlack, 0) / indexBucketWidth
	for indexBucket := (now + clockSlack) / indexBucketWidth; indexBucket >= oldest; indexBucket-- {
		for p := range partitions {
			all = append(all, segment{partition: p, indexBucket: indexBucket, from: c.from(0), last: len(c.keys) - 1})
		}
	}
	return all
}

// from returns the beginning of a range with the links of a key.
func (c *candidates) from(i int) string { return "[" + prefixMember(c.bucket, c.keys[i]) }

// readSegments reads the next n members of each segment, in one round trip, and returns
// what is left of the segments.
func (s *Store) readSegments(
	ctx context.Context, c *candidates, segments []segment, n int,
) (left []segment, err error) {
	if len(segments) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	pipe := s.client.rest.Pipeline()
	commands := make([]*redis.Cmd, len(segments))
	for i, seg := range segments {
		commands[i] = pipe.Do(ctx, "zrangebylex", s.keys.prefixIndex(seg.partition, seg.indexBucket), seg.from,
			"("+successor(prefixMember(c.bucket, c.keys[seg.last])), "limit", "0", strconv.Itoa(n))
	}
	_, _ = pipe.Exec(ctx) // The commands hold their errors.
	for i, command := range commands {
		members, err := command.StringSlice()
		if err != nil {
			return nil, err
		}
		rest, err := c.take(segments[i], members, len(members) < n)
		if err != nil {
			return nil, err
		}
		if rest != nil {
			left = append(left, *rest)
		}
	}
	return left, nil
}

// take adds the links of members, and returns what is left of the segment, or nil. done
// says that members are the last of the segment. take skips links of other keys, such as
// those in a folder between two objects of the page.
func (c *candidates) take(seg segment, members []string, done bool) (*segment, error) {
	key, first := "", c.keys[seg.next]
	for _, member := range members {
		var id gateway.ID
		var err error
		if key, id, err = c.parse(member); err != nil {
			return nil, err
		}
		if partition(id) != seg.partition || key < first || key > c.keys[seg.last] {
			return nil, errOtherReply // The member belongs to another index.
		}
		for c.keys[seg.next] < key { // The range ends with the last key, so no key is behind it.
			seg.next, seg.taken = seg.next+1, 0
		}
		if c.keys[seg.next] != key {
			continue
		}
		if seg.taken++; seg.taken > countPerKey {
			c.partial[seg.next] = true
			continue
		}
		c.links[seg.next] = append(c.links[seg.next], entry{id: id, indexBucket: seg.indexBucket, position: member})
	}
	if done {
		return nil, nil //nolint:nilnil // nil means that nothing is left.
	}
	if c.keys[seg.next] == key && seg.taken <= countPerKey {
		seg.from = "(" + members[len(members)-1]
	} else {
		if c.keys[seg.next] == key {
			seg.next++
		}
		if seg.next > seg.last {
			return nil, nil //nolint:nilnil // nil means that nothing is left.
		}
		seg.from, seg.taken = c.from(seg.next), 0
	}
	return &seg, nil
}

// split divides segments, so that each round trip reads up to n parts of them at once. Each
// part passes at least one folder. It leaves the segments that are too many.
func (c *candidates) split(segments []segment, n int) []segment {
	kept := segments[:min(len(segments), n)]
	for _, seg := range segments[len(kept):] {
		c.leave(seg)
	}
	var parts []segment
	for _, seg := range kept {
		width := seg.last - seg.next + 1
		count := min(n/len(kept), width)
		for i := range count {
			part := seg
			if i > 0 {
				part.next = seg.next + i*width/count
				part.from, part.taken = c.from(part.next), 0
			}
			part.last = seg.next + (i+1)*width/count - 1
			parts = append(parts, part)
		}
	}
	return parts
}

// leave notes that the rest of a segment is not read.
func (c *candidates) leave(seg segment) {
	for i := seg.next; i <= seg.last; i++ {
		c.partial[i] = true
	}
}

// parse returns the key and the id in a member of the prefix index.
func (c *candidates) parse(member string) (key string, id gateway.ID, err error) {
	rest, found := strings.CutPrefix(member, c.bucket+"\x00")
	end := len(rest) - idWidth - 1
	if !found || end < 0 || rest[end] != 0 {
		return "", id, fmt.Errorf("%w: invalid member of the prefix index", gateway.ErrRecord)
	}
	return rest[:end], gateway.ID([]byte(rest[end+1:])), nil
}

// countLive reads the records of the candidates and counts the live links of a storage.
func (s *Store) countLive(ctx context.Context, storage string, c *candidates) (map[string]gateway.LiveCount, error) {
	var entries []entry
	var owners []int // the key of each entry
	share := c.fairShare(countBudget)
	for i, links := range c.links {
		if len(links) > share {
			c.partial[i], links = true, links[:share]
		}
		entries = append(entries, links...)
		owners = append(owners, slices.Repeat([]int{i}, len(links))...)
	}
	live := make([]int, len(c.keys))
	for start := 0; start < len(entries); start += scanChunk {
		read, err := s.fetch(ctx, entries[start:min(start+scanChunk, len(entries))])
		if err != nil {
			return nil, err
		}
		for j, f := range read {
			i := owners[start+j]
			if f.link != nil && !f.link.Ended() && f.link.Ref.Storage == storage {
				live[i]++
			}
			c.partial[i] = c.partial[i] || f.unreadable
		}
	}
	counts := map[string]gateway.LiveCount{}
	for i, key := range c.keys {
		if live[i] > 0 || c.partial[i] {
			counts[key] = gateway.LiveCount{Links: live[i], AtLeast: c.partial[i]}
		}
	}
	return counts, nil
}

// fairShare returns the largest number of links that may be read for each key so that
// budget is enough for all keys. Keys with fewer links leave their rest to the others.
func (c *candidates) fairShare(budget int) int {
	sizes := make([]int, len(c.links))
	for i, links := range c.links {
		sizes[i] = len(links)
	}
	slices.Sort(sizes)
	for i, size := range sizes {
		if share := budget / (len(sizes) - i); size > share {
			return share
		}
		budget -= size
	}
	return countBudget
}
