package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// maxFound is the largest number of links that Find returns. Among a million links, one in
// a million prefixes of 8 characters belongs to two of them.
const maxFound = 16

// idWidth is the length of an id in bytes.
const idWidth = 16

// Find implements gateway.Store. The first byte of an id determines its partition, so Find
// searches the secondary indexes of one partition only: about 16,000 entries if Redis has a
// million links.
func (s *Store) Find(ctx context.Context, prefix gateway.IDPrefix) (_ []gateway.Link, err error) {
	defer s.observe(callFind, time.Now(), &err)
	_, now, retentionHorizon, err := s.span(ctx, cursorAttribute, "", "")
	if err != nil {
		return nil, err
	}
	ids, err := s.findIDs(ctx, prefix, now, retentionHorizon)
	if err != nil {
		return nil, unavailable("find", err)
	}
	var links []gateway.Link
	for _, id := range ids {
		link, err := s.findLink(ctx, id)
		if errors.Is(err, gateway.ErrNotFound) { // An index keeps its entries for longer.
			continue
		}
		if err != nil {
			return nil, err
		}
		links = append(links, link)
	}
	return links, nil
}

// findLink reads one of the links that the indexes list.
func (s *Store) findLink(ctx context.Context, id gateway.ID) (gateway.Link, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	v, err := s.read(ctx, id)
	if err != nil {
		return gateway.Link{}, unavailable("find", err)
	}
	return readLink("find", replyOf(v), id)
}

// findIDs returns the ids with the prefix that the indexes list, at most maxFound.
func (s *Store) findIDs(
	ctx context.Context, prefix gateway.IDPrefix, now, retentionHorizon int64,
) ([]gateway.ID, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	first := prefix.Bytes()
	p := partition(gateway.ID{first[0]})
	var executions []execution
	oldest := max(now-retentionHorizon-clockSlack, 0) / indexBucketWidth
	for indexBucket := (now + clockSlack) / indexBucketWidth; indexBucket >= oldest; indexBucket-- {
		executions = append(executions, execution{
			keys: []string{s.keys.secondaryIndex(p, indexBucket)}, args: []any{attributeAll, first, maxFound},
		})
	}
	if err := runAll(ctx, s.client.rest, s.scripts.find, true, executions); err != nil {
		return nil, err
	}
	var ids []gateway.ID
	for _, e := range executions {
		packed, ok := e.reply.(string)
		if !ok || len(packed)%idWidth != 0 {
			return nil, fmt.Errorf("%w: invalid ids of the secondary index", gateway.ErrRecord)
		}
		for d := (record.Decoder{Rest: packed}); d.Rest != "" && len(ids) < maxFound; {
			id := gateway.ID([]byte(d.Take(idWidth)))
			if partition(id) != p {
				return nil, errOtherReply // The id belongs to another index.
			}
			if prefix.Matches(id) {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}
