package redisstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// TestContract tests the same contract with every kind of Redis.
func TestContract(t *testing.T) {
	t.Parallel()
	for name, start := range targets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "miniredis" { // It goes through all its keys for each command, so each part has its own.
				testStore(t, func(t *testing.T) target {
					t.Helper()
					t.Parallel()
					return start(t)
				})
				return
			}
			g := start(t)
			testStore(t, func(*testing.T) target { return g })
		})
	}
}

// testStore is the contract of gateway.Store and gateway.ClickStore. Each part of it asks
// for the Redis that it tests.
func testStore(t *testing.T, of func(*testing.T) target) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, target){
		"create and get": testCreate,
		"click":          testClick,
		"revoke":         testRevoke,
		"restrictions":   testRestrictions,
		"confirmation":   testConfirmation,
		"spend":          testSpend,
		"use up":         testUseUp,
		"tries":          testTries,
		"change":         testChange,
		"find":           testFind,
		"language":       testLanguage,
		"access":         testAccess,
		"passphrase":     testPassphraseChange,
		"revision":       testRevision,
		"reserve":        testReserve,
		"confirm":        testConfirm,
		"relabel":        testRelabel,
		"revoke all":     testRevokeAll,
		"expire":         testExpire,
		"list":           testList,
		"live links":     testLiveLinks,
		"paging":         testPaging,
		"events":         testEvents,
		"last use":       testLastUse,
		"audit":          testAudit,
		"erase":          testErase,
		"sign in":        testSignIn,
		"audit filters":  testAuditFilters,
		"active":         testActive,
		"sessions":       testSessions,
		"sign-ins":       testSignIns,
		"ready":          testReady,
	} {
		t.Run(name, func(t *testing.T) { test(t, of(t)) })
	}
}

func testCreate(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	want := newLink(t)
	created := create(t, s, want, 90*time.Minute)
	want.State, want.CreatedAt, want.ExpiresAt = gateway.StateActive, created.CreatedAt,
		created.CreatedAt.Add(90*time.Minute)
	equal(t, "created", plain(created), plain(want))
	if skew := time.Since(created.CreatedAt).Abs(); skew > time.Minute {
		t.Errorf("created %v from now", skew)
	}
	equal(t, "got", plain(get(t, s, want.ID)), plain(want))

	create(t, s, newLink(t))
	other := newLink(t)
	other.ID, other.Note = want.ID, "another"
	existing, err := s.Create(t.Context(), other, gateway.Secrets{}, time.Hour, operator())
	if !errors.Is(err, gateway.ErrExists) {
		t.Errorf("create again: %v, want ErrExists", err)
	}
	equal(t, "existing", plain(existing), plain(want))
	if _, err := s.Get(t.Context(), newID(t)); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("get what never was: %v, want ErrNotFound", err)
	}

	bare := gateway.Link{ID: newID(t), Ref: gateway.ObjectRef{Storage: "s", Bucket: "b", Key: "k"}}
	create(t, s, bare)
	got := get(t, s, bare.ID)
	bare.Action = gateway.LinkDownload
	bare.State, bare.CreatedAt, bare.ExpiresAt = gateway.StateActive, got.CreatedAt, got.ExpiresAt
	equal(t, "bare", plain(got), plain(bare))

	for name, spoil := range map[string]func(*gateway.Link){
		"NUL in the key":      func(l *gateway.Link) { l.Ref.Key = "a\x00b" },
		"NUL in the bucket":   func(l *gateway.Link) { l.Ref.Bucket = "a\x00b" },
		"NUL in a label":      func(l *gateway.Link) { l.Labels = map[string]string{"a\x00b": "c"} },
		"unknown disposition": func(l *gateway.Link) { l.Disposition = "form-data" },
	} {
		bad := newLink(t)
		spoil(&bad)
		if _, err := s.Create(t.Context(), bad, gateway.Secrets{}, time.Hour, operator()); err == nil {
			t.Errorf("%s was kept", name)
		}
	}
}

func testClick(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	link := create(t, s, newLink(t))
	admission, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET", Address: "2001:db8::1"})
	if err != nil {
		t.Fatalf("admit: %v", err)
	}
	if left := admission.Permission.Remaining; left <= 59*time.Minute || left > time.Hour {
		t.Errorf("remaining %v of an hour", left)
	}
	admission.Permission.Remaining = 0
	equal(t, "admission", admission, gateway.Admission{
		Outcome: gateway.OutcomeRedirected,
		Permission: gateway.Permission{
			Ref: link.Ref, Pin: gateway.PinNone, Filename: "summary.pdf",
			Disposition: gateway.DispositionAttachment, ContentType: "application/pdf",
		},
	})
	for _, pin := range []struct{ pin, etag, wantVersion, wantETag string }{
		{gateway.PinNone, link.Object.ETag, "", ""},
		{gateway.PinVersion, link.Object.ETag, "v1", ""},
		{gateway.PinETag, link.Object.ETag, "", link.Object.ETag},
		{gateway.PinETag, `"d41d8cd98f00b204e9800998ecf8427e-12"`, "", `"d41d8cd98f00b204e9800998ecf8427e-12"`},
		{gateway.PinETag, `"D41D8CD98F00B204E9800998ECF8427E"`, "", `"D41D8CD98F00B204E9800998ECF8427E"`},
	} {
		pinned := newLink(t)
		pinned.Pin, pinned.Object.ETag = pin.pin, pin.etag
		create(t, s, pinned)
		admission, err = s.Admit(t.Context(), gateway.Attempt{ID: pinned.ID, Method: "HEAD"})
		if err != nil {
			t.Fatalf("admit: %v", err)
		}
		p := admission.Permission
		equal(t, "pin "+pin.pin, []string{p.Pin, p.VersionID, p.ETag}, []string{pin.pin, pin.wantVersion, pin.wantETag})
		equal(t, "pin of the link", get(t, s, pinned.ID).Pin, pin.pin)
	}
	for _, method := range []string{"HEAD", "POST", "HEAD", "GET"} {
		equal(t, method, admit(t, s, link.ID, method), gateway.OutcomeRedirected)
	}
	equal(t, "clicks", get(t, s, link.ID).Clicks, 3)
	equal(t, "a miss", admit(t, s, newID(t), "GET"), gateway.OutcomeNotFound)
	if _, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "PUT"}); !errors.Is(err,
		gateway.ErrUnavailable) {
		t.Errorf("PUT: %v, want ErrUnavailable", err)
	}
	if err := s.RecordEvent(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"}, gateway.EventFailed,
		gateway.OutcomeObjectGone); err != nil {
		t.Errorf("fail: %v", err)
	}
	equal(t, "clicks after a failed one", get(t, s, link.ID).Clicks, 3)
}

