package redisstore

import (
	"context"
	"errors"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// Admit implements gateway.ClickStore. Clicks that arrive at the same time share one
// execution of lua/admit.lua, which is never repeated. The call to Redis continues after
// ctx ends, so the click may be counted even then.
func (s *Store) Admit(ctx context.Context, a gateway.Attempt) (gateway.Admission, error) {
	begun := time.Now()
	admission, err := s.admit(ctx, &a, begun)
	if err != nil {
		err = unavailable("admit", err)
	}
	s.observe(callAdmit, begun, &err)
	return admission, err
}

// probeExtra is the time by which a click may exceed redis.timeout if it waited for the
// first probe of Redis. Together with batch.MaxAgeSpread it is below the 200 ms that the
// manual promises.
const probeExtra = 100 * time.Millisecond

func (s *Store) admit(ctx context.Context, a *gateway.Attempt, begun time.Time) (gateway.Admission, error) {
	if !s.probed() {
		if err := s.ensureProbed(ctx, s.client.clicks); err != nil {
			return gateway.Admission{}, err
		}
		// The probe had its own timeout. Probe and call together must stay within
		// redis.timeout plus probeExtra, so the call gets the rest of that time.
		begun = begun.Add(min(time.Since(begun), probeExtra))
	}
	if reason := s.unhealthy.Load(); reason != nil {
		return gateway.Admission{}, *reason
	}
	p := s.pendingClicks.Get().(*pendingClick)
	defer s.pendingClicks.Put(p)
	if err := s.packClick(&p.Item, a); err != nil {
		return gateway.Admission{}, err
	}
	q, err := s.queue(ctx, p.Item.partition, begun)
	if err != nil {
		return gateway.Admission{}, err
	}
	if err := q.Submit(p, begun); err != nil {
		return gateway.Admission{}, err
	}
	admission, err := record.ParseAdmission(p.Item.answer, a.ID)
	if err != nil && admission.Outcome == gateway.OutcomeRedirected && a.Method != "HEAD" {
		err = errors.Join(gateway.ErrCounted, err)
	}
	return admission, err
}

// RecordEvent implements gateway.ClickStore. If Redis no longer has the link, RecordEvent
// records nothing.
func (s *Store) RecordEvent(
	ctx context.Context, a gateway.Attempt, k gateway.EventKind, o gateway.Outcome,
) (err error) {
	defer s.observe(callRecordEvent, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.clicks)
	defer cancel()
	if err != nil {
		return err
	}
	letters, err := record.EventLetters(k, a.Method, o)
	if err != nil {
		return unavailable("record event", err)
	}
	stream, most := s.keys.clicks(partition(a.ID)), s.maxDownloads()
	if k != gateway.EventRedirected {
		stream, most = s.keys.refusals(partition(a.ID)), s.maxRefusals()
	}
	v, err := run(ctx, s.client.clicks, s.scripts.recordEvent, false,
		[]string{s.keys.permission(a.ID), s.keys.history(a.ID), stream},
		a.ID[:], record.PackAddress(a.Address), most, letters)
	if err != nil {
		return unavailable("record event", err)
	}
	switch v {
	case int64(0), int64(1):
		return nil
	case int64(2):
		return gateway.ErrEnded
	}
	return unavailable("record event", gateway.ErrRecord)
}

// maxDownloads returns the largest number of downloads in the stream of one partition.
func (s *Store) maxDownloads() int {
	return (s.options.MaxClickEvents + partitions - 1) / partitions
}

// refusalsShare is the ratio of kept downloads to other kept events.
const refusalsShare = 4

// maxRefusals returns the largest number of other events in the stream of one partition.
func (s *Store) maxRefusals() int {
	return (s.maxDownloads() + refusalsShare - 1) / refusalsShare
}
