package client

import (
	"net/http"
	"slices"
	"testing"

	"keyhole/gateway/api"
)

// TestEventIDs returns the ids of events as the service sends them, from the audit and
// from a link, and no id for an event that the audit has dropped.
func TestEventIDs(t *testing.T) {
	t.Parallel()
	_, c := newServer(t, http.StatusOK, api.MediaType,
		`{"events":[{"id":"01a2","kind":"issued"},{"kind":"page"}],"next":"n"}`)
	audit, err := c.Audit(t.Context(), AuditOptions{Oldest: true, Cursor: "c"})
	if err != nil {
		t.Fatal(err)
	}
	link, err := c.Events(t.Context(), "i", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range map[string]api.EventPage{"audit": audit, "link": link} {
		var ids []string
		for _, e := range page.Events {
			ids = append(ids, e.ID)
		}
		if !slices.Equal(ids, []string{"01a2", ""}) || page.Next != "n" {
			t.Errorf("%s: ids %q, next %q", name, ids, page.Next)
		}
	}
}
