package gateway

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestLanguages issues and changes links in every language, and in texts that are none.
func TestLanguages(t *testing.T) {
	t.Parallel()
	want := []string{"en", "de", "fr", "es", "pt", "it", "nl", "pl", "ja", "zh", "ar"}
	if got := Languages(); !slices.Equal(got, want) {
		t.Errorf("the languages are %v, want %v", got, want)
	}
	for _, tag := range append(want, "") {
		f := newFixture(t, nil)
		issued, err := f.service.Issue(t.Context(), everything(), &IssueRequest{Bucket: "exports", Key: "a", Language: tag})
		if err != nil || issued.Link.Language != tag || f.store.created[0].Language != tag {
			t.Errorf("issue in %q: %q, %v", tag, issued.Link.Language, err)
		}
		id := f.put(StateActive, ObjectRef{"main", "exports", "a"})
		changed, err := f.service.Change(t.Context(), everything(), id, &ChangeRequest{Language: &tag})
		if err != nil || changed.Language != tag || f.store.change.Language == nil || *f.store.change.Language != tag {
			t.Errorf("change to %q: %q, %v", tag, changed.Language, err)
		}
		if _, err = f.service.Change(t.Context(), everything(), id, &ChangeRequest{Note: new("n")}); err != nil ||
			f.store.change.Language != nil {
			t.Errorf("another change: %v, %v", f.store.change.Language, err)
		}
	}
	for _, tag := range []string{"EN", "De", "de-DE", "zh-Hans", "xx", " de", "de ", "d", "\u0000", "*", "en,de"} {
		f := newFixture(t, nil)
		id := f.put(StateActive, ObjectRef{"main", "exports", "a"})
		_, issue := f.service.Issue(t.Context(), everything(), &IssueRequest{Bucket: "exports", Key: "a", Language: tag})
		_, change := f.service.Change(t.Context(), everything(), id, &ChangeRequest{Language: &tag})
		for _, err := range []error{issue, change} {
			wantField(t, err, "language", "invalid")
			var refused *Error
			if !errors.As(err, &refused) || !strings.Contains(refused.Fields[0].Message, strings.Join(want, ", ")) {
				t.Errorf("%q: the message does not list the languages: %v", tag, err)
			}
		}
		if f.store.calls != 0 || len(f.objects.proved) != 0 {
			t.Errorf("%q: the store or the storage was asked", tag)
		}
	}
}
