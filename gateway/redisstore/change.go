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
		r := replyOf(v)
		seen := r.view(r.number())
		if r.err != nil {
			return gateway.Link{}, unavailable("change", r.err)
		}
		link, again, err := s.changeSeen(ctx, id, seen, &change, by)
		if !again {
			return link, err
		}
	}
	return gateway.Link{}, unavailable("change", fmt.Errorf("changed by others %d times in between", changeTries))
}

// changeSeen changes a link as it was seen. again says that it was changed since.
func (s *Store) changeSeen(ctx context.Context, id gateway.ID, seen view, change *gateway.Change, by gateway.Origin) (_ gateway.Link, again bool, err error) {
	link, err := seen.link(id)
	switch {
	case err != nil:
		return gateway.Link{}, false, unlessNotFound("change", err)
	case link.Ended():
		return link, false, gateway.ErrEnded
	}
	before := seen.history[historyHeadWidth:]
	changed := link
	change.Apply(&changed)
	v, err := s.write(ctx, s.client.rest, s.scripts.change, true, s.changeKeys(&changed),
		s.changeArgs(&link, &changed, change, before, by)...)
	if err != nil {
		return gateway.Link{}, false, unavailable("change", err)
	}
	r := replyOf(v)
	switch what := r.text(); what {
	case "c":
		link, err = s.viewed("change", r, id)
		return link, false, err
	case "b":
		return gateway.Link{}, true, nil
	case "e":
		return gateway.Link{}, false, gateway.ErrEnded
	case "n":
		return gateway.Link{}, false, gateway.ErrNotFound
	case "y":
		return gateway.Link{}, false, gateway.ErrNeverValid
	case "o":
		return gateway.Link{}, false, &gateway.ChangeError{Longest: time.Duration(r.number()) * time.Millisecond}
	case "m":
		return gateway.Link{}, false, &gateway.ChangeError{Clicks: r.number()}
	}
	return gateway.Link{}, false, unavailable("change", gateway.ErrRecord)
}

// unlessNotFound wraps an error of a record.
func unlessNotFound(doing string, err error) error {
	if err == gateway.ErrNotFound { //nolint:errorlint // It is what view.link itself returns.
		return err
	}
	return unavailable(doing, err)
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
func (s *Store) changeArgs(link, changed *gateway.Link, change *gateway.Change, before string, by gateway.Origin) []any {
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
		link.ID[:], s.options.Retention.Milliseconds(), s.horizon.Load(), operationBody(by, ""),
		before, historyBody(changed), life, change.Longest.Milliseconds(), most, paused,
		change.Window.Milliseconds(),
	}
	for name, value := range changed.Labels {
		if had, ok := link.Labels[name]; !ok || had != value {
			args = append(args, termLabel(name, value))
		}
	}
	return args
}
