package console

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// The page of a link has its facts, its settings and its history in words.
func TestLink(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	issued := b.issue(t, func(r *gateway.IssueRequest) {
		r.Sensitive, r.Allow, r.Note = new(true), []string{"203.0.113.0/24"}, "Figures"
		r.Labels, r.Language, r.Filename = map[string]string{"team": "sales"}, "de", "q3.pdf"
	})
	b.click(t, issued.Token)
	c := b.signedIn(t, opsKey)
	path := "/console/links/" + issued.Link.ID.String()
	a := c.get(path)
	if a.status != http.StatusOK {
		t.Fatalf("the page: %d %s", a.status, a.shown())
	}
	for _, want := range []string{
		"Link " + issued.Link.ID.String()[:8], "active", "s3://reports/2026/q3.pdf", "1.2 MiB", "application/pdf",
		"203.0.113.0/24", "Figures", "team=sales", "by ops", "The link was created", "The download started",
		"203.0.113.9", "1 download by day", "yes",
	} {
		if !strings.Contains(a.shown(), want) {
			t.Errorf("the page lacks %q: %s", want, a.shown())
		}
	}
	if len(a.all("rect")) != 1 || attribute(a.all("rect")[0], "height") != "100" {
		t.Errorf("the chart has %d bars", len(a.all("rect")))
	}
	if got := a.link("show its folder"); got != "/console/objects?bucket=reports&prefix=2026%2F&storage=main" {
		t.Errorf("the folder is %q", got)
	}
	if strings.Contains(a.text, issued.Token) {
		t.Error("the page has the token")
	}
	b.requests(t, 2)
	log := b.log.String()
	if !strings.Contains(log, `"link":"`+issued.Link.ID.String()+`"`) || !strings.Contains(log, `"page":"link"`) {
		t.Errorf("the log does not name the link: %s", log)
	}
}