func testRevoke(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	link := create(t, s, newLink(t))
	admit(t, s, link.ID, "GET")
	revoked, changed, err := s.Revoke(t.Context(), link.ID, "sent to the wrong person", operator())
	if err != nil {
		t.Fatalf("revoke: %v", err)
	}
	equal(t, "changed", changed, true)
	want := link
	want.State, want.Clicks, want.RevokedAt = gateway.StateRevoked, 1, revoked.RevokedAt
	want.RevokedBy, want.RevokeReason = operator().Actor, "sent to the wrong person"
	equal(t, "revoked", plain(revoked), plain(want))
	if since := time.Since(revoked.RevokedAt).Abs(); since > time.Minute {
		t.Errorf("revoked %v from now", since)
	}
	for _, method := range []string{"GET", "HEAD", "POST"} {
		equal(t, method, admit(t, s, link.ID, method), gateway.OutcomeRevoked)
	}
	again, changed, err := s.Revoke(t.Context(), link.ID, "another reason", gateway.Origin{Actor: "bob"})
	if err != nil {
		t.Fatalf("revoke again: %v", err)
	}
	equal(t, "changed again", changed, false)
	equal(t, "revoked again", plain(again), plain(want))
	equal(t, "got", plain(get(t, s, link.ID)), plain(want))
	if _, _, err := s.Revoke(t.Context(), newID(t), "", operator()); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("revoke what never was: %v, want ErrNotFound", err)
	}
}

// testExpire waits for a link of 2 s to end by Redis' clock, without any job. On a slow
// machine, it takes a longer life and retention.
func testExpire(t *testing.T, g target) {
	t.Helper()
	life, afterEnd := 2*time.Second, 3*time.Second
	inTime(t, "the calls before and after the end", func() error {
		err := expires(t, g, life, afterEnd)
		life, afterEnd = 2*life, 2*afterEnd
		return err
	})
}

// expires tests a link that ends after life and is forgotten after afterEnd. It returns an
// error if Redis' clock has passed one of these times before the calls that need the link.
func expires(t *testing.T, g target, life, afterEnd time.Duration) error {
	t.Helper()
	s := open(t, g.client, func(o *redisstore.Options) { o.Retention.AfterEnd = afterEnd })
	link := create(t, s, newLink(t), life)
	passed := func(end time.Time) error {
		now, err := s.Clock(t.Context())
		if err == nil && !now.Before(end) {
			err = fmt.Errorf("it is %v after %v", now.Sub(end), end)
		}
		return err
	}
	outcome := admit(t, s, link.ID, "GET")
	if err := passed(link.ExpiresAt); err != nil {
		return err
	}
	equal(t, "click", outcome, gateway.OutcomeRedirected)
	poll(t, pollLimit, func() bool { outcome = admit(t, s, link.ID, "HEAD"); return outcome != gateway.OutcomeRedirected })
	early := time.Until(link.ExpiresAt)
	click := admit(t, s, link.ID, "GET")
	got, err := s.Get(t.Context(), link.ID)
	unchanged, changed, revokeErr := s.Revoke(t.Context(), link.ID, "too late", operator())
	if err := passed(link.ExpiresAt.Add(afterEnd)); err != nil {
		return err
	}
	if early > 100*time.Millisecond {
		t.Errorf("expired %v early", early)
	}
	if err := errors.Join(err, revokeErr); err != nil {
		t.Fatalf("get and revoke: %v", err)
	}
	equal(t, "after the end", []gateway.Outcome{outcome, click}, []gateway.Outcome{
		gateway.OutcomeExpired, gateway.OutcomeExpired,
	})
	equal(t, "state", got.State, gateway.StateExpired)
	equal(t, "clicks", got.Clicks, 1)
	equal(t, "changed after the end", changed, false)
	equal(t, "revoked after the end", plain(unchanged), plain(got))
	poll(t, pollLimit, func() bool { return admit(t, s, link.ID, "GET") == gateway.OutcomeNotFound })
	if _, err := s.Get(t.Context(), link.ID); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("get past retention: %v, want ErrNotFound", err)
	}
	return nil
}

// poll calls done until it returns true, for limit at most.
func poll(tb testing.TB, limit time.Duration, done func() bool) {
	tb.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			tb.Fatalf("not within %v", limit)
		case <-tick.C:
		}
	}
}
