package redisstore

import (
	"context"
	"time"

	"keyhole/gateway"
)

// Admit implements gateway.ClickStore: one script, one round trip, never
// repeated.
func (s *Store) Admit(ctx context.Context, a gateway.Attempt) (_ gateway.Admission, err error) {
	defer s.observe(callAdmit, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.clicks)
	defer cancel()
	if err != nil {
		return gateway.Admission{}, err
	}
	if err := s.trusted("admit"); err != nil {
		return gateway.Admission{}, err
	}
	keys, args, err := s.clickArgs(a)
	if err != nil {
		return gateway.Admission{}, unavailable("admit", err)
	}
	v, err := run(ctx, s.client.clicks, s.scripts.admit, false, keys, args...)
	if err != nil {
		return gateway.Admission{}, unavailable("admit", err)
	}
	admission, err := admissionOf(replyOf(v))
	if err != nil {
		return gateway.Admission{}, unavailable("admit", err)
	}
	return admission, nil
}

// admissionOf reads the script's verdict.
func admissionOf(r *reply) (gateway.Admission, error) {
	code := r.text()
	if r.err != nil || len(code) != 1 {
		return gateway.Admission{}, gateway.ErrRecord
	}
	outcome, err := outcomeOf(code[0])
	if err != nil {
		return gateway.Admission{}, err
	}
	if outcome != gateway.OutcomeRedirected {
		return gateway.Admission{Outcome: outcome}, nil
	}
	left, record := r.number(), r.text()
	if r.err != nil {
		return gateway.Admission{}, r.err
	}
	permission, err := parsePermission(record, time.Duration(left)*time.Millisecond)
	if err != nil {
		return gateway.Admission{}, err
	}
	return gateway.Admission{Outcome: outcome, Permission: permission}, nil
}

// Fail implements gateway.ClickStore. A link that has been forgotten since
// keeps no event.
func (s *Store) Fail(ctx context.Context, a gateway.Attempt, o gateway.Outcome) (err error) {
	defer s.observe(callFail, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.clicks)
	defer cancel()
	if err != nil {
		return err
	}
	keys, args, err := s.clickArgs(a)
	if err != nil {
		return unavailable("fail", err)
	}
	outcome, err := letterOf(outcomeLetters, outcomeOf, o)
	if err != nil {
		return unavailable("fail", err)
	}
	v, err := run(ctx, s.client.clicks, s.scripts.fail, false, keys, append(args, outcome)...)
	if err != nil {
		return unavailable("fail", err)
	}
	if _, ok := v.(int64); !ok {
		return unavailable("fail", gateway.ErrRecord)
	}
	return nil
}

// clickArgs are the keys and arguments that every script of a click has.
func (s *Store) clickArgs(a gateway.Attempt) (keys []string, args []any, err error) {
	method, err := letterOf(methodLetters, methodOf, a.Method)
	if err != nil {
		return nil, nil, err
	}
	most := (s.options.MaxClickEvents + partitions - 1) / partitions
	return []string{s.keys.link(a.ID), s.keys.history(a.ID), s.keys.clicks(partition(a.ID))},
		[]any{a.ID[:], method, packAddress(a.Address), most}, nil
}
