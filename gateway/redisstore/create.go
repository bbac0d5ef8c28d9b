package redisstore

import (
	"context"
	"errors"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// Create implements gateway.Store. The store never repeats the script. If the reply was
// lost, the link may exist, but nobody has its URL.
func (s *Store) Create(
	ctx context.Context, link gateway.Link, secrets gateway.Secrets, life time.Duration, by gateway.Origin,
) (_ gateway.Link, err error) {
	defer s.observe(callCreate, time.Now(), &err)
	if err := record.CheckLink(&link); err != nil {
		return gateway.Link{}, err
	}
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.Link{}, err
	}
	if err := s.ensureHealthy("create"); err != nil {
		return gateway.Link{}, err
	}
	indexBucket := s.indexBucket.Load()
	for range 2 {
		v, err := s.write(ctx, s.client.rest, s.scripts.create, false, s.createKeys(&link, indexBucket),
			s.createArgs(&link, &secrets, life, by, indexBucket)...)
		if err != nil {
			return gateway.Link{}, unavailable("create", err)
		}
		r := replyOf(v)
		switch r.text() {
		case "c":
			return created(&link, r)
		case "y":
			return gateway.Link{}, gateway.ErrNeverValid
		case "x":
			existing, err := readLink("create", r, link.ID)
			if err != nil {
				return gateway.Link{}, err
			}
			return existing, gateway.ErrExists
		case "g":
			indexBucket = r.number()
			s.indexBucket.Store(indexBucket)
		default:
			return gateway.Link{}, unavailable("create", gateway.ErrRecord)
		}
	}
	err = errors.New("the clock of redis entered another index bucket twice during the call")
	return gateway.Link{}, unavailable("create", err)
}

// created completes a new link from the script's reply.
func created(link *gateway.Link, r *reply) (gateway.Link, error) {
	link.CreatedAt, link.ExpiresAt = record.Time(r.number()), record.Time(r.number())
	link.State, link.Clicks, link.Revision = gateway.StateActive, 0, r.text()
	record.FillDefaults(link)
	if link.NotBefore.After(link.CreatedAt) {
		link.State = gateway.StateNotYet
	}
	if r.err != nil {
		return gateway.Link{}, unavailable("create", r.err)
	}
	return *link, nil
}

// createKeys returns the KEYS of lua/create.lua.
func (s *Store) createKeys(link *gateway.Link, indexBucket int64) []string {
	id, p := link.ID, partition(link.ID)
	keys := []string{
		s.keys.permission(id), s.keys.history(id), s.keys.clicks(p), s.keys.operations(p), s.keys.liveCounter(p),
		s.keys.secondaryIndex(p, indexBucket), s.keys.prefixIndex(p, indexBucket), s.keys.refusals(p),
	}
	return append(keys, s.confirmationKeys(link)...)
}

// confirmationKeys returns the additional keys of a link that needs confirmation.
func (s *Store) confirmationKeys(link *gateway.Link) []string {
	switch {
	case link.Passphrase:
		return []string{s.keys.spent(link.ID), s.keys.attempts(link.ID)}
	case link.NeedsConfirmation():
		return []string{s.keys.spent(link.ID)}
	}
	return nil
}

// createArgs packs a new link into the ARGV of lua/create.lua.
func (s *Store) createArgs(
	link *gateway.Link, secrets *gateway.Secrets, life time.Duration, by gateway.Origin, indexBucket int64,
) []any {
	notBefore := int64(0)
	if !link.NotBefore.IsZero() {
		notBefore = max(link.NotBefore.UnixMilli(), 0)
	}
	version := record.VersionOf(link)
	args := []any{
		link.ID[:], indexBucket, indexBucketWidth, life.Milliseconds(), s.afterEnd(),
		s.retentionHorizon.Load(), version, record.PermissionFlags(link), notBefore,
		record.PermissionBody(link, secrets), record.HistoryBody(link, version), record.OperationFields(by, ""),
		prefixMember(link.Ref.Bucket, link.Ref.Key),
		attributeAll, attributeBucket(link.Ref.Bucket), attributeCreator(link.CreatedBy),
	}
	for name, value := range link.Labels {
		args = append(args, attributeLabel(name, value))
	}
	return args
}
