package redisstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// maxChangeAttempts limits the repeats of a change. Each repeat is necessary if another
// change came between the read and the write.
const maxChangeAttempts = 8

// Change implements gateway.Store. It replaces the record only if nobody changed the
// record since Change read it.
func (s *Store) Change(
	ctx context.Context, id gateway.ID, change gateway.Change, by gateway.Origin,
) (_ gateway.Link, err error) {
	defer s.observe(callChange, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.Link{}, err
	}
	for range maxChangeAttempts {
		v, err := s.read(ctx, id)
		if err != nil {
			return gateway.Link{}, unavailable("change", err)
		}
		link, view, err := readView("change", replyOf(v), id)
		switch {
		case err != nil:
			return gateway.Link{}, err
		case link.Ended():
			return gateway.Link{}, gateway.ErrEnded
		}
		changed, conflict, err := s.changeUnlessChanged(ctx, &link, view.History, &change, by)
		if !conflict {
			return changed, err
		}
	}
	err = fmt.Errorf("other changes of the link came first in %d attempts", maxChangeAttempts)
	return gateway.Link{}, unavailable("change", err)
}

// changeUnlessChanged changes a link if its history is still the given one. conflict
// means that another change came first, so nothing was written.
func (s *Store) changeUnlessChanged(
	ctx context.Context, link *gateway.Link, history string, change *gateway.Change, by gateway.Origin,
) (_ gateway.Link, conflict bool, err error) {
	changed := *link
	change.Apply(&changed)
	// The first execution changes the revision, so a repeat with a revision would fail.
	again := repeatable(change.Revision == "")
	v, err := s.write(ctx, s.client.rest, s.scripts.change, again, s.changeKeys(link, change),
		s.changeArgs(link, &changed, change, history, by)...)
	if err != nil {
		return gateway.Link{}, false, unavailable("change", err)
	}
	r := replyOf(v)
	switch r.text() {
	case "c":
		changed, err = readLink("change", r, link.ID)
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

// changeKeys returns the KEYS of lua/change.lua. A key that does not exist is named only for
// a change that may make it: while a slot of a cluster moves, Redis sends a script to the
// other master only if all of its keys have moved.
func (s *Store) changeKeys(link *gateway.Link, change *gateway.Change) []string {
	p := partition(link.ID)
	indexBucket := link.CreatedAt.UnixMilli() / indexBucketWidth
	keys := []string{
		s.keys.permission(link.ID), s.keys.history(link.ID), s.keys.operations(p), s.keys.liveCounter(p),
		s.keys.secondaryIndex(p, indexBucket), s.keys.prefixIndex(p, indexBucket),
	}
	if change.Allow != nil || change.NotBefore != nil || change.Passphrase != nil {
		return append(keys, s.keys.spent(link.ID), s.keys.attempts(link.ID))
	}
	return append(keys, s.confirmationKeys(link)...)
}

// changeArgs packs a change into the ARGV of lua/change.lua.
func (s *Store) changeArgs(
	link, changed *gateway.Link, change *gateway.Change, history string, by gateway.Origin,
) []any {
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
	// The permission stays in its version, or becomes Restricted if a restriction changes.
	// Gateways refuse a click if either of the two has a version that they do not know.
	version := max(history[0], record.VersionOf(changed))
	args := []any{
		link.ID[:], s.afterEnd(), s.retentionHorizon.Load(), record.OperationFields(by, ""),
		history[record.HistoryHeadWidth:], record.HistoryBody(changed, version),
		life, change.Longest.Milliseconds(), most, paused, change.Window.Milliseconds(), change.Revision, int(version),
	}
	args = append(args, restrictionArgs(link, changed, change)...)
	args = append(args, gateway.LifeTolerance.Milliseconds())
	for name, value := range changed.Labels {
		if had, ok := link.Labels[name]; !ok || had != value {
			args = append(args, attributeLabel(name, value))
		}
	}
	return args
}

// restrictionArgs packs changed restrictions into ARGV 14 to 18 of lua/change.lua. What has
// the requested value already is left out, so that a link without restrictions keeps its
// version.
func restrictionArgs(link, changed *gateway.Link, change *gateway.Change) []any {
	allow, notBefore, passphrase, confirms := "", any(""), "", ""
	if change.Allow != nil && !slices.Equal(link.Allow, changed.Allow) {
		allow = "a" + record.PackPrefixes(changed.Allow)
	}
	if change.NotBefore != nil && !changed.NotBefore.Equal(link.NotBefore) {
		notBefore = int64(0)
		if !changed.NotBefore.IsZero() {
			notBefore = max(changed.NotBefore.UnixMilli(), 0)
		}
	}
	if change.Passphrase != nil && (link.Passphrase || changed.Passphrase) {
		passphrase = "p" + *change.Passphrase
	}
	if changed.NeedsConfirmation() {
		confirms = "c"
	}
	return []any{allow, notBefore, passphrase, change.Key[:], confirms}
}
