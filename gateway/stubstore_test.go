package gateway

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// stubStore is a Store that gives scripted answers and records what it was asked. It
// holds nothing: Get does not find a link that Create was given, and a link that Change
// or Revoke returned is as before in the next answer. Tests that need a store which holds
// links are in gateway/httpapi, over storetest.
type stubStore struct {
	// links are the answers about links, by ID. The other links do not exist.
	links map[ID]Link
	// reserved are the answers about reservations, by name, and age is the age of each.
	reserved map[string][]byte
	age      time.Duration
	now      time.Time // the creation time of every link
	err      error     // the answer to calls about links, unless it is nil

	created []Link
	sealed  map[string][]byte // what Reserve was asked to reserve, by name
	secrets Secrets
	life    time.Duration
	by      Origin
	query   ListQuery
	change  Change
	// changeErr is answered to every change.
	changeErr error
	bulk      BulkOptions
	ended     BulkResult
	audit     AuditQuery
	erasure   Erasure
	signIns   []EventKind
	calls     int
}

// repeat scripts the answers of a store that has kept all links and reservations that the
// stub was given until now.
func (s *stubStore) repeat() {
	for _, link := range s.created {
		s.links[link.ID] = link
	}
	maps.Copy(s.reserved, s.sealed)
}

func (s *stubStore) Create(_ context.Context, link Link, secrets Secrets, life time.Duration, by Origin) (Link, error) {
	s.calls++
	if s.err != nil {
		return Link{}, s.err
	}
	if had, ok := s.links[link.ID]; ok {
		return had, ErrExists
	}
	link.CreatedAt, link.ExpiresAt = s.now, s.now.Add(life)
	s.created, s.secrets, s.life, s.by = append(s.created, link), secrets, life, by
	return link, nil
}

func (s *stubStore) Get(_ context.Context, id ID) (Link, error) {
	s.calls++
	if s.err != nil {
		return Link{}, s.err
	}
	link, ok := s.links[id]
	if !ok {
		return Link{}, ErrNotFound
	}
	return link, nil
}

func (s *stubStore) LiveLinks(_ context.Context, storage, bucket string, keys []string) (map[string]LiveCount, error) {
	s.calls++
	counts := map[string]LiveCount{}
	for _, key := range keys {
		counts[storage+":"+bucket+"/"+key] = LiveCount{Links: 1}
	}
	return counts, s.err
}

func (s *stubStore) RecordSignIn(_ context.Context, kind EventKind, by Origin) error {
	s.calls++
	s.signIns, s.by = append(s.signIns, kind), by
	return s.err
}

func (s *stubStore) Find(_ context.Context, prefix IDPrefix) (found []Link, err error) {
	s.calls++
	for id, link := range s.links {
		if prefix.Matches(id) {
			found = append(found, link)
		}
	}
	return found, s.err
}

func (s *stubStore) Reserve(_ context.Context, name string, sealed []byte) ([]byte, error) {
	if had, ok := s.reserved[name]; ok {
		return had, nil
	}
	s.sealed[name] = sealed
	return sealed, nil
}

func (s *stubStore) Reserved(_ context.Context, name string) ([]byte, time.Duration, error) {
	if had, ok := s.reserved[name]; ok {
		return had, s.age, nil
	}
	return nil, 0, ErrNotFound
}

func (s *stubStore) Confirm(ctx context.Context, id ID) (Link, error) { return s.Get(ctx, id) }

// List returns all of links that the query matches.
func (s *stubStore) List(_ context.Context, q ListQuery) (ListPage, error) {
	s.calls++
	s.query = q
	var page ListPage
	for _, link := range s.links {
		if q.Match(link.Ref) {
			page.Links = append(page.Links, link)
		}
	}
	return page, s.err
}

// Revoke returns the link as revoked, unless its scripted state is an end.
func (s *stubStore) Revoke(_ context.Context, id ID, reason string, by Origin) (Link, bool, error) {
	s.calls++
	if s.err != nil {
		return Link{}, false, s.err
	}
	s.by = by
	link := s.links[id]
	if slices.Contains([]State{StateExpired, StateRevoked, StateUsedUp}, link.State) {
		return link, false, nil
	}
	link.State, link.RevokedAt, link.RevokedBy, link.RevokeReason = StateRevoked, s.now, by.Actor, reason
	return link, true, nil
}

func (s *stubStore) Change(_ context.Context, id ID, c Change, by Origin) (Link, error) {
	s.calls++
	if s.err != nil {
		return Link{}, s.err
	}
	if s.changeErr != nil {
		return Link{}, s.changeErr
	}
	s.change, s.by = c, by
	link := s.links[id]
	c.Apply(&link)
	return link, nil
}

func (s *stubStore) Active(context.Context) (int64, error) {
	s.calls++
	return int64(len(s.links)), s.err
}

func (s *stubStore) RevokeAll(_ context.Context, q ListQuery, o BulkOptions, by Origin) (BulkResult, error) {
	s.calls++
	s.query, s.bulk, s.by = q, o, by
	return s.ended, s.err
}

func (s *stubStore) Events(_ context.Context, id ID, cursor string, limit int) (EventList, error) {
	s.calls++
	return EventList{Events: []Event{{Link: id, Kind: EventIssued, Reason: cursor}}[:min(1, limit)]}, s.err
}

func (s *stubStore) Audit(_ context.Context, q AuditQuery) (AuditPage, error) {
	s.calls++
	s.audit = q
	return AuditPage{Events: []AuditEvent{{Event: Event{Kind: EventIssued}}}}, s.err
}

func (s *stubStore) Erase(_ context.Context, e Erasure, by Origin) (ErasureResult, error) {
	s.calls++
	s.erasure, s.by = e, by
	return ErasureResult{FeedEvents: 1, Done: true}, s.err
}

func (s *stubStore) SealCursor(_ context.Context, query, position string) (string, error) {
	return query + position, s.err
}

func (s *stubStore) OpenCursor(_ context.Context, query, cursor string) (string, error) {
	position, ok := strings.CutPrefix(cursor, query)
	if !ok {
		return "", ErrCursor
	}
	return position, s.err
}
