package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/storetest"
)

// partialStore is a store of which some calls fail, and which notes whether a session was
// read as active.
type partialStore struct {
	*storetest.Store

	signIns, live error // of RecordSignIn and LiveLinks

	mu     sync.Mutex
	active []bool
}

// RecordSignIn implements gateway.Store.
func (s *partialStore) RecordSignIn(ctx context.Context, kind gateway.EventKind, by gateway.Origin) error {
	if s.signIns != nil {
		return s.signIns
	}
	return s.Store.RecordSignIn(ctx, kind, by)
}

// LiveLinks implements gateway.Store.
func (s *partialStore) LiveLinks(
	ctx context.Context, storage, bucket string, keys []string,
) (map[string]gateway.LiveCount, error) {
	if s.live != nil {
		return nil, s.live
	}
	return s.Store.LiveLinks(ctx, storage, bucket, keys)
}

// ReadSession implements admission.SessionStore.
func (s *partialStore) ReadSession(
	ctx context.Context, hash gateway.SessionHash, limits gateway.SessionLimits, active bool,
) (gateway.StoredSession, error) {
	s.mu.Lock()
	s.active = append(s.active, active)
	s.mu.Unlock()
	return s.Store.ReadSession(ctx, hash, limits, active)
}

// newPartialBench starts a bench over a store of which some calls can fail.
func newPartialBench(t *testing.T) (*bench, *partialStore) {
	t.Helper()
	store := storetest.Open(t)
	partial := &partialStore{Store: store}
	b := newBenchOver(t, store, func(o *gateway.Options) { o.Links = partial }, nil)
	b.console.o.Sessions = admission.NewSessions(admission.SessionsOptions{
		Authenticator: b.operators, Store: partial, Idle: time.Hour, Max: time.Hour,
		Logger: b.console.o.Logger, Now: time.Now,
	})
	return b, partial
}

// A request that the script sends by itself is no activity: a session with an open page
// still ends when it is idle.
func TestRefreshIsNoActivity(t *testing.T) {
	t.Parallel()
	b, store := newPartialBench(t)
	c := b.signedIn(t, opsKey)
	store.active = nil
	c.get("/console/links")
	c.do(http.MethodGet, "/console/links", nil, refreshHeader, "1")
	c.get("/console/help")
	if want := []bool{true, false, true}; !slices.Equal(store.active, want) {
		t.Errorf("active are %v, want %v", store.active, want)
	}
}

// A sign-in that cannot be recorded begins no session. A sign-out ends the session also
// without a record.
func TestSignInNotRecorded(t *testing.T) {
	t.Parallel()
	b, store := newPartialBench(t)
	c := b.signedIn(t, opsKey)
	store.signIns = gateway.ErrUnavailable
	a := b.visitor(t).post("/console/sign-in", url.Values{"key": {opsKey}})
	if a.status != http.StatusServiceUnavailable || a.header.Get("Set-Cookie") != "" {
		t.Errorf("a sign-in without a record: %d, %q", a.status, a.header.Get("Set-Cookie"))
	}
	id := c.session()
	if a = c.post("/console/sign-out", nil); a.status != http.StatusSeeOther {
		t.Errorf("a sign-out without a record: %d", a.status)
	}
	a = b.visitor(t).do(http.MethodGet, "/console/objects", nil, "Cookie", plainCookie+"="+id)
	if a.status != http.StatusSeeOther {
		t.Errorf("after the sign-out: %d", a.status)
	}
	if log := b.log.String(); !strings.Contains(log, `"level":"WARN"`) || strings.Contains(log, id) {
		t.Errorf("the log: %s", log)
	}
}