// The beginning of an ID leads to the page, and an unknown link has none.
func TestLinkPaths(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.issue(t, nil).Link.ID.String()
	c := b.signedIn(t, opsKey)
	if a := c.get("/console/links/" + id[:8]); a.status != http.StatusSeeOther ||
		a.header.Get("Location") != "/console/links/"+id {
		t.Errorf("the reference: %d to %q", a.status, a.header.Get("Location"))
	}
	unknown := strings.Repeat("a", len(id))
	for _, path := range []string{"zzzzzzzz", "x", id + "0", "%2e%2e", strings.ToUpper(id)} {
		if a := c.get("/console/links/" + path); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := c.get("/console/links/" + unknown); a.status != http.StatusNotFound {
		t.Errorf("an unknown link: %d", a.status)
	}
	scoped := b.signedIn(t, scopedKey)
	for _, action := range []string{"", "/change", "/pause", "/resume", "/revoke"} {
		var a answer
		if action == "" {
			a = scoped.get("/console/links/" + id)
		} else {
			a = scoped.post("/console/links/"+id+action, url.Values{"confirm": {"1"}, "note": {"x"}})
		}
		if a.status != http.StatusNotFound {
			t.Errorf("%q of a link out of scope: %d %s", action, a.status, a.shown())
		}
	}
	if link := b.links(t)[0]; link.State != gateway.StateActive {
		t.Errorf("the link is %s", link.State)
	}
}

// changing opens the page of a new link and returns its form.
func changing(t *testing.T, b *bench, c *client, change func(*gateway.IssueRequest)) (path string, form url.Values) {
	t.Helper()
	path = "/console/links/" + b.issue(t, change).Link.ID.String()
	a := c.get(path)
	return path, a.fields(t, path+"/change")
}

// restricted issues a link with each restriction.
func restricted(r *gateway.IssueRequest) {
	r.Allow, r.Note, r.Labels = []string{
		"203.0.113.0/24",
		"198.51.100.7/32",
	}, "\nBefore\nand after", map[string]string{"a": "1"}
	r.Passphrase, r.MaxClicks, r.Language = new("correct horse battery"), new(int64(3)), "de"
}

// Each field of the form changes the link, and nothing else.
func TestChange(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	begin := time.Now().UTC().Add(time.Hour).Truncate(time.Second)
	for _, test := range []struct {
		field, value string
		check        func(l *gateway.Link) bool
	}{
		{"expires_in", "2h", func(l *gateway.Link) bool { return time.Until(l.ExpiresAt) < 2*time.Hour+time.Minute }},
		{"max_clicks", "5", func(l *gateway.Link) bool { return l.MaxClicks == 5 }},
		{"note", "Other", func(l *gateway.Link) bool { return l.Note == "Other" }},
		{"note", "", func(l *gateway.Link) bool { return l.Note == "" }},
		{"labels", "b=2\r\nc=3", func(l *gateway.Link) bool { return len(l.Labels) == 2 && l.Labels["c"] == "3" }},
		{"labels", "", func(l *gateway.Link) bool { return len(l.Labels) == 0 }},
		{"allow", "203.0.113.0/25", func(l *gateway.Link) bool { return len(l.Allow) == 1 && l.Allow[0].Bits() == 25 }},
		{"allow", "", func(l *gateway.Link) bool { return len(l.Allow) == 0 }},
		{"not_before", begin.Format(time.RFC3339), func(l *gateway.Link) bool { return l.NotBefore.Equal(begin) }},
		{
			"not_before", begin.Format("2006-01-02T15:04:05"),
			func(l *gateway.Link) bool { return l.NotBefore.Equal(begin) },
		},
		{"language", "fr", func(l *gateway.Link) bool { return l.Language == "fr" }},
		{"language", "", func(l *gateway.Link) bool { return l.Language == "" }},
		{"passphrase", "another passphrase", func(l *gateway.Link) bool { return l.Passphrase }},
		{"remove_passphrase", "1", func(l *gateway.Link) bool { return !l.Passphrase }},
	} {
		path, form := changing(t, b, c, restricted)
		id, _ := gateway.ParseID(strings.TrimPrefix(path, "/console/links/"))
		before := b.show(t, id)
		sent := with(form, "x", "")
		sent[test.field] = []string{test.value} // also an empty one
		a := c.post(path+"/change", sent)
		after := b.show(t, id)
		if a.status >= 400 || !test.check(&after) {
			t.Errorf("%s=%q: %d %.200s", test.field, test.value, a.status, a.shown())
			continue
		}
		if a.status == http.StatusSeeOther && a.header.Get("Location") != path+"?done=changed" {
			t.Errorf("%s: leads to %q", test.field, a.header.Get("Location"))
		}
		if test.field != "note" && after.Note != before.Note ||
			test.field != "allow" && len(after.Allow) != len(before.Allow) ||
			test.field != "labels" && len(after.Labels) != len(before.Labels) ||
			test.field != "language" && after.Language != before.Language {
			t.Errorf("%s: other fields have changed: %+v, before %+v", test.field, after, before)
		}
	}
}

// A change that lets more people use the link shows a warning with the page.
func TestChangeWidens(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	path, form := changing(t, b, c, restricted)
	form["allow"] = []string{""}
	a := c.post(path+"/change", form)
	if a.status != http.StatusOK || !strings.Contains(a.shown(), "can be used from every address now") ||
		!strings.Contains(a.shown(), "The link was changed.") {
		t.Errorf("an emptied restriction: %d %s", a.status, a.shown())
	}
	_, form = changing(t, b, c, restricted)
	a = c.get(path + "?done=changed")
	if !strings.Contains(a.shown(), "The link was changed.") || form.Get("revision") == "" {
		t.Errorf("after a change: %s", a.shown())
	}
	if a = c.get(path + "?done=hacked"); strings.Contains(a.shown(), "hacked") {
		t.Errorf("the address chooses the words: %s", a.shown())
	}
}

// A change that is refused says why beside the field, and keeps what was entered.
func TestChangeRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	path, form := changing(t, b, c, restricted)
	for _, test := range []struct{ field, value, want string }{
		{"expires_in", "soon", "duration"},
		{"expires_in", "30d", "limit"},
		{"max_clicks", "", "a limit cannot be removed"},
		{"max_clicks", "many", "must be a whole number"},
		{"max_clicks", "0", ""},
		{"note", strings.Repeat("x", 1001), "the limit is 1000"},
		{"labels", "x", "name=value"},
		{"allow", "nowhere", "nowhere"},
		{"not_before", "soon", ""},
		{"language", "tlh", "must be one of"},
		{"passphrase", "short", "at least 8"},
	} {
		sent := with(form, "note", "Keep me")
		sent[test.field] = []string{test.value}
		a := c.post(path+"/change", sent)
		if a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s=%q: %d %s", test.field, test.value, a.status, a.shown())
			continue
		}
		checkField(t, &a, test.field, test.want)
		again := a.fields(t, path+"/change")
		if got := again.Get("note"); test.field != "note" && got != "Keep me" ||
			test.field != "passphrase" && test.field != "language" && again.Get(test.field) != test.value {
			t.Errorf("%s=%q: the form has %v", test.field, test.value, again)
		}
		if again.Get("passphrase") != "" {
			t.Error("the page repeats the passphrase")
		}
	}
	sent := with(form, "x", "y")
	if a := c.post(path+"/change", sent); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a change of nothing: %d", a.status)
	}
}

