package redisstore

import (
	"context"
	"errors"
	"time"

	"keyhole/gateway"
)

// Admit implements gateway.ClickStore: one script, one round trip, never
// repeated, and shared with the clicks that come at the same time. It goes on when
// ctx ends: then the click may have been counted.
func (s *Store) Admit(ctx context.Context, a gateway.Attempt) (gateway.Admission, error) {
	begun := time.Now()
	admission, err := s.admit(ctx, &a, begun)
	if err != nil {
		err = unavailable("admit", err)
	}
	s.observe(callAdmit, begun, &err)
	return admission, err
}

// lookExtra is how much longer than redis.timeout a click may take that had to
// wait for the first look at Redis. With joinSpan it is below the 200 ms that
// design.md promises.
const lookExtra = 100 * time.Millisecond

func (s *Store) admit(ctx context.Context, a *gateway.Attempt, begun time.Time) (gateway.Admission, error) {
	if !s.looked() {
		if err := s.see(ctx, s.client.clicks); err != nil {
			return gateway.Admission{}, err
		}
		// The look has had time of its own; the call gets the rest of what a
		// refusal may take, so that both together stay within it.
		begun = begun.Add(min(time.Since(begun), lookExtra))
	}
	if reason := s.mistrust.Load(); reason != nil {
		return gateway.Admission{}, *reason
	}
	j := s.joined.Get().(*joined)
	defer s.joined.Put(j)
	if err := s.ask(j, a, begun); err != nil {
		return gateway.Admission{}, err
	}
	q, err := s.queueOf(ctx, j.partition, begun)
	if err != nil {
		return gateway.Admission{}, err
	}
	q.do(j)
	if j.err != nil {
		return gateway.Admission{}, j.err
	}
	admission, err := admissionOf(j.answer, a.ID)
	if err != nil && admission.Outcome == gateway.OutcomeRedirected && a.Method != "HEAD" {
		err = errors.Join(gateway.ErrCounted, err)
	}
	return admission, err
}

// ask packs what lua/admit.lua is asked of a click, in one allocation.
func (s *Store) ask(j *joined, a *gateway.Attempt, begun time.Time) error {
	method, err := letterOf(methodLetters, methodOf, a.Method)
	if err != nil {
		return err
	}
	j.begun, j.partition = begun, partition(a.ID)
	var space [256]byte
	b := s.keys.appendLink(space[:0], a.ID)
	link := len(b)
	b = s.keys.appendHistory(b, a.ID)
	history := len(b)
	b = append(b, method...)
	b = append(b, confirmationLetter(a)...)
	b = appendClient(b, a.Client)
	asked := len(b)
	b = append(b, a.ID[:]...)
	b = append(b, 'd')
	b = append(b, method...)
	b = append(b, 'd')
	b = appendAddress(b, a.Address)
	all := string(b)
	j.link, j.history, j.asked, j.event = all[:link], all[link:history], all[history:asked], all[asked:]
	return nil
}

// undecided is what the script answers in place of an outcome where the caller
// has a grant or a form to look at.
const undecided = 'k'

// confirmationLetter says what a link that needs confirmation is answered with.
func confirmationLetter(a *gateway.Attempt) string {
	switch {
	case a.Method == "POST", a.Grant != "", a.Form != nil:
		return string(undecided)
	case a.Page:
		return "g"
	}
	return "c"
}

// admissionOf reads the script's verdict.
func admissionOf(answer string, id gateway.ID) (admission gateway.Admission, err error) {
	d := decoder{rest: answer}
	code := byte(d.fixed(1)) //nolint:gosec // One byte.
	if code != undecided || d.err != nil {
		if admission.Outcome, err = outcomeOf(code); err != nil || d.rest == "" {
			return admission, err
		}
	}
	now := d.fixed(6)
	if admission.Outcome == gateway.OutcomeRedirected {
		err = readPermission(&admission.Permission, d.rest, now)
		return admission, errors.Join(d.err, err)
	}
	used := d.take(1) == "u"
	record := d.take(uint64(d.fixed(3))) //nolint:gosec // Never negative.
	if d.err != nil {
		return admission, d.err
	}
	if err = readPermission(&admission.Permission, record, now); err != nil {
		return admission, err
	}
	admission.Now, admission.UsedUp = moment(now), used
	link, err := view{now: now, history: d.rest, live: record[:headWidth]}.link(id)
	admission.Link = &link
	return admission, err
}

// Note implements gateway.ClickStore. A link that has been forgotten since
// keeps no event.
func (s *Store) Note(ctx context.Context, a gateway.Attempt, k gateway.EventKind, o gateway.Outcome) (err error) {
	defer s.observe(callNote, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.clicks)
	defer cancel()
	if err != nil {
		return err
	}
	what, err := whatOf(k, a.Method, o)
	if err != nil {
		return unavailable("note", err)
	}
	stream, most := s.keys.clicks(partition(a.ID)), s.mostEvents()
	if k != gateway.EventRedirected {
		stream, most = s.keys.refusals(partition(a.ID)), s.mostRefusals()
	}
	v, err := run(ctx, s.client.clicks, s.scripts.note, false,
		[]string{s.keys.link(a.ID), s.keys.history(a.ID), stream},
		a.ID[:], packAddress(a.Address), most, what)
	if err != nil {
		return unavailable("note", err)
	}
	switch v {
	case int64(0), int64(1):
		return nil
	case int64(2):
		return gateway.ErrEnded
	}
	return unavailable("note", gateway.ErrRecord)
}

// mostEvents is the most downloads that the stream of one partition keeps.
func (s *Store) mostEvents() int {
	return (s.options.MaxClickEvents + partitions - 1) / partitions
}

// refusalsShare is how many downloads are kept for each other event.
const refusalsShare = 4

// mostRefusals is the most other events that the stream of one partition keeps.
func (s *Store) mostRefusals() int {
	return (s.mostEvents() + refusalsShare - 1) / refusalsShare
}