// The objects are listed and can be shared if their links cannot be counted.
func TestLiveLinksAway(t *testing.T) {
	t.Parallel()
	b, store := newPartialBench(t)
	store.live = gateway.ErrUnavailable
	b.storage.keys = keysOf("a.txt")
	b.storage.keys.Objects[0].StorageClass = "STANDARD_IA"
	c := b.signedIn(t, opsKey)
	a := c.get("/console/objects?bucket=reports")
	if a.status != http.StatusOK || len(a.rows()) != 1 || !strings.Contains(a.rows()[0], "STANDARD_IA") {
		t.Errorf("the list: %d %q", a.status, a.rows())
	}
	if a = c.get(sharePath); a.status != http.StatusOK || a.byID("preset") == nil {
		t.Errorf("the form: %d", a.status)
	}
}

// An operator who may only revoke, or only issue, can do that without reading links.
func TestSingleRights(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	one := func(name string, can gateway.Action) admission.Key {
		return admission.Key{Name: name, SHA256: hashOf(name), Can: []gateway.Action{can}, Objects: []gateway.Pattern{"*"}}
	}
	b.operators.SetKeys(append(b.keys, one("only-revoke", gateway.ActionRevoke), one("only-issue", gateway.ActionIssue)))
	id := b.issue(t, nil).Link.ID
	path := "/console/links/" + id.String()

	c := b.signedIn(t, "only-issue")
	if a := c.get(path); a.status != http.StatusForbidden {
		t.Errorf("issue only, the page: %d", a.status)
	}
	a := c.get(sharePath)
	a = c.post("/console/share", a.fields(t, "/console/share"))
	if a.status != http.StatusOK || a.byID("link-url") == nil {
		t.Errorf("issue only, share: %d %s", a.status, a.shown())
	}
	c.post(path+"/change", url.Values{"note": {"Changed"}})
	if got := b.show(t, id).Note; got != "Changed" {
		t.Errorf("issue only, change: the note is %q", got)
	}
	if a = c.post(path+"/revoke", url.Values{"confirm": {"1"}}); a.status != http.StatusForbidden {
		t.Errorf("issue only, revoke: %d", a.status)
	}

	c = b.signedIn(t, "only-revoke")
	if a = c.post("/console/share", url.Values{"bucket": {"reports"}, "key": {"a"}}); a.status != http.StatusForbidden {
		t.Errorf("revoke only, share: %d", a.status)
	}
	if a = c.post(path+"/change", url.Values{"note": {"x"}}); a.status != http.StatusForbidden {
		t.Errorf("revoke only, change: %d", a.status)
	}
	a = c.post(path+"/revoke", nil)
	if a.status != http.StatusOK || strings.Contains(a.shown(), "s3://") {
		t.Errorf("revoke only, the question: %d %s", a.status, a.shown())
	}
	c.post(path+"/revoke", a.fields(t, path+"/revoke"))
	if got := b.show(t, id).State; got != gateway.StateRevoked {
		t.Errorf("revoke only: the link is %s", got)
	}
}

// The form for a change has the time from which the link works, and does not change it.
func TestChangeKeepsNotBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	begin := time.Now().UTC().Add(time.Hour).Truncate(time.Second)
	path, form := changing(t, b, c, func(r *gateway.IssueRequest) { r.NotBefore = new(begin.Format(time.RFC3339)) })
	if form.Get("not_before") != begin.Format(time.RFC3339) {
		t.Errorf("the form has %q", form.Get("not_before"))
	}
	id, _ := gateway.ParseID(strings.TrimPrefix(path, "/console/links/"))
	a := c.post(path+"/change", with(form, "note", "Later"))
	if got := b.show(t, id); a.status != http.StatusSeeOther || !got.NotBefore.Equal(begin) || got.Note != "Later" {
		t.Errorf("another change: %d, not before %s", a.status, got.NotBefore)
	}
	form = with(form, "revision", "")
	form["not_before"] = []string{""}
	c.post(path+"/change", form)
	if got := b.show(t, id); !got.NotBefore.IsZero() || got.State != gateway.StateActive {
		t.Errorf("an emptied time: not before %s, %s", got.NotBefore, got.State)
	}
	a = c.post(path+"/change", with(form, "note", "x", "revision", "no base64 %%"))
	if a.status != http.StatusPreconditionFailed {
		t.Errorf("a forged revision: %d", a.status)
	}
}
