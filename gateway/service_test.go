package gateway

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// wantCode wants an Error of one code, with a message.
func wantCode(t *testing.T, err error, code Code) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != code || refused.Message == "" {
		t.Errorf("got %v, want %s", err, code)
	}
}

// only is an actor that may do some things to what lies in exports.
func only(can ...Action) *Actor {
	return &Actor{Name: "some", Can: can, Objects: []Pattern{"exports/*"}, Address: "192.0.2.2"}
}

func TestShow(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mine, other := f.put(StateActive, ObjectRef{"main", "exports", "a"}), f.put(StateActive,
		ObjectRef{"main", "reports", "a"})
	if link, err := f.service.Show(t.Context(), only(ActionRead), mine); err != nil || link.ID != mine {
		t.Errorf("got %v, %v", link.ID, err)
	}
	// What lies outside of the scope is not told from what is not there.
	_, outside := f.service.Show(t.Context(), only(ActionRead), other)
	_, missing := f.service.Show(t.Context(), only(ActionRead), ID{1})
	wantCode(t, outside, CodeNotFound)
	if outside.Error() != missing.Error() {
		t.Errorf("outside says %q, missing %q", outside, missing)
	}
	_, err := f.service.Show(t.Context(), only(ActionIssue, ActionRevoke, ActionBrowse), mine)
	wantCode(t, err, CodeForbidden)
	f.store.err = ErrUnavailable
	_, err = f.service.Show(t.Context(), only(ActionRead), mine)
	wantCode(t, err, CodeUnavailable)
}

func TestList(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mine := f.put(StateActive, ObjectRef{"main", "exports", "a"})
	f.put(StateActive, ObjectRef{"main", "reports", "a"})
	page, err := f.service.List(t.Context(), only(ActionRead), ListQuery{Prefix: "2026/", Limit: 7, Cursor: "c"})
	if err != nil || len(page.Links) != 1 || page.Links[0].ID != mine {
		t.Errorf("got %+v, %v", page, err)
	}
	q := f.store.query
	if q.Prefix != "2026/" || q.Limit != 7 || q.Cursor != "c" ||
		!slices.Equal(q.Buckets, []string{"archive", "exports", "reports"}) {
		t.Errorf("the store was asked for %+v", q)
	}
}

func TestListOfMoreThanTheKeyMay(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	// Whatever a caller puts in, the scope is the actor's.
	if _, err := f.service.List(t.Context(), only(ActionRead),
		ListQuery{Match: func(ObjectRef) bool { return true }}); err != nil {
		t.Fatal(err)
	}
	if f.store.query.Match(ObjectRef{"main", "reports", "a"}) {
		t.Error("the store was asked for links outside of the scope")
	}
	_, err := f.service.List(t.Context(), only(ActionIssue), ListQuery{})
	wantCode(t, err, CodeForbidden)
}

func TestStoreErrorsBecomeAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cause error
		want  Code
	}{
		{ErrNotFound, CodeNotFound},
		{ErrCursor, CodeBadRequest},
		{ErrUnavailable, CodeUnavailable},
		{errors.New("NOREPLICAS of a canary"), CodeUnavailable},
	}
	for _, tt := range tests {
		f := newFixture(t, nil)
		id := f.put(StateActive, ObjectRef{"main", "exports", "a"})
		f.store.err = tt.cause
		_, list := f.service.List(t.Context(), everything(), ListQuery{})
		_, show := f.service.Show(t.Context(), everything(), id)
		_, revoke := f.service.Revoke(t.Context(), everything(), id, "")
		_, events := f.service.Events(t.Context(), everything(), id, "", 1)
		for _, err := range []error{list, show, revoke, events} {
			wantCode(t, err, tt.want)
			var refused *Error
			if errors.As(err, &refused) && (!errors.Is(err, tt.cause) || strings.Contains(refused.Message, "canary")) {
				t.Errorf("%v: the answer is %q, the cause %v", tt.cause, refused.Message, refused.Err)
			}
		}
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	id := f.put(StateActive, ObjectRef{"main", "exports", "a"})
	const counted = "keyhole_links_revoked_total{how=single}"
	for try, reason := range []string{"sent by mistake", "another"} {
		link, err := f.service.Revoke(t.Context(), only(ActionRevoke), id, reason)
		if err != nil || link.State != StateRevoked || link.RevokeReason != "sent by mistake" || link.RevokedBy != "some" {
			t.Errorf("try %d: got %+v, %v", try, link, err)
		}
		before := len(link.Notes) == 1 && link.Notes[0].Code == NoteEndedBefore
		if before != (try == 1) || !before && len(link.Notes) > 0 {
			t.Errorf("try %d: the notes are %v", try, link.Notes)
		}
		if n := f.series(t)[counted]; n != 1 {
			t.Errorf("try %d: %v revocations counted, want 1", try, n)
		}
		link.Notes = nil
		f.store.links[id] = link // the next answer of a store that holds the revoked link
	}
	if f.store.by != (Origin{"some", "192.0.2.2"}) {
		t.Errorf("revoked by %+v", f.store.by)
	}
}

func TestRevokeOfWhatHasEndedChangesNothing(t *testing.T) {
	t.Parallel()
	for _, state := range []State{StateExpired, StateUsedUp} {
		f := newFixture(t, nil)
		id := f.put(state, ObjectRef{"main", "exports", "a"})
		link, err := f.service.Revoke(t.Context(), only(ActionRevoke), id, "r")
		if err != nil || link.State != state {
			t.Errorf("%s: got %+v, %v", state, link, err)
		}
		if n := f.series(t)["keyhole_links_revoked_total{how=single}"]; n != 0 {
			t.Errorf("%s: %v revocations counted", state, n)
		}
	}
}

func TestRevokeIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mine, other := f.put(StateActive, ObjectRef{"main", "exports", "a"}), f.put(StateActive,
		ObjectRef{"main", "reports", "a"})
	tests := []struct {
		name   string
		actor  *Actor
		id     ID
		reason string
		want   Code
	}{
		{"may not", only(ActionIssue, ActionRead, ActionBrowse), mine, "", CodeForbidden},
		{"out of scope", only(ActionRevoke), other, "", CodeNotFound},
		{"not there", only(ActionRevoke), ID{1}, "", CodeNotFound},
		{"a reason of 1001", only(ActionRevoke), mine, strings.Repeat("é", 1001), CodeInvalid},
	}
	for _, tt := range tests {
		_, err := f.service.Revoke(t.Context(), tt.actor, tt.id, tt.reason)
		wantCode(t, err, tt.want)
		for id, link := range f.store.links {
			if link.State != StateActive {
				t.Errorf("%s: %s is %s", tt.name, id, link.State)
			}
		}
	}
	if _, err := f.service.Revoke(t.Context(), only(ActionRevoke), mine, strings.Repeat("é", 1000)); err != nil {
		t.Errorf("a reason of 1000: %v", err)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mine, other := f.put(StateActive, ObjectRef{"main", "exports", "a"}), f.put(StateActive,
		ObjectRef{"main", "reports", "a"})
	list, err := f.service.Events(t.Context(), only(ActionRead), mine, "c", 5)
	if err != nil || len(list.Events) != 1 || list.Events[0].Link != mine || list.Events[0].Reason != "c" {
		t.Errorf("got %+v, %v", list, err)
	}
	_, err = f.service.Events(t.Context(), only(ActionRead), other, "", 5)
	wantCode(t, err, CodeNotFound)
	_, err = f.service.Events(t.Context(), only(ActionIssue), mine, "", 5)
	wantCode(t, err, CodeForbidden)
}
