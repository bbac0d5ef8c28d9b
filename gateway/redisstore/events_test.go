package redisstore_test

import (
	"errors"
	"fmt"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// summary returns events in short, without their times, which must not increase.
func summary(t *testing.T, events []gateway.Event) []string {
	t.Helper()
	lines := make([]string, len(events))
	for i, e := range events {
		if i > 0 && e.Time.After(events[i-1].Time) {
			t.Errorf("event %d is newer than the one before it", i)
		}
		lines[i] = fmt.Sprintf("%s %s %s %s %q %s", e.Kind, e.Outcome, e.Method, e.Actor, e.Reason, e.Address)
	}
	return lines
}

// events returns the events of all pages.
func events(t *testing.T, s *redisstore.Store, id gateway.ID, limit int) []gateway.Event {
	t.Helper()
	var all []gateway.Event
	cursor := ""
	for {
		page, err := s.Events(t.Context(), id, cursor, limit)
		if err != nil {
			t.Fatalf("events: %v", err)
		}
		if len(page.Events) > limit {
			t.Fatalf("%d events on a page of %d", len(page.Events), limit)
		}
		all = append(all, page.Events...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

func testEvents(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	link := create(t, s, newLink(t))
	click := func(method, address string) {
		if _, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: method, Address: address}); err != nil {
			t.Fatalf("admit: %v", err)
		}
	}
	click("GET", "116.0.0.1") // 116 is the letter t, which marks text.
	click("HEAD", "192.0.2.1")
	click("POST", "2001:db8::1")
	click("GET", "192.0.2.0/24")
	click("GET", "")
	failed := gateway.Attempt{ID: link.ID, Method: "GET", Address: "::ffff:1.2.3.4"}
	if err := s.RecordEvent(t.Context(), failed, gateway.EventFailed, gateway.OutcomeObjectGone); err != nil {
		t.Fatalf("fail: %v", err)
	}
	reason := "no more\r\n\x00needed | x=1 é"
	if _, _, err := s.Revoke(t.Context(), link.ID, reason, gateway.Origin{Actor: "bob", Address: "t"}); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	click("HEAD", "192.0.2.2")
	refused := gateway.Attempt{ID: link.ID, Method: "GET", Address: "192.0.2.3"}
	if err := s.RecordEvent(t.Context(), refused, gateway.EventRefused, gateway.OutcomeRevoked); err != nil {
		t.Fatalf("refuse: %v", err)
	}
	want := []string{
		`refused revoked GET  "" 192.0.2.3`,
		fmt.Sprintf(`revoked   bob %q t`, reason),
		`failed object_gone GET  "" ::ffff:1.2.3.4`,
		`redirected redirected GET  "" `,
		`redirected redirected GET  "" 192.0.2.0/24`,
		`redirected redirected POST  "" 2001:db8::1`,
		`redirected redirected GET  "" 116.0.0.1`,
		`issued   alice "" 192.0.2.7`,
	}
	for limit := 1; limit <= 9; limit++ {
		got := events(t, s, link.ID, limit)
		equal(t, fmt.Sprintf("pages of %d", limit), summary(t, got), want)
	}
	for _, e := range events(t, s, link.ID, 100) {
		if e.Link != link.ID {
			t.Errorf("an event of %v at %v", e.Link, link.ID)
		}
	}
	equal(t, "clicks", get(t, s, link.ID).Clicks, 4)

	t.Run("the last hundred", func(t *testing.T) {
		busy := create(t, s, newLink(t))
		for range 307 {
			admit(t, s, busy.ID, "GET")
		}
		got := events(t, s, busy.ID, 30)
		equal(t, "how many", len(got), 101)
		equal(t, "the oldest", got[100].Kind, gateway.EventIssued)
		equal(t, "clicks", get(t, s, busy.ID).Clicks, 307)
		if _, _, err := s.Revoke(t.Context(), busy.ID, "", operator()); err != nil {
			t.Fatalf("revoke after the cuts: %v", err)
		}
	})
	t.Run("between pages", func(t *testing.T) {
		busy := create(t, s, newLink(t))
		for range 20 {
			admit(t, s, busy.ID, "GET")
		}
		page, err := s.Events(t.Context(), busy.ID, "", 5)
		if err != nil {
			t.Fatalf("events: %v", err)
		}
		n := len(page.Events)
		for page.Next != "" {
			admit(t, s, busy.ID, "GET")
			if page, err = s.Events(t.Context(), busy.ID, page.Next, 5); err != nil {
				t.Fatalf("events: %v", err)
			}
			n += len(page.Events)
		}
		equal(t, "events seen", n, 21)
	})
	if _, err := s.Events(t.Context(), newID(t), "", 5); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("events of what never was: %v, want ErrNotFound", err)
	}
	page, err := s.Events(t.Context(), link.ID, "", 1)
	if err != nil {
		t.Fatalf("events: %v", err)
	}
	other := create(t, s, newLink(t))
	if _, err := s.Events(t.Context(), other.ID, page.Next, 1); !errors.Is(err, gateway.ErrCursor) {
		t.Errorf("another link's cursor: %v, want ErrCursor", err)
	}
	if _, err := s.Events(t.Context(), link.ID, "forged", 1); !errors.Is(err, gateway.ErrCursor) {
		t.Errorf("a forged cursor: %v, want ErrCursor", err)
	}
}
