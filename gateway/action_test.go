package gateway

import (
	"errors"
	"testing"
)

// TestIssueAction issues download links only, also when the request names no action.
func TestIssueAction(t *testing.T) {
	t.Parallel()
	for action, ok := range map[LinkAction]bool{"": true, LinkDownload: true, "upload": false, "DOWNLOAD": false} {
		f := newFixture(t, nil)
		issued, err := f.service.Issue(t.Context(), everything(), &IssueRequest{Bucket: "exports", Key: "a", Action: action})
		var refused *Error
		switch {
		case ok && (err != nil || issued.Link.Action != LinkDownload || f.store.created[0].Action != LinkDownload):
			t.Errorf("%q: got %+v, %v", action, issued.Link, err)
		case !ok && (!errors.As(err, &refused) || len(refused.Fields) != 1 || refused.Fields[0].Field != "action"):
			t.Errorf("%q: got %v", action, err)
		case !ok && len(f.store.created) != 0:
			t.Errorf("%q: a link was created", action)
		}
	}
}
