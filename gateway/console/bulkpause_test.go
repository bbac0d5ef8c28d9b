package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"keyhole/gateway"
)

// issuedLink issues a link and returns it. change may change the request.
func (b *bench) issuedLink(t *testing.T, key string, change func(*gateway.IssueRequest)) gateway.Link {
	t.Helper()
	actor := &gateway.Actor{Name: "ops", Can: b.keys[0].Can, Objects: b.keys[0].Objects}
	req := gateway.IssueRequest{Bucket: "reports", Key: key}
	if change != nil {
		change(&req)
	}
	issued, err := b.service.Issue(t.Context(), actor, &req)
	if err != nil {
		t.Fatalf("issue a link: %v", err)
	}
	return issued.Link
}

// stateIn returns the state of a link in the store.
func (b *bench) stateIn(t *testing.T, id gateway.ID) gateway.State {
	t.Helper()
	link, err := b.store.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("read a link: %v", err)
	}
	return link.State
}

// Selected links are paused, and the report resumes only those that it paused.
func TestPauseSelection(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	first, second, ended := b.issuedLink(t, "a", nil), b.issuedLink(t, "b", nil), b.issuedLink(t, "c", nil)
	if a := c.post(linkPath(ended.ID)+"/revoke", url.Values{"confirm": {"1"}}); a.status != http.StatusSeeOther {
		t.Fatalf("revoke: %d", a.status)
	}
	page := c.get("/console/links")
	if !strings.Contains(page.text, `formaction="/console/links/pause"`) {
		t.Error("the list has no button that pauses the selection")
	}
	ids := url.Values{"id": {first.ID.String(), second.ID.String(), ended.ID.String()}, "state": {"active"}}
	a := c.post("/console/links/pause", ids)
	if text := words(a.page); a.status != http.StatusOK || !strings.Contains(text, "2 links paused") ||
		!strings.Contains(text, "1 link had ended before") {
		t.Errorf("%d: %s", a.status, text)
	}
	for _, id := range []gateway.ID{first.ID, second.ID} {
		if got := b.stateIn(t, id); got != gateway.StatePaused {
			t.Errorf("%s is %s", id, got)
		}
	}
	undo := filledForm(t, &a, "/console/links/resume")
	if len(undo["id"]) != 2 {
		t.Errorf("the report resumes %q", undo["id"])
	}
	if a = c.post("/console/links/resume", undo); !strings.Contains(words(a.page), "2 links resumed") ||
		b.stateIn(t, first.ID) != gateway.StateActive {
		t.Errorf("resume: %d: %s", a.status, words(a.page))
	}
	if b.stateIn(t, ended.ID) != gateway.StateRevoked {
		t.Error("a revoked link lives again")
	}
}

// A selection that is empty or wrong changes nothing, and neither does an operator without
// the right.
func TestPauseSelectionRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	link := b.issuedLink(t, "a", nil)
	ops := b.signedIn(t, opsKey)
	for _, ids := range [][]string{nil, {link.ID.String(), "x"}, make([]string, maxSelection+1)} {
		if a := ops.post("/console/links/pause", url.Values{"id": ids}); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%d ids: %d", len(ids), a.status)
		}
	}
	reader := b.signedIn(t, readKey)
	if a := reader.post("/console/links/pause", url.Values{"id": {link.ID.String()}}); a.status != http.StatusForbidden {
		t.Errorf("without the right: %d", a.status)
	}
	if page := reader.get("/console/links"); strings.Contains(page.text, "formaction") {
		t.Error("the list offers a pause to an operator who may not pause")
	}
	if got := b.stateIn(t, link.ID); got != gateway.StateActive {
		t.Errorf("the link is %s", got)
	}
}
