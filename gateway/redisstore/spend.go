package redisstore

import (
	"context"
	"time"

	"keyhole/gateway"
)

// The limits of wrong passphrases within triesWindow, for one link and for one client
// of that link. Beyond triesPerLink only a client that has not failed gets a try, and
// all of those together one in triesPause: otherwise two clients could lock the link
// for everybody. A link takes at most 25 tries in 15 minutes, however many clients.
const (
	triesWindow    = 15 * time.Minute
	triesPerLink   = 10
	triesPerClient = 5
	triesPause     = time.Minute
)

// Spend implements gateway.ClickStore: one script, never repeated by itself. With
// Options.WaitReplicas it returns when that many replicas have it.
func (s *Store) Spend(ctx context.Context, a gateway.Attempt, spending gateway.Spending) (_ gateway.Spent, err error) {
	defer s.observe(callSpend, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.clicks)
	defer cancel()
	if err != nil {
		return gateway.Spent{}, err
	}
	if err := s.trusted("spend"); err != nil {
		return gateway.Spent{}, err
	}
	generation := int64(noGeneration)
	if spending.Last {
		generation = s.generation.Load()
	}
	r, err := s.askSpend(ctx, &a, spending, generation)
	code := r.text()
	if code == otherGeneration && err == nil {
		r, err = s.askSpend(ctx, &a, spending, r.number()/generationWidth)
		code = r.text()
	}
	if err != nil {
		return gateway.Spent{}, unavailable("spend", err)
	}
	if r.err != nil || len(code) != 1 {
		return gateway.Spent{}, unavailable("spend", gateway.ErrRecord)
	}
	spent := gateway.Spent{}
	if spent.Outcome, err = outcomeOf(code[0]); err != nil {
		return gateway.Spent{}, unavailable("spend", err)
	}
	if spent.Outcome == gateway.OutcomeRedirected || spent.Outcome == gateway.OutcomeResumed {
		spent.Now, spent.GrantEnd = moment(r.number()), moment(r.number())
		if r.err != nil {
			return gateway.Spent{}, unavailable("spend", r.err)
		}
	}
	return spent, nil
}

// otherGeneration is what lua/spend.lua answers in place of an outcome where it needs
// the indexes of the link's generation and has not been told them.
const otherGeneration = "G"

// noGeneration stands for a click that is not expected to be the last.
const noGeneration = -1

// askSpend executes the script that spends a click, with the indexes of a generation
// where it is expected to be the last click of a link.
func (s *Store) askSpend(ctx context.Context, a *gateway.Attempt, spending gateway.Spending, generation int64) (*reply, error) {
	p := partition(a.ID)
	keys := []string{
		s.keys.link(a.ID), s.keys.history(a.ID), s.keys.clicks(p), s.keys.spent(a.ID), s.keys.active(p),
	}
	args := []any{
		a.ID[:], "p", packAddress(a.Address), s.mostEvents(), packClient(a.Client), spending.Nonce,
		spending.Window.Milliseconds(), s.retention(),
	}
	if generation != noGeneration {
		keys = append(keys, s.keys.terms(p, generation), s.keys.names(p, generation))
		args = append(args, generation, generationWidth)
	}
	v, err := s.write(ctx, s.client.clicks, s.scripts.spend, false, keys, args...)
	return replyOf(v), err
}

// Try implements gateway.ClickStore.
func (s *Store) Try(ctx context.Context, id gateway.ID, whose string) (_ gateway.Try, err error) {
	defer s.observe(callTry, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.clicks)
	defer cancel()
	if err != nil {
		return gateway.Try{}, err
	}
	v, err := run(ctx, s.client.clicks, s.scripts.try, false, []string{s.keys.tries(id)},
		whose, triesWindow.Milliseconds(), triesPerLink, triesPerClient, triesPause.Milliseconds())
	if err != nil {
		return gateway.Try{}, unavailable("try", err)
	}
	r := replyOf(v)
	try := gateway.Try{}
	switch r.number() {
	case 0:
		try.Wait = time.Duration(r.number()) * time.Millisecond
	case 1:
		try.Reserved = r.text()
	default:
		return gateway.Try{}, unavailable("try", gateway.ErrRecord)
	}
	if r.err != nil {
		return gateway.Try{}, unavailable("try", r.err)
	}
	return try, nil
}

// Untry implements gateway.ClickStore.
func (s *Store) Untry(ctx context.Context, id gateway.ID, try gateway.Try) (err error) {
	defer s.observe(callUntry, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.clicks)
	defer cancel()
	if err != nil {
		return err
	}
	if _, err := run(ctx, s.client.clicks, s.scripts.untry, false, []string{s.keys.tries(id)}, try.Reserved); err != nil {
		return unavailable("untry", err)
	}
	return nil
}
