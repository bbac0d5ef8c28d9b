package console

import (
	"context"
	"net/http"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/storetest"
)

// budgetStore notes the budgets of the pages that are read from the store.
type budgetStore struct {
	*storetest.Store

	lists, audits []int
}

// List implements gateway.Store.
func (s *budgetStore) List(ctx context.Context, q gateway.ListQuery) (gateway.ListPage, error) {
	s.lists = append(s.lists, q.Budget)
	return s.Store.List(ctx, q)
}

// Audit implements gateway.Store.
func (s *budgetStore) Audit(ctx context.Context, q gateway.AuditQuery) (gateway.AuditPage, error) {
	s.audits = append(s.audits, q.Budget)
	return s.Store.Audit(ctx, q)
}

// Pages look at fewer entries than the API, so that they come soon. Exports do not: they are
// files, and an operator expects all rows.
func TestPageBudgets(t *testing.T) {
	t.Parallel()
	store := storetest.Open(t)
	noted := &budgetStore{Store: store}
	b := newBenchOver(t, store, func(o *gateway.Options) { o.Links = noted }, nil)
	id := b.issue(t, nil).Link.ID
	c := b.signedIn(t, opsKey)
	for path, want := range map[string][2]int{
		"/console/links": {listBudget}, "/console/links.csv": {}, linkPath(id): {othersBudget},
		"/console/audit": {0, auditBudget}, "/console/audit.csv": {},
	} {
		noted.lists, noted.audits = nil, nil
		if a := c.get(path); a.status != http.StatusOK {
			t.Fatalf("%s: %d", path, a.status)
		}
		got := [2]int{}
		for i, budgets := range [][]int{noted.lists, noted.audits} {
			if len(budgets) > 1 {
				t.Errorf("%s reads several pages: %v", path, budgets)
			}
			for _, budget := range budgets {
				got[i] = budget
			}
		}
		if got != want {
			t.Errorf("%s has the budgets %v, want %v", path, got, want)
		}
	}
}
