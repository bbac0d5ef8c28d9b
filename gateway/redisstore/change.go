package redisstore

import (
	"context"
	"fmt"
	"time"

	"keyhole/gateway"
)

// changeTries bounds how often a change is tried anew because another one came
// in between.
const changeTries = 8

// Change implements gateway.Store. What the record keeps of note, labels and
// clicks is replaced only where it is still what was read.
func (s *Store) Change(ctx context.Context, id gateway.ID, change gateway.Change, by gateway.Origin) (_ gateway.Link, err error) {
	defer s.observe(callChange, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.Link{}, err
	}
	for range changeTries {
		v, err := run(ctx, s.client.rest, s.scripts.read, true, []string{s.keys.link(id), s.keys.history(id)})
		if err != nil {
			return gateway.Link{}, unavailable("change", err)
		}
		link, seen, err := s.seen("change", replyOf(v), id)
		switch {
		case err != nil:
			return gateway.Link{}, err
		case link.Ended():
			return gateway.Link{}, gateway.ErrEnded
		}
		changed, anew, err := s.changeSeen(ctx, &link, seen.history, &change, by)
		if !anew {
			return changed, err
		}
	}
	return gateway.Link{}, unavailable("change", fmt.Errorf("changed by others %d times in between", changeTries))
}

// changeSeen changes a link of which the history was read. anew says that it was
// changed since.
func (s *Store) changeSeen(ctx context.Context, link *gateway.Link, history string, change *gateway.Change, by gateway.Origin) (_ gateway.Link, anew bool, err error) {
	changed := *link
	change.Apply(&changed)
	// A second run of one with a revision would not find it any more.
	again := repeatable(change.Revision == "")
	v, err := s.write(ctx, s.client.rest, s.scripts.change, again, s.changeKeys(link),
		s.changeArgs(link, &changed, change, history, by)...)
	if err != nil {
		return gateway.Link{}, false, unavailable("change", err)
	}
	r := replyOf(v)
	switch what := r.text(); what {
	case "c":
		changed, err = s.viewed("change", r, link.ID)
		return changed, false, err
	case "b":
		return gateway.Link{}, true, nil
	case "r":
		return gateway.Link{}, false, gateway.ErrChanged
	case "e":
		return gateway.Link{}, false, gateway.ErrEnded
	case "n":
		return gateway.Link{}, false, gateway.ErrNotFound
	case "y":
		return gateway.Link{}, false, gateway.ErrNeverValid
	case "o":
		longest := time.Duration(r.number()) * time.Millisecond
		return gateway.Link{}, false, &gateway.ChangeError{Limit: gateway.LimitLife, Longest: longest}
	case "m":
		return gateway.Link{}, false, &gateway.ChangeError{Limit: gateway.LimitClicks, Clicks: r.number()}
	}
	return gateway.Link{}, false, unavailable("change", gateway.ErrRecord)
}

// changeKeys names what a change writes to.
func (s *Store) changeKeys(link *gateway.Link) []string {
	p := partition(link.ID)
	generation := link.CreatedAt.UnixMilli() / generationWidth
	keys := []string{
		s.keys.link(link.ID), s.keys.history(link.ID), s.keys.operations(p), s.keys.active(p),
		s.keys.terms(p, generation), s.keys.names(p, generation),
	}
	return append(keys, s.confirmationKeys(link)...)
}

// changeArgs packs a change.
func (s *Store) changeArgs(link, changed *gateway.Link, change *gateway.Change, history string, by gateway.Origin) []any {
	life, most, paused := any(""), any(""), ""
	if change.Life > 0 {
		life = change.Life.Milliseconds()
	}
	if change.MaxClicks > 0 {
		most = change.MaxClicks
	}
	if change.Paused != nil {
		paused = "w"
		if *change.Paused {
			paused = "p"
		}
	}
	args := []any{
		link.ID[:], s.retention(), s.horizon.Load(), operationBody(by, ""),
		history[historyHeadWidth:], historyBody(changed, history[0]), life, change.Longest.Milliseconds(), most, paused,
		change.Window.Milliseconds(), change.Revision,
	}
	for name, value := range changed.Labels {
		if had, ok := link.Labels[name]; !ok || had != value {
			args = append(args, termLabel(name, value))
		}
	}
	return args
}
