package gateway

import (
	"errors"
	"net/http"
	"slices"
	"testing"
)

func TestPageOfAStorageThatWent(t *testing.T) {
	t.Parallel()
	f, _ := confirmed(t)
	f.clicks.admission.Outcome = OutcomePage
	f.clicks.admission.Link.Ref.Storage = "gone"
	if answer, err := f.service.Click(t.Context(),
		Attempt{Method: "GET", Page: true}); answer.Outcome != OutcomeUnavailable || err == nil {
		t.Errorf("got %+v, %v", answer, err)
	}
}

// The page of a link that reveals its file after the passphrase says nothing about the
// file, neither at first nor after a wrong passphrase; the right one is answered with
// the download.
func TestRevealAfterThePassphrase(t *testing.T) {
	t.Parallel()
	for _, reveal := range []string{RevealAfter, RevealBefore} {
		f, a := confirmed(t)
		secret, err := f.service.secretsFor(t.Context(), new("open sesame"))
		if err != nil {
			t.Fatal(err)
		}
		permission := &f.clicks.admission.Permission
		permission.Secrets = secret
		a.Form.Nonce = secret.nonce(a.ID)
		link := f.clicks.admission.Link
		link.Passphrase, link.Reveal = true, reveal
		link.Object = ObjectInfo{Size: 5, ContentType: "application/pdf", ETag: "e", VersionID: "v"}
		link.Filename, link.Note, link.CreatedBy, link.Labels = "salaries.pdf", "of March", "ops", map[string]string{"a": "b"}
		shows := func(answer Answer, want Outcome) {
			t.Helper()
			if answer.Outcome != want || answer.Page == nil {
				t.Fatalf("%s: got %+v, want a page", reveal, answer)
			}
			shown := answer.Page.Link
			about := shown.Ref != (ObjectRef{}) || shown.Object != (ObjectInfo{}) || shown.Filename != "" ||
				shown.Note != "" || shown.CreatedBy != "" || shown.Labels != nil
			if about != (reveal == RevealBefore) || !shown.Passphrase || shown.ID != link.ID || shown.Reveal != reveal {
				t.Errorf("%s: the page has %+v", reveal, shown)
			}
		}
		f.clicks.admission.Outcome = OutcomePage
		answer, _ := f.service.Click(t.Context(), Attempt{ID: a.ID, Method: http.MethodGet, Page: true})
		shows(answer, OutcomePage)
		f.clicks.admission.Outcome = ""
		a.Form.Passphrase = "wrong"
		answer, _ = f.service.Click(t.Context(), a)
		shows(answer, OutcomeWrongPassphrase)
		a.Form.Passphrase = "open sesame"
		if answer, err = f.service.Click(t.Context(), a); answer.Outcome != OutcomeRedirected || answer.Location == "" {
			t.Errorf("%s: the right passphrase: %+v, %v", reveal, answer, err)
		}
	}
}

// What a link reveals is after the passphrase unless the issue says otherwise; without
// a passphrase nothing can be held back.
func TestIssueReveals(t *testing.T) {
	t.Parallel()
	passphrase := new("open sesame")
	for _, tt := range []struct {
		reveal     string
		passphrase *string
		want       string
		refused    string
		hidden     bool // whether a note says that recipients will not see the note
	}{
		{"", passphrase, RevealAfter, "", true},
		{RevealAfter, passphrase, RevealAfter, "", true},
		{RevealBefore, passphrase, RevealBefore, "", false},
		{"", nil, "", "", false},
		{RevealBefore, nil, "", "", false},
		{RevealAfter, nil, "", "conflict", false},
		{"later", passphrase, "", "invalid", false},
		{"later", nil, "", "invalid", false},
	} {
		f := newFixture(t, nil)
		issued, err := f.service.Issue(t.Context(), everything(), &IssueRequest{
			Bucket: "exports", Key: "a", Reveal: tt.reveal, Passphrase: tt.passphrase, Note: "of March",
		})
		if tt.refused != "" {
			var refused *Error
			if !errors.As(err, &refused) || len(refused.Fields) != 1 || refused.Fields[0].Field != "reveal" ||
				refused.Fields[0].Code != tt.refused {
				t.Errorf("%q: %v, want reveal:%s", tt.reveal, err, tt.refused)
			}
			continue
		}
		if err != nil || issued.Link.Reveal != tt.want || f.store.created[0].Reveal != tt.want {
			t.Errorf("%q: reveals %q, %v; want %q", tt.reveal, issued.Link.Reveal, err, tt.want)
		}
		hidden := slices.ContainsFunc(issued.Link.Notes, func(n Note) bool { return n.Code == NoteNoteHidden })
		if hidden != tt.hidden {
			t.Errorf("%q: notes %v", tt.reveal, issued.Link.Notes)
		}
	}
}