// Of two operators who change a link at the same time, the second sees both values.
func TestChangeConflict(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	first, second := b.signedIn(t, opsKey), b.signedIn(t, opsKey)
	path, form := changing(t, b, first, restricted)
	page := second.get(path)
	late := page.fields(t, path+"/change")
	if a := first.post(path+"/change", with(form, "note", "of the first")); a.status != http.StatusSeeOther {
		t.Fatalf("the first: %d %s", a.status, a.shown())
	}
	late.Set("note", "of the second")
	a := second.post(path+"/change", late)
	if a.status != http.StatusPreconditionFailed ||
		!strings.Contains(a.shown(), "Somebody else has changed this link") {
		t.Fatalf("the second: %d %s", a.status, a.shown())
	}
	if rows := a.rows(); len(rows) == 0 || rows[0] != "Note for the recipientof the secondof the first" {
		t.Errorf("the comparison: %q", rows)
	}
	id, _ := gateway.ParseID(strings.TrimPrefix(path, "/console/links/"))
	if got := b.show(t, id).Note; got != "of the first" {
		t.Errorf("the note is %q", got)
	}
	again := a.fields(t, path+"/change")
	if again.Get("note") != "of the second" {
		t.Errorf("the form has %q", again.Get("note"))
	}
	if a = second.post(path+"/change", again); a.status != http.StatusSeeOther ||
		b.show(t, id).Note != "of the second" {
		t.Errorf("sent again: %d, note %q", a.status, b.show(t, id).Note)
	}
}

// A link can be paused, resumed and, after a question, revoked.
func TestPauseResumeRevoke(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	issued := b.issue(t, nil)
	c := b.signedIn(t, opsKey)
	path := "/console/links/" + issued.Link.ID.String()
	for _, step := range []struct {
		action, button string
		state          gateway.State
	}{{"pause", "Pause", gateway.StatePaused}, {"resume", "Resume", gateway.StateActive}} {
		a := c.get(path)
		if a.button(step.button) == nil {
			t.Fatalf("no button %s: %s", step.button, a.shown())
		}
		a = c.post(path+"/"+step.action, a.fields(t, path+"/"+step.action))
		if a.status != http.StatusSeeOther || b.show(t, issued.Link.ID).State != step.state {
			t.Errorf("%s: %d, the link is %s", step.action, a.status, b.show(t, issued.Link.ID).State)
		}
		if a = c.get(a.header.Get("Location")); !strings.Contains(a.shown(), "The link was "+step.action+"d.") {
			t.Errorf("%s: %s", step.action, a.shown())
		}
	}
	a := c.post(path+"/revoke", nil)
	if a.status != http.StatusOK || !strings.Contains(a.shown(), "Revoke this link? s3://reports/2026/q3.pdf") {
		t.Fatalf("the question: %d %s", a.status, a.shown())
	}
	if b.show(t, issued.Link.ID).State != gateway.StateActive {
		t.Fatal("the question has revoked the link")
	}
	form := a.fields(t, path+"/revoke")
	a = c.post(path+"/revoke", with(form, "reason", strings.Repeat("x", 1001)))
	if a.status != http.StatusUnprocessableEntity || b.show(t, issued.Link.ID).State != gateway.StateActive {
		t.Errorf("a long reason: %d", a.status)
	}
	checkField(t, &a, "reason", "the limit is 1000")
	a = c.post(path+"/revoke", with(form, "reason", "sent to the wrong person"))
	if a.status != http.StatusSeeOther || a.header.Get("Location") != path+"?done=revoked" {
		t.Fatalf("the revocation: %d to %q", a.status, a.header.Get("Location"))
	}
	a = c.get(path)
	for _, want := range []string{
		"revoked", "by ops: sent to the wrong person", "The link was revoked",
		"Issue again with these settings",
	} {
		if !strings.Contains(a.shown(), want) {
			t.Errorf("the page lacks %q: %s", want, a.shown())
		}
	}
	for _, button := range []string{"Pause", "Resume", "Revoke", "Save the change"} {
		if a.button(button) != nil {
			t.Errorf("a revoked link has the button %s", button)
		}
	}
	if a = c.post(path+"/pause", nil); a.status != http.StatusConflict {
		t.Errorf("pause an ended link: %d %s", a.status, a.shown())
	}
	if a = c.post(path+"/revoke", with(form, "reason", "again")); a.status >= 400 ||
		b.show(t, issued.Link.ID).RevokeReason != "sent to the wrong person" {
		t.Errorf("revoke again: %d", a.status)
	}
	last := b.click(t, issued.Token)
	if last.Outcome != gateway.OutcomeRevoked {
		t.Errorf("a click gets %s", last.Outcome)
	}
	if a = c.get(path); !strings.Contains(a.shown(), "Refused: the link was revoked") {
		t.Errorf("the refusal in words: %s", a.shown())
	}
}

