package redisstore

import (
	"context"
	"errors"

	"keyhole/gateway"
)

// Prepare prepares the store without a probe. The error is ErrPartitions or
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

// ChangeAfter changes a link, and calls between after it has read the link and before it
// writes the change.
func (s *Store) ChangeAfter(
	ctx context.Context, id gateway.ID, change gateway.Change, by gateway.Origin, between func(),
) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	v, err := s.read(ctx, id)
	if err != nil {
		return err
	}
	link, view, err := readView("change", replyOf(v), id)
	if err != nil {
		return err
	}
	between()
	_, conflict, err := s.changeUnlessChanged(ctx, &link, view.History, &change, by)
	if conflict {
		return errors.New("another change came in between")
	}
	return err
}
