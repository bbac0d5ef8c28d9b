package gateway

import "testing"

// TestSender issues links for operators with and without a display name. Without one, the
// record has no sender, so that gateways of the previous version can read it.
func TestSender(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		name, displayName string
		sender            string
	}{
		"a key":                 {"ops", "", "ops"},
		"a key with a name":     {"ops", "Anna Müller", "Anna Müller"},
		"a token":               {"oidc:anna", "", "anna"},
		"a token with a name":   {"oidc:anna", "Finance", "Finance"},
		"a prefix that is kept": {"ops", "oidc:Anna", "oidc:Anna"},
	} {
		f := newFixture(t, nil)
		actor := everything()
		actor.Name, actor.DisplayName = test.name, test.displayName
		issued, err := f.service.Issue(t.Context(), actor, &IssueRequest{Bucket: "exports", Key: "a"})
		link := &issued.Link
		if err != nil || link.Sender != test.displayName || link.CreatedBy != test.name || link.SenderName() != test.sender {
			t.Errorf("%s: sender %q by %q, named %q, %v", name, link.Sender, link.CreatedBy, link.SenderName(), err)
		}
		f.store.links[link.ID] = *link
		actor.DisplayName = "Other" // a change must not rename the sender
		changed, err := f.service.Change(t.Context(), actor, link.ID, &ChangeRequest{Note: new("n")})
		if err != nil || changed.Sender != test.displayName {
			t.Errorf("%s: after a change the sender is %q, %v", name, changed.Sender, err)
		}
	}
}
