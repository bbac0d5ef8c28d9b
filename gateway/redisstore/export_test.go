package redisstore

import (
	"context"
	"errors"

	"keyhole/gateway"
)

// Prepare prepares the store without a look. The error is ErrPartitions or
// gateway.ErrUnavailable.
func (s *Store) Prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	err := s.prepare(ctx, s.client.rest)
	if err != nil && !errors.Is(err, ErrPartitions) {
		return unavailable("prepare", err)
	}
	return err
}

// ChangeAfter changes a link when between has been called, which is after the link has
// been read.
func (s *Store) ChangeAfter(
	ctx context.Context, id gateway.ID, change gateway.Change, by gateway.Origin, between func(),
) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	v, err := run(ctx, s.client.rest, s.scripts.read, true, []string{s.keys.link(id), s.keys.history(id)})
	if err != nil {
		return err
	}
	link, seen, err := s.seen("change", replyOf(v), id)
	if err != nil {
		return err
	}
	between()
	_, anew, err := s.changeSeen(ctx, &link, seen.history, &change, by)
	if anew {
		return errors.New("the link was changed in between")
	}
	return err
}
