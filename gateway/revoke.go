package gateway

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// bulkBudget is about how long one call of a bulk revocation takes if it finds links, and
// bulkLookBudget if it finds only links that have ended. Both are shorter than the write
// timeout of the operator listener.
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

// Revoke ends a link. It is idempotent: it returns a link that has ended unchanged, with
// the first reason. After Revoke has returned without an error, no click on the link gets
// a redirect.
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

// BulkRequest selects links to revoke. Fields that are not empty are joined by AND.
type BulkRequest struct {
	Bucket, Prefix, Key, CreatedBy string
	LabelName, LabelValue          string
	All                            bool // instead of all other filters
	Reason                         string
	DryRun                         bool // only counts
	Cursor                         string
}

// RevokeAll ends the selected links in the actor's scope, and used-up links whose grants
// are valid. One call takes about bulkBudget. The caller repeats it with the cursor of the
// result until the result has no cursor. After it has returned, no click on a link that it
// ended gets a redirect. After an error, the result says what was ended before it.
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
	}, BulkOptions{
		Reason: req.Reason, DryRun: req.DryRun, Budget: bulkBudget, LookBudget: bulkLookBudget,
		Cursor: req.Cursor, Scope: actor.scope(),
	}, actor.origin())
	s.metrics.revokes.revoked(revokedBulk, result.Revoked)
	if err != nil {
		return result, storeError(err)
	}
	return result, nil
}

// checkBulk returns the errors in a selection. An empty selection is an error, unless the
// request says all.
func checkBulk(req *BulkRequest) error {
	filtered := req.Bucket != "" || req.Prefix != "" || req.Key != "" || req.CreatedBy != "" || req.LabelName != ""
	var found []FieldError
	refuse := func(field, code, message string) { found = append(found, FieldError{field, code, message}) }
	switch {
	case req.All && filtered:
		refuse("all", "conflict", "all excludes the other filters; remove all or the other filters")
	case !req.All && !filtered:
		refuse("all", "required", "send a filter, or \"all\": true")
	}
	if req.Prefix != "" && req.Key != "" {
		refuse("prefix", "conflict", "send either prefix or key, not both")
	}
	if req.Bucket == "" && (req.Prefix != "" || req.Key != "") {
		refuse("bucket", "required", "prefix and key need a bucket; send bucket")
	}
	found = append(found, checkText("reason", req.Reason)...)
	if len(found) > 0 {
		return invalidFields(found...)
	}
	return nil
}
