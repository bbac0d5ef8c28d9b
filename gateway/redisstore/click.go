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
	method, err := letterOf(methodLetters, methodOf, a.Method)
	if err != nil {
		return gateway.Admission{}, unavailable("admit", err)
	}
	v, err := run(ctx, s.client.clicks, s.scripts.admit, false, s.clickKeys(a.ID),
		a.ID[:], method, packAddress(a.Address), s.mostEvents(), packClient(a.Client), confirmationLetter(&a))
	if err != nil {
		return gateway.Admission{}, unavailable("admit", err)
	}
	admission, err := admissionOf(replyOf(v), a.ID)
	if err != nil {
		return gateway.Admission{}, unavailable("admit", err)
	}
	return admission, nil
}

// undecided is what the script answers in place of an outcome where the caller
// has a grant or a form to look at.
const undecided = "k"

// confirmationLetter says what a link that needs confirmation is answered with.
func confirmationLetter(a *gateway.Attempt) string {
	switch {
	case a.Method == "POST", a.Grant != "":
		return undecided
	case a.Page:
		return "g"
	}
	return "c"
}

// admissionOf reads the script's verdict.
func admissionOf(r *reply, id gateway.ID) (gateway.Admission, error) {
	code := r.text()
	if r.err != nil || len(code) != 1 {
		return gateway.Admission{}, gateway.ErrRecord
	}
	var admission gateway.Admission
	if code != undecided {
		var err error
		if admission.Outcome, err = outcomeOf(code[0]); err != nil {
			return gateway.Admission{}, err
		}
		if len(r.rest) == 0 {
			return admission, nil
		}
	}
	confirmed := admission.Outcome != gateway.OutcomeRedirected
	now := int64(0)
	if confirmed {
		now = r.number()
	}
	left, record := r.number(), r.text()
	if r.err != nil {
		return gateway.Admission{}, r.err
	}
	var err error
	if admission.Permission, err = parsePermission(record, time.Duration(left)*time.Millisecond); err != nil || !confirmed {
		return admission, err
	}
	history, used := r.text(), r.number()
	if r.err != nil {
		return gateway.Admission{}, r.err
	}
	admission.Now, admission.UsedUp = moment(now), used == 1
	admission.Link, err = view{now: now, history: history, live: record[:headWidth]}.link(id)
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
	v, err := run(ctx, s.client.clicks, s.scripts.note, false, s.clickKeys(a.ID),
		a.ID[:], packAddress(a.Address), s.mostEvents(), what)
	if err != nil {
		return unavailable("note", err)
	}
	if _, ok := v.(int64); !ok {
		return unavailable("note", gateway.ErrRecord)
	}
	return nil
}

// clickKeys are the keys that every script of a click has.
func (s *Store) clickKeys(id gateway.ID) []string {
	return []string{s.keys.link(id), s.keys.history(id), s.keys.clicks(partition(id))}
}

// mostEvents is the most events of clicks that one partition keeps.
func (s *Store) mostEvents() int {
	return (s.options.MaxClickEvents + partitions - 1) / partitions
}
