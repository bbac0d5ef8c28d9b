package gateway

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// bulkBudget is the approximate duration of one call of a bulk revocation that finds
// links, and bulkSearchBudget of a call that finds only ended links. Both are shorter than
// the write timeout of the operator listener.
const (
	bulkBudget       = 2 * time.Second
	bulkSearchBudget = 15 * time.Second
)

// The values of the label how of links_revoked_total.
const (
	revokedSingle = "single"
	revokedBulk   = "bulk"
)

// revokeMetrics counts revoked links by how they were revoked.
type revokeMetrics map[string]prometheus.Counter

// newRevokeMetrics registers the metric of revocations.
func newRevokeMetrics(registerer prometheus.Registerer) revokeMetrics {
	revokes := counter("links_revoked_total", "Links revoked, one at a time or in bulk.", "how")
	registerer.MustRegister(revokes)
	m := revokeMetrics{}
	for _, how := range []string{revokedSingle, revokedBulk} {
		m[how] = revokes.WithLabelValues(how)
	}
	return m
}

// revoked counts links.
func (m revokeMetrics) revoked(how string, links int) { m[how].Add(float64(links)) }

// Revoke ends a link. It is idempotent: a link that has ended stays unchanged, with its
// first reason, and gets NoteEndedBefore. After Revoke has returned without an error, no click on the link gets a
// redirect. CodeNotConfirmed means that the link has ended but that a failover may undo
// it.
func (s *Service) Revoke(ctx context.Context, actor *Actor, id ID, reason string) (Link, error) {
	if err := actor.Allowed(ActionRevoke); err != nil {
		return Link{}, err
	}
	if fields := checkText("reason", reason); len(fields) > 0 {
		return Link{}, invalidFields(fields...)
	}
	if _, err := s.find(ctx, actor, id); err != nil {
		return Link{}, err
	}
	link, changed, err := s.store.Revoke(ctx, id, reason, actor.origin())
	if changed {
		s.metrics.revokes.revoked(revokedSingle, 1)
	}
	if err != nil {
		return Link{}, storeError(err)
	}
	if !changed {
		link.Notes = append(link.Notes, Note{NoteEndedBefore, "the link had ended before; this revocation changed nothing"})
	}
	return link, nil
}

// BulkRequest selects links to revoke. Fields that are not empty are joined by AND.
type BulkRequest struct {
	// Query has the filters. Its Buckets, Match, Cursor and Limit are ignored.
	Query  ListQuery
	All    bool // instead of all filters
	Reason string
	DryRun bool // only counts
	Cursor string
	// Examine is the number of index entries after which the call returns with a cursor, for
	// callers that need an answer soon; 0: as many as the time of a call allows.
	Examine int
}

// RevokeAll ends the selected links in the actor's scope, and the grants of used-up
// links. One call takes about two seconds. Repeat the call with the cursor of the result
// until the result has no cursor. After RevokeAll has returned, no click on a link that
// it ended gets a redirect. After an error, the result counts the links that were ended
// before the error.
func (s *Service) RevokeAll(ctx context.Context, actor *Actor, req *BulkRequest) (BulkResult, error) {
	if err := actor.Allowed(ActionRevoke); err != nil {
		return BulkResult{}, err
	}
	if err := checkBulk(req); err != nil {
		return BulkResult{}, err
	}
	q := req.Query
	q.Buckets, q.Match, q.Cursor, q.Limit = nil, actor.Sees, "", 0
	result, err := s.store.RevokeAll(ctx, q, BulkOptions{
		Reason: req.Reason, DryRun: req.DryRun, Budget: bulkBudget, SearchBudget: bulkSearchBudget,
		Cursor: req.Cursor, Scope: actor.scope(), Examine: req.Examine,
	}, actor.origin())
	s.metrics.revokes.revoked(revokedBulk, result.Revoked)
	if err != nil {
		return result, storeError(err)
	}
	return result, nil
}

// Active returns the number of live links of the service, whatever an actor's scope is. The
// caller must not show it to an actor with a narrower scope.
func (s *Service) Active(ctx context.Context) (int64, error) {
	n, err := s.store.Active(ctx)
	if err != nil {
		return 0, storeError(err)
	}
	return n, nil
}

// checkBulk returns the errors in a selection. An empty selection without all is an
// error.
func checkBulk(req *BulkRequest) error {
	q := &req.Query
	filtered := len(q.States)+len(q.Labels) > 0 || q.Bucket+q.Prefix+q.Key+q.CreatedBy != "" ||
		!q.Since.IsZero() || !q.EndsAfter.IsZero() || q.Relative() || q.Unused
	var found []FieldError
	refuse := func(field, code, message string) { found = append(found, FieldError{field, code, message}) }
	switch {
	case req.All && filtered:
		refuse("all", "conflict", "all excludes the other filters; remove all or the other filters")
	case !req.All && !filtered:
		refuse("all", "required", "send a filter, or \"all\": true")
	}
	if q.Prefix != "" && q.Key != "" {
		refuse("prefix", "conflict", "send either prefix or key, not both")
	}
	if q.Bucket == "" && (q.Prefix != "" || q.Key != "") {
		refuse("bucket", "required", "prefix and key need a bucket; send bucket")
	}
	for _, state := range q.States {
		if state == StateRevoked || state == StateExpired {
			refuse("state", "not_revocable", "a link that is "+string(state)+" cannot be revoked; omit this state")
		}
	}
	found = append(found, checkText("reason", req.Reason)...)
	if len(found) > 0 {
		return invalidFields(found...)
	}
	return nil
}