// An operator sees no button for what the rights do not allow, and the server refuses it.
func TestLinkRights(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.issue(t, nil).Link.ID
	path := "/console/links/" + id.String()
	c := b.signedIn(t, readKey)
	a := c.get(path)
	if a.status != http.StatusOK || a.button("Pause") != nil || a.button("Revoke") != nil ||
		a.button("Save the change") != nil ||
		strings.Contains(a.shown(), "Issue another") {
		t.Errorf("a reader is offered too much: %s", a.shown())
	}
	for _, action := range []string{"/change", "/pause", "/resume", "/revoke"} {
		if a := c.post(path+action, url.Values{"confirm": {"1"}, "note": {"x"}}); a.status != http.StatusForbidden {
			t.Errorf("%s by a reader: %d", action, a.status)
		}
	}
	if link := b.show(t, id); link.State != gateway.StateActive || link.Note != "" {
		t.Errorf("a reader has changed the link: %+v", link)
	}
}

// The settings of a link arrive in the form that issues it again.
func TestIssueAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	id := b.issue(t, func(r *gateway.IssueRequest) {
		restricted(r)
		r.Sensitive, r.Reveal, r.Pin = new(true), gateway.RevealBefore, gateway.PinNone
		r.Disposition, r.Filename, r.Confirm = gateway.DispositionInline, "a b.pdf", true
	}).Link.ID
	a := c.get("/console/links/" + id.String())
	a = c.get(a.link("Issue another with these settings"))
	form := a.fields(t, "/console/share")
	if a = c.post("/console/share", form); a.status != http.StatusOK {
		t.Fatalf("issue again: %d %s", a.status, a.shown())
	}
	links := b.links(t)
	if len(links) != 2 {
		t.Fatalf("%d links", len(links))
	}
	one, two := links[0], links[1]
	if one.MaxClicks != two.MaxClicks || one.Filename != two.Filename || one.Disposition != two.Disposition ||
		one.Confirm != two.Confirm || one.Reveal != two.Reveal || one.Pin != two.Pin || one.Language != two.Language ||
		one.Passphrase != two.Passphrase || one.Sensitive == nil || *one.Sensitive != *two.Sensitive {
		t.Errorf("the settings %+v, were %+v", one, two)
	}
	if unixLines(one.Note) != two.Note || !maps.Equal(one.Labels, two.Labels) || !slices.Equal(one.Allow, two.Allow) {
		t.Errorf("note %q, labels %v, networks %v; were %q, %v, %v", one.Note, one.Labels, one.Allow, two.Note,
			two.Labels, two.Allow)
	}
}
