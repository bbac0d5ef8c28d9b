package gateway

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// How long one call of a bulk revocation takes, about: once it has found links, and
// while it looks at links that have ended. Both are below the operator listener's
// write timeout.
const (
	bulkBudget     = 2 * time.Second
	bulkLookBudget = 15 * time.Second
)

// How a link was revoked, the label of links_revoked_total.
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

// Revoke ends a link. It is idempotent: what has ended is returned as it is, and
// the first reason stays. When it returns without an error, no redirect that
// begins later is given.
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
	return link, nil
}

// BulkRequest selects links to revoke: fields that are not empty are joined by
// AND.
type BulkRequest struct {
	Bucket, Prefix, Key, CreatedBy string
	LabelName, LabelValue          string
	All                            bool // instead of every other
	Reason                         string
	DryRun                         bool // only counts
	Cursor                         string
}

// RevokeAll ends the links in the actor's scope that are selected, used-up ones
// with live grants too. One call takes about bulkBudget: it is to be repeated with
// the result's cursor until there is none. When it returns, no redirect by what it has ended
// begins later; with an error, the result says what was ended before that.
func (s *Service) RevokeAll(ctx context.Context, actor *Actor, req *BulkRequest) (BulkResult, error) {
	if err := actor.Allowed(ActionRevoke); err != nil {
		return BulkResult{}, err
	}
	if err := checkBulk(req); err != nil {
		return BulkResult{}, err
	}
	result, err := s.store.RevokeAll(ctx, ListQuery{
		Bucket: req.Bucket, Prefix: req.Prefix, Key: req.Key, CreatedBy: req.CreatedBy,
		LabelName: req.LabelName, LabelValue: req.LabelValue, Match: actor.Sees,
	}, BulkOptions{Reason: req.Reason, DryRun: req.DryRun, Budget: bulkBudget, LookBudget: bulkLookBudget, Cursor: req.Cursor, Scope: actor.scope()}, actor.origin())
	s.metrics.revokes.revoked(revokedBulk, result.Revoked)
	if err != nil {
		return result, storeError(err)
	}
	return result, nil
}

// checkBulk names what is wrong with a selection. One that selects nothing in
// particular is a mistake, unless it says so.
func checkBulk(req *BulkRequest) error {
	filtered := req.Bucket != "" || req.Prefix != "" || req.Key != "" || req.CreatedBy != "" || req.LabelName != ""
	var found []FieldError
	refuse := func(field, code, message string) { found = append(found, FieldError{field, code, message}) }
	switch {
	case req.All && filtered:
		refuse("all", "conflict", "all stands alone; leave out the other filters, or all")
	case !req.All && !filtered:
		refuse("all", "required", "say which links, or all of them")
	}
	if req.Prefix != "" && req.Key != "" {
		refuse("prefix", "conflict", "give either prefix or key, not both")
	}
	if req.Bucket == "" && (req.Prefix != "" || req.Key != "") {
		refuse("bucket", "required", "prefix and key are of a bucket: say which")
	}
	found = append(found, checkText("reason", req.Reason)...)
	if len(found) > 0 {
		return invalidFields(found...)
	}
	return nil
}
