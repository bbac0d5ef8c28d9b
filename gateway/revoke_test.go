package gateway

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestBulkTime gives one call of a bulk revocation two seconds once it has found links,
// and a quarter of a minute for looking.
func TestBulkTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	if _, err := f.service.RevokeAll(t.Context(), everything(), &BulkRequest{All: true}); err != nil {
		t.Fatal(err)
	}
	if f.store.bulk.Budget != 2*time.Second || f.store.bulk.SearchBudget != 15*time.Second {
		t.Errorf("asked with %+v", f.store.bulk)
	}
}

// TestActive returns the number of live links, and an error of the domain without Redis.
func TestActive(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.store.links = map[ID]Link{{1}: {}, {2}: {}}
	if n, err := f.service.Active(t.Context()); n != 2 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	f.store.err = ErrUnavailable
	var refused *Error
	if n, err := f.service.Active(t.Context()); !errors.As(err, &refused) || refused.Code != CodeUnavailable || n != 0 {
		t.Errorf("without Redis: %d, %v", n, err)
	}
}

// TestBulkFailure says what was ended before Redis failed, and counts it.
func TestBulkFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.store.ended, f.store.err = BulkResult{Matched: 5, Revoked: 3}, ErrUnavailable
	result, err := f.service.RevokeAll(t.Context(), everything(), &BulkRequest{All: true})
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != CodeUnavailable || result != f.store.ended {
		t.Errorf("got %+v, %v", result, err)
	}
	if n := f.series(t)["keyhole_links_revoked_total{how=bulk}"]; n != 3 {
		t.Errorf("counted %v", n)
	}
}

// TestBulkFilters takes each filter for a selection of its own, and none of them
// together with all.
func TestBulkFilters(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]ListQuery{
		"bucket": {Bucket: "reports"}, "prefix": {Prefix: "a/"}, "key": {Key: "a"},
		"created_by": {CreatedBy: "ci"}, "label": {Labels: map[string]string{"l": ""}},
		"state": {States: []State{StateActive}}, "since": {Since: time.Unix(1, 0)}, "age": {Age: time.Hour},
		"used": {Unused: true}, "ends_within": {EndsWithin: time.Hour},
		"remaining": {Remaining: time.Hour}, "ends_after": {EndsAfter: time.Unix(1, 0)},
	} {
		req := BulkRequest{Query: q}
		if err := checkBulk(&req); err != nil && strings.Contains(codesOf(err), "all:") {
			t.Errorf("%s alone: %s", name, codesOf(err))
		}
		req.All = true
		if err := checkBulk(&req); err == nil || !strings.Contains(codesOf(err), "all:conflict") {
			t.Errorf("%s and all: %v", name, err)
		}
	}
	for want, q := range map[string]ListQuery{
		"bucket:required ": {Key: "a"},
		"":                 {Bucket: "reports", Key: "a"},
	} {
		req := BulkRequest{Query: q}
		if err := checkBulk(&req); codesOf(err) != want {
			t.Errorf("%+v: %q, want %q", req, codesOf(err), want)
		}
	}
}

// codesOf returns the fields and codes of an error.
func codesOf(err error) string {
	var refused *Error
	if !errors.As(err, &refused) {
		return ""
	}
	codes := ""
	for _, f := range refused.Fields {
		codes += f.Field + ":" + f.Code + " "
	}
	return codes
}

// TestWhoMayNot names what was presented: a key, a token with its grant, or a token that
// matches no grant.
func TestWhoMayNot(t *testing.T) {
	t.Parallel()
	for want, actor := range map[string]Actor{
		"this key may not revoke":                   {Name: "ops"},
		"the grant support of this token may not":   {Name: "anna", Token: true, Grant: "support"},
		"this token matches no grant of operator.o": {Name: "anna", Token: true},
	} {
		if err := actor.Allowed(ActionRevoke); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestApplyChange changes what a change names, and nothing else.
func TestApplyChange(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change Change
		want   func(*Link)
	}{
		"nothing": {Change{}, func(*Link) {}},
		"life":    {Change{Life: time.Hour}, func(l *Link) { l.Preset = PresetCustom }},
		"clicks":  {Change{MaxClicks: 9}, func(l *Link) { l.MaxClicks = 9 }},
		"note":    {Change{Note: new("n")}, func(l *Link) { l.Note = "n" }},
	} {
		got := Link{Preset: PresetHandoff, MaxClicks: 3, Note: "before"}
		want := got
		tt.change.Apply(&got)
		tt.want(&want)
		if got.Preset != want.Preset || got.MaxClicks != want.MaxClicks || got.Note != want.Note {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

// The time for which earlier URLs can work is that of media only if the browser shows them.
func TestURLLife(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for _, tt := range []struct {
		disposition, contentType string
		want                     time.Duration
	}{
		{DispositionInline, "video/mp4", time.Hour},
		{DispositionAttachment, "video/mp4", 30 * time.Second},
		{DispositionInline, "text/plain", 30 * time.Second},
	} {
		link := Link{Disposition: tt.disposition, Object: ObjectInfo{ContentType: tt.contentType}}
		if got := f.service.URLLife(&link); got != tt.want {
			t.Errorf("%s %s: %v, want %v", tt.disposition, tt.contentType, got, tt.want)
		}
	}
}
