package gateway

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// fieldsAndCodes returns the fields and codes of errors, in their order.
func fieldsAndCodes(found []FieldError) []string {
	var texts []string
	for _, f := range found {
		texts = append(texts, f.Field+" "+f.Code)
	}
	return texts
}

// All filters together become one query.
func TestLinkFilter(t *testing.T) {
	t.Parallel()
	f := LinkFilter{
		State: "paused,active,paused", Bucket: "exports", Key: "a/b.csv", CreatedBy: "alice",
		Labels: []string{"team=7", "ticket=K=1", "team=7"}, Since: "7d", Used: "never", EndsWithin: "36h",
		EndsAfter: "30h",
	}
	q, found := f.Query()
	if len(found) > 0 {
		t.Fatal(found)
	}
	if !slices.Equal(q.States, []State{StateActive, StatePaused}) || q.Bucket != "exports" || q.Key != "a/b.csv" ||
		q.CreatedBy != "alice" || !maps.Equal(q.Labels, map[string]string{"team": "7", "ticket": "K=1"}) ||
		q.Age != 7*24*time.Hour || !q.Since.IsZero() || !q.Unused || q.EndsWithin != 36*time.Hour ||
		q.Remaining != 30*time.Hour || !q.EndsAfter.IsZero() {
		t.Errorf("got %+v", q)
	}
	q, found = (&LinkFilter{Prefix: "a/", Since: "2026-11-25T08:00:00+01:00"}).Query()
	if len(found) > 0 || q.Prefix != "a/" || q.Age != 0 || !q.Since.Equal(time.Date(2026, 11, 25, 7, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v, %v", q, found)
	}
	q, found = (&LinkFilter{EndsAfter: "2026-11-25T08:00:00+01:00", EndsWithin: "1s"}).Query()
	if len(found) > 0 || q.Remaining != 0 || !q.EndsAfter.Equal(time.Date(2026, 11, 25, 7, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v, %v", q, found)
	}
	q, found = (&LinkFilter{}).Query()
	if len(found) > 0 || len(q.States)+len(q.Labels) > 0 || q.Relative() || q.Unused ||
		!q.Since.IsZero() || !q.EndsAfter.IsZero() {
		t.Errorf("an empty filter selects %+v, %v", q, found)
	}
}

// Every wrong field is reported, in the order of the filters.
func TestWrongLinkFilter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		filter LinkFilter
		want   []string
	}{
		{
			LinkFilter{
				State: "active,", Prefix: "a", Key: "b", Labels: []string{"=x"}, Since: "soon", Used: "always",
				EndsWithin: "-1h", EndsAfter: "never",
			},
			[]string{
				"prefix conflict", "state invalid", "label invalid", "since invalid", "used invalid", "ends_within invalid",
				"ends_after invalid",
			},
		},
		{LinkFilter{Labels: []string{"team"}}, []string{"label invalid"}},
		{LinkFilter{Labels: []string{"team=1", "team=2"}}, []string{"label conflict"}},
		{LinkFilter{State: "Active"}, []string{"state invalid"}},
		{LinkFilter{State: "expired,revoked", EndsWithin: "1h"}, []string{"ends_within conflict"}},
		{LinkFilter{State: "expired,paused", EndsWithin: "1h"}, nil},
		{LinkFilter{State: "expired,revoked", EndsAfter: "1h"}, []string{"ends_after conflict"}},
		{LinkFilter{State: "expired,paused", EndsAfter: "1h"}, nil},
		{LinkFilter{EndsWithin: "24h", EndsAfter: "1d"}, []string{"ends_after conflict"}},
		{LinkFilter{EndsWithin: "24h", EndsAfter: "23h"}, nil},
		{LinkFilter{EndsAfter: "-1h"}, []string{"ends_after invalid"}},
		{LinkFilter{Since: "1969-12-31T23:59:59Z"}, []string{"since invalid"}},
	} {
		if _, found := tt.filter.Query(); !slices.Equal(fieldsAndCodes(found), tt.want) {
			t.Errorf("%+v: got %v, want %v", tt.filter, found, tt.want)
		}
	}
}

// Times of a filter have the years that a link can have.
func TestYearsOfAFilter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"1970-01-01T00:00:00Z": true, "1969-12-31T23:59:59Z": false, "9999-12-31T23:59:59Z": true, "tomorrow": false,
	} {
		q, found := (&AuditFilter{Since: text}).Query(nil)
		if (len(found) == 0) != want || len(found) == 0 && q.Since.IsZero() {
			t.Errorf("%s: %v, %v", text, q.Since, found)
		}
	}
}

// All filters of events together become one query.
func TestAuditFilter(t *testing.T) {
	t.Parallel()
	var id ID
	id[3] = 7
	f := AuditFilter{
		Since: "2026-11-25T08:00:00Z", Until: "2026-11-26T08:00:00Z", Kind: "revoked", Link: id.String(), Actor: "alice",
		Outcome: "expired", Address: "192.0.2.7", Bucket: "exports", Prefix: "a/", Labels: []string{"team=7"},
		Order: "oldest",
	}
	q, found := f.Query(func(netip.Addr) string { return "hash:00" })
	if len(found) > 0 {
		t.Fatal(found)
	}
	if q.Kind != EventRevoked || q.Link != id || q.Actor != "alice" || q.Outcome != OutcomeExpired ||
		q.Bucket != "exports" || q.Prefix != "a/" || q.Labels["team"] != "7" || !q.Oldest || q.FromNow ||
		q.Until.Sub(q.Since) != 24*time.Hour ||
		!q.Address.Selects("hash:00") || !q.Address.Selects("192.0.2.7") {
		t.Errorf("got %+v", q)
	}
	q, found = (&AuditFilter{Since: "now", Order: "oldest"}).Query(nil)
	if len(found) > 0 || !q.FromNow || !q.Since.IsZero() {
		t.Errorf("got %+v, %v", q, found)
	}
	if q, found = (&AuditFilter{Order: "newest"}).Query(nil); len(found) > 0 || q.Oldest {
		t.Errorf("got %+v, %v", q, found)
	}
}

// Every wrong field of an audit filter is reported, in the order of the filters.
func TestWrongAuditFilter(t *testing.T) {
	t.Parallel()
	f := AuditFilter{
		Since: "7d", Until: "soon", Kind: "clicked", Link: "x", Outcome: "fine", Address: "example.com",
		Prefix: "a", Key: "b", Labels: []string{"x"}, Order: "random",
	}
	_, found := f.Query(nil)
	want := []string{
		"prefix conflict", "label invalid", "kind invalid", "outcome invalid", "link invalid", "address invalid",
		"order invalid", "since invalid", "until invalid",
	}
	if got := fieldsAndCodes(found); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, found = (&AuditFilter{Since: "now"}).Query(nil)
	if !slices.Equal(fieldsAndCodes(found), []string{"since conflict"}) {
		t.Errorf("got %v", found)
	}
}
