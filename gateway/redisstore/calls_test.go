package redisstore_test

import (
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// keyIn returns the key of a link under a prefix, independent of keys.go.
func keyIn(prefix, letter string, id gateway.ID) string {
	return prefix + ":" + partitionOf(id) + ":" + letter + ":" + id.String()
}

// post sends a form with a nonce.
func post(tb testing.TB, s *redisstore.Store, id gateway.ID, nonce string) (gateway.Spent, error) {
	tb.Helper()
	return s.Spend(tb.Context(), gateway.Attempt{ID: id, Method: "POST"}, gateway.Spending{Nonce: nonce, Window: window})
}

// changing returns functions that each make one call which changes a link, for tests that
// repeat calls or make them during an outage.
type changing struct {
	t *testing.T
	s *redisstore.Store
}

// reserve makes a reservation, always under the same name.
func (c changing) reserve(sealed string) func() error {
	return func() error { _, err := c.s.Reserve(c.t.Context(), "name", []byte(sealed)); return err }
}

// confirm confirms an issue.
func (c changing) confirm(id gateway.ID) func() error {
	return func() error { _, err := c.s.Confirm(c.t.Context(), id); return err }
}

// note sets the same note each time.
func (c changing) note(id gateway.ID) func() error {
	return func() error {
		_, err := c.s.Change(c.t.Context(), id, gateway.Change{Note: new("n")}, operator())
		return err
	}
}

// spend sends a form with a nonce.
func (c changing) spend(id gateway.ID, nonce string) func() error {
	return func() error { _, err := post(c.t, c.s, id, nonce); return err }
}

// revoke revokes a link.
func (c changing) revoke(id gateway.ID) func() error {
	return func() error { _, _, err := c.s.Revoke(c.t.Context(), id, "leak", operator()); return err }
}

// revokeAll revokes a selection in one call. An error and a result that is done exclude each
// other.
func (c changing) revokeAll(q gateway.ListQuery) func() error {
	return func() error {
		c.t.Helper()
		result, err := c.s.RevokeAll(c.t.Context(), q, gateway.BulkOptions{Budget: time.Minute}, operator())
		if (err == nil) != result.Done {
			c.t.Errorf("revoke all: %+v, %v", result, err)
		}
		return err
	}
}
