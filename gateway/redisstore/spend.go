package redisstore

import (
	"context"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// Spend implements gateway.ClickStore with one script, which the store never repeats.
// With Options.WaitReplicas, Spend returns when that many replicas have the click.
func (s *Store) Spend(ctx context.Context, a gateway.Attempt, spending gateway.Spending) (_ gateway.Spent, err error) {
	defer s.observe(callSpend, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.clicks)
	defer cancel()
	if err != nil {
		return gateway.Spent{}, err
	}
	if err := s.ensureHealthy("spend"); err != nil {
		return gateway.Spent{}, err
	}
	indexBucket := int64(noIndexBucket)
	if spending.Last {
		indexBucket = s.indexBucket.Load()
	}
	r, err := s.runSpend(ctx, &a, spending, indexBucket)
	letter := r.text()
	if letter == otherIndexBucket && err == nil {
		r, err = s.runSpend(ctx, &a, spending, r.number()/indexBucketWidth)
		letter = r.text()
	}
	if err != nil {
		return gateway.Spent{}, unavailable("spend", err)
	}
	if r.err != nil || len(letter) != 1 {
		return gateway.Spent{}, unavailable("spend", gateway.ErrRecord)
	}
	spent := gateway.Spent{}
	if spent.Outcome, err = record.ParseOutcome(letter[0]); err != nil {
		return gateway.Spent{}, unavailable("spend", err)
	}
	if spent.Outcome == gateway.OutcomeRedirected || spent.Outcome == gateway.OutcomeResumed {
		spent.Now, spent.GrantEnd = record.Time(r.number()), record.Time(r.number())
		if r.err != nil {
			return gateway.Spent{}, unavailable("spend", r.err)
		}
	}
	return spent, nil
}

// otherIndexBucket is the letter that lua/spend.lua returns instead of an outcome if its
// KEYS lack the indexes that list the link.
const otherIndexBucket = "G"

// noIndexBucket means that the click is not expected to be the link's last one.
const noIndexBucket = -1

// runSpend executes the script that spends a click. For a click that may be the last one
// of its link, it passes the indexes of an index bucket.
func (s *Store) runSpend(
	ctx context.Context, a *gateway.Attempt, spending gateway.Spending, indexBucket int64,
) (*reply, error) {
	p := partition(a.ID)
	keys := []string{
		s.keys.permission(a.ID), s.keys.history(a.ID), s.keys.clicks(p), s.keys.spent(a.ID), s.keys.liveCounter(p),
	}
	args := []any{
		a.ID[:], "p", record.PackAddress(a.Address), s.maxDownloads(), record.PackClient(a.Client), spending.Nonce,
		spending.Window.Milliseconds(), s.afterEnd(),
	}
	if indexBucket != noIndexBucket {
		keys = append(keys, s.keys.secondaryIndex(p, indexBucket), s.keys.prefixIndex(p, indexBucket))
		args = append(args, indexBucket, indexBucketWidth)
	}
	v, err := s.write(ctx, s.client.clicks, s.scripts.spend, false, keys, args...)
	return replyOf(v), err
}
