package redisstore_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// usageOf returns the usage of the audit with one kind of events.
func usageOf(t *testing.T, s *redisstore.Store, kind string) redisstore.AuditUsage {
	t.Helper()
	all, err := s.AuditUsage(t.Context())
	if err != nil {
		t.Fatalf("usage of the audit: %v", err)
	}
	for _, u := range all {
		if u.Kind == kind {
			return u
		}
	}
	t.Fatalf("no usage with %s in %+v", kind, all)
	return redisstore.AuditUsage{}
}

// firstEntry returns the time of the oldest event of a stream.
func firstEntry(t *testing.T, node *redistest.Server, stream string) time.Time {
	t.Helper()
	id, _, _ := strings.Cut(node.MustDo(t, "XRANGE", stream, "-", "+", "COUNT", "1"), "-")
	ms, err := strconv.ParseInt(strings.Fields(id)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.UnixMilli(ms)
}

// The usage says how many events each kind has, how full the fullest partition is, and since
// when the audit is complete.
func TestAuditUsage(t *testing.T) {
	t.Parallel()
	g := startSingle(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix), func(o *redisstore.Options) { o.MaxClickEvents = 200 * 64 })
	for _, kind := range []string{redisstore.AuditDownloads, redisstore.AuditRefusals, redisstore.AuditOperations} {
		if u := usageOf(t, s, kind); u.Events != 0 || u.Fullest != 0 || !u.CompleteSince.IsZero() {
			t.Errorf("of an empty audit: %+v", u)
		}
	}
	link := newLink(t)
	link.ID[0] = 0
	create(t, s, link)
	other := newLink(t)
	other.ID[0] = 1
	create(t, s, other)
	for range 50 {
		admit(t, s, link.ID, "GET")
	}
	admit(t, s, other.ID, "GET")
	recordRefusal(t, s, gateway.Attempt{ID: other.ID, Method: "GET"}, gateway.OutcomeObjectGone)
	equal(t, "downloads", usageOf(t, s, redisstore.AuditDownloads), redisstore.AuditUsage{
		Kind: redisstore.AuditDownloads, Events: 51, Limit: 200 * 64, Fullest: 0.25,
	})
	equal(t, "refusals", usageOf(t, s, redisstore.AuditRefusals), redisstore.AuditUsage{
		Kind: redisstore.AuditRefusals, Events: 1, Limit: 50 * 64, Fullest: 0.02,
	})
	equal(t, "operations", usageOf(t, s, redisstore.AuditOperations), redisstore.AuditUsage{
		Kind: redisstore.AuditOperations, Events: 2,
	})
	for range 2000 {
		admit(t, s, link.ID, "GET")
	}
	full := usageOf(t, s, redisstore.AuditDownloads)
	if full.Events < 200 || full.Events > 1000 || full.Fullest != 1 {
		t.Errorf("after 2,000 clicks on one link: %+v", full)
	}
	want := firstEntry(t, g.nodes[0], prefix+":{p0}:clicks")
	if oldest := firstEntry(t, g.nodes[0], prefix+":{p1}:clicks"); !oldest.Before(want) {
		t.Errorf("the partition that is not full begins at %v, after the full one, %v", oldest, want)
	}
	equal(t, "complete since", full.CompleteSince.UnixMilli(), want.UnixMilli())
	if u := usageOf(t, s, redisstore.AuditRefusals); !u.CompleteSince.IsZero() {
		t.Errorf("downloads displaced refusals: %+v", u)
	}
}

// An erasure writes streams again and thereby resets their counters. The audit is still
// known to be full.
func TestAuditUsageAfterErasure(t *testing.T) {
	t.Parallel()
	g := startSingle(t)
	s := open(t, g.client, func(o *redisstore.Options) { o.MaxClickEvents = 64 * 20 })
	link := newLink(t)
	link.ID[0] = 0
	create(t, s, link)
	for range 1000 {
		attempt(t, s, gateway.Attempt{ID: link.ID, Method: "GET", Address: erasedFull})
	}
	before := usageOf(t, s, redisstore.AuditDownloads)
	if before.CompleteSince.IsZero() {
		t.Fatalf("1,000 clicks did not fill the partition: %+v", before)
	}
	if erased, _ := eraseAll(t, s, gateway.Erasure{Addresses: []string{erasedFull}}); erased.FeedEvents == 0 {
		t.Fatal("nothing was erased")
	}
	equal(t, "the usage", usageOf(t, s, redisstore.AuditDownloads), before)
}

// A stream that is none, and a Redis that does not answer, are unknown and not empty.
func TestAuditUsageUnknown(t *testing.T) {
	t.Parallel()
	g := startSingle(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	g.nodes[0].MustDo(t, "SET", prefix+":{p7}:ops", "x")
	if all, err := s.AuditUsage(t.Context()); !errors.Is(err, gateway.ErrUnavailable) || all != nil {
		t.Errorf("with a foreign value: %+v, %v", all, err)
	}
}
