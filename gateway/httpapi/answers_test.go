package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/pages"
	"keyhole/gateway/pages/pagetest"
	"keyhole/gateway/storetest"
)

// The link of the table has names that no client may read without permission. secretsOf
// finds them in an answer.
const tableLink = `{"bucket":"exports","key":"canary-key/canary-file","note":"canary-note",` +
	`"labels":{"canary-label":"canary"},"expires_in":"24h"`

// secretsOf returns the words of an answer, its head included, that tell of file, note,
// operator or storage.
func secretsOf(a answer) (found []string) {
	all := fmt.Sprint(a.header) + a.body
	for _, word := range []string{
		"canary-key", "canary-file", "canary-note", "canary-label", "canary-operator", "canary-sender", "canary-type",
		"canary-etag", "canary-reason", "canary-cause", "exports", "4711", "4.7", "4,7", "s3.example.com", "X-Amz",
	} {
		if strings.Contains(all, word) {
			found = append(found, word)
		}
	}
	return found
}

// namesOfFile returns the words that a page with the file shows. namesOfForm returns those
// that a page shows before the passphrase is right: the sender, and the origin in the
// policy (deploy/docs/use/receive.md). namesOfURL returns those of a redirect.
func namesOfFile() []string {
	return []string{"canary-file", "canary-note", "canary-sender", "canary-type", "4.7", "s3.example.com"}
}
func namesOfForm() []string { return []string{"canary-sender", "s3.example.com"} }
func namesOfURL() []string  { return []string{"s3.example.com", "X-Amz"} }

// expected is what one form of an answer must be.
type expected struct {
	status int
	code   gateway.Outcome
	names  []string // that the answer shows
}

// tableState is a link in one state and a request for it.
type tableState struct {
	name      string
	link      string // the end of the request that issues it; empty: no link
	method    string // empty: GET
	form      url.Values
	headers   []string
	prepare   func(t *testing.T, b *tableBench, path, id string)
	html      expected
	program   expected // zero: as html
	reference bool     // the page shows the reference
}

// tableBench is a bench over a real store that fails on demand.
type tableBench struct {
	*bench
	*shapingStore

	admitErr error
}

func (b *tableBench) Admit(ctx context.Context, a gateway.Attempt) (gateway.Admission, error) {
	if b.admitErr != nil {
		return gateway.Admission{}, b.admitErr
	}
	return b.shapingStore.Admit(ctx, a)
}

// newTableBench makes a bench whose links have secrets in all fields.
func newTableBench(t *testing.T) *tableBench {
	t.Helper()
	store := &shapingStore{stores: storetest.Open(t)}
	b := &tableBench{shapingStore: store}
	store.shape = func(link *gateway.Link, _ *time.Duration) {
		link.CreatedBy, link.Sender, link.Object.ContentType = "canary-operator", "canary-sender", "x/canary-type"
		link.Object.Size = 4_711_000_000
	}
	b.bench = newBenchOver(t, b, func(o *Options) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		o.Pages.Branding = pages.Branding{Sender: pages.SenderOperator, Contact: "mailto:help@example.com"}
	})
	return b
}

// changed returns a preparation that sends a request of an operator about the link.
func changed(method, query, body string) func(*testing.T, *tableBench, string, string) {
	return func(t *testing.T, b *tableBench, _, id string) {
		t.Helper()
		if a := b.operator(opsKey, method, "/api/v1/links/"+id+query, body); a.status != 200 {
			t.Fatalf("%s: %d %s", method, a.status, a.body)
		}
	}
}

// storageFails returns a preparation that lets the storage fail.
func storageFails(err error) func(*testing.T, *tableBench, string, string) {
	return func(_ *testing.T, b *tableBench, _, _ string) { b.storage.proofErr = err }
}

// clicked sends a form before the request of the table, as often as told.
func clicked(times int, form url.Values) func(*testing.T, *tableBench, string, string) {
	return func(_ *testing.T, b *tableBench, path, _ string) {
		for range times {
			b.postTo(path, form, "X-Forwarded-For", "203.0.113.9")
		}
	}
}

// tableStates returns every state of a link.
func tableStates() []tableState {
	confirm := url.Values{"confirm": {"1"}}
	right := url.Values{"confirm": {"1"}, "passphrase": {"open sesame"}}
	wrong := url.Values{"confirm": {"1"}, "passphrase": {"x"}}
	const plain, secret = `,"pin":"none"}`, `,"pin":"none","passphrase":"open sesame"}`
	const pinned, pinnedSecret = `,"pin":"etag"}`, `,"pin":"etag","passphrase":"open sesame"}`
	const before = `,"pin":"none","passphrase":"open sesame","reveal":"before"}`
	const limited = `,"pin":"none","max_clicks":1}`
	refused := func(status int, code gateway.Outcome) expected { return expected{status: status, code: code} }
	page := func(names []string) expected { return expected{200, gateway.OutcomePage, names} }
	required := refused(403, gateway.OutcomeConfirmationRequired)
	wrongNamed := func(names []string) expected { return expected{403, gateway.OutcomeWrongPassphrase, names} }
	later := fmt.Sprintf(`,"pin":"none","not_before":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	return []tableState{
		{name: "unknown", html: refused(404, gateway.OutcomeNotFound)},
		{name: "active", link: plain, html: expected{302, gateway.OutcomeRedirected, namesOfURL()}},
		{
			name: "active, address allowed, page", link: `,"pin":"none","confirm":true,"allow":["203.0.113.9/32"]}`,
			html: page(namesOfFile()), program: required,
		},
		{
			name: "address not allowed", link: `,"pin":"none","confirm":true,"allow":["198.51.100.0/24"]}`,
			html: refused(403, gateway.OutcomeAddressNotAllowed), reference: true,
		},
		{
			name: "revoked", link: plain, prepare: changed("DELETE", "?reason=canary-reason", ""),
			html: refused(410, gateway.OutcomeRevoked), reference: true,
		},
		{
			name: "paused", link: plain,
			prepare: changed("PATCH", "", `{"paused":true}`), html: refused(403, gateway.OutcomePaused), reference: true,
		},
		{name: "not yet", link: later, html: refused(403, gateway.OutcomeNotYet), reference: true},
		{name: "expired", link: plain, html: refused(410, gateway.OutcomeExpired), reference: true},
		{
			name: "used up", link: limited,
			prepare: clicked(1, confirm), html: refused(410, gateway.OutcomeUsedUp), reference: true,
		},
		{
			name: "used up by this browser", link: limited, prepare: clicked(1, confirm),
			headers: []string{"Cookie", "keyhole_downloaded=1"},
			html:    refused(410, gateway.OutcomeUsedUp), reference: true,
		},
		{name: "passphrase, page", link: secret, html: page(namesOfForm()), program: required},
		{
			name: "passphrase, wrong", link: secret, method: "POST", form: wrong,
			html: wrongNamed(namesOfForm()), program: refused(403, gateway.OutcomeWrongPassphrase),
		},
		{
			name: "passphrase, right", link: secret, method: "POST", form: right,
			html: expected{303, gateway.OutcomeRedirected, namesOfURL()},
		},
		{
			name: "passphrase, too many attempts", link: secret, method: "POST", form: right, prepare: clicked(5, wrong),
			html: refused(429, gateway.OutcomeRateLimited), reference: true,
		},
		{name: "reveal before, page", link: before, html: page(namesOfFile()), program: required},
		{
			name: "reveal before, wrong", link: before, method: "POST", form: wrong,
			html: wrongNamed(namesOfFile()), program: refused(403, gateway.OutcomeWrongPassphrase),
		},
		{
			name: "reveal before, revoked", link: before,
			prepare: changed("DELETE", "", ""), html: refused(410, gateway.OutcomeRevoked), reference: true,
		},
		{
			name: "no confirmation", link: secret, method: "POST",
			html: refused(400, gateway.OutcomeBadRequest), reference: true,
		},
		{
			name: "prefetched", link: before,
			headers: []string{"Sec-Purpose", "prefetch"}, html: refused(400, gateway.OutcomeBadRequest),
		},
		{
			name: "object changed", link: pinned,
			html: refused(410, gateway.OutcomeObjectChanged), reference: true,
		},
		{
			name: "object gone", link: pinned, prepare: storageFails(gateway.ErrObjectNotFound),
			html: refused(410, gateway.OutcomeObjectGone), reference: true,
		},
		{
			name: "object archived", link: pinned, prepare: storageFails(gateway.ErrObjectArchived),
			html: refused(410, gateway.OutcomeObjectArchived), reference: true,
		},
		{
			name: "object gone, passphrase right", link: pinnedSecret, method: "POST", form: right,
			prepare: storageFails(gateway.ErrObjectNotFound), html: refused(410, gateway.OutcomeObjectGone), reference: true,
		},
		{
			name: "object gone, passphrase wrong", link: pinnedSecret, method: "POST", form: wrong,
			prepare: storageFails(gateway.ErrObjectNotFound), html: wrongNamed(namesOfForm()),
			program: refused(403, gateway.OutcomeWrongPassphrase),
		},
		{
			name: "storage away", link: pinned, prepare: storageFails(errors.New("canary-cause")),
			html: refused(503, gateway.OutcomeUnavailable), reference: true,
		},
		{
			name: "Redis away", link: plain, html: refused(503, gateway.OutcomeUnavailable),
			prepare: func(_ *testing.T, b *tableBench, _, _ string) { b.admitErr = errors.New("canary-cause") },
		},
		{
			name: "refused too often", link: plain, html: refused(429, gateway.OutcomeRateLimited), reference: true,
			prepare: func(t *testing.T, b *tableBench, path, id string) {
				t.Helper()
				changed("DELETE", "", "")(t, b, path, id)
				for range 60 {
					ask(b.api.Public(), "GET", path, "", "X-Forwarded-For", "203.0.113.9")
				}
			},
		},
		{
			name: "another method", link: plain, method: "PUT",
			html: refused(405, gateway.OutcomeMethodNotAllowed),
		},
	}
}

// awaitExpiry asks until a link has expired, for 20 s at most.
func (b *tableBench) awaitExpiry(t *testing.T, path string) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(20 * time.Second); ask(b.api.Public(), "HEAD", path, "").status != 410; <-ticker.C {
		if time.Now().After(end) {
			t.Fatal("the link does not expire")
		}
	}
}

// open issues the link of a state and prepares it.
func (s *tableState) open(t *testing.T, b *tableBench) (path, id string) {
	t.Helper()
	b.storage.proofErr, b.admitErr = nil, nil
	path = "/" + liveToken
	shape := b.shape
	defer func() { b.shape = shape }()
	b.shape = func(link *gateway.Link, life *time.Duration) {
		shape(link, life)
		switch s.name {
		case "expired":
			*life = time.Millisecond
		case "object changed":
			link.Object.ETag = `"canary-etag"`
		}
	}
	if s.link != "" {
		path, id = b.issue(t, tableLink+s.link)
	}
	if s.name == "expired" {
		b.awaitExpiry(t, path)
	}
	if s.prepare != nil {
		s.prepare(t, b, path, id)
	}
	return path, id
}

// TestTableOfAnswers asks for a link in every state, in every language and form. It prints
// the table with -v. An answer shows names only to a client with permission to know them.
func TestTableOfAnswers(t *testing.T) {
	t.Parallel()
	forms := map[string]string{"html": "text/html", "text": "*/*", "json": "application/json"}
	for _, state := range tableStates() {
		t.Run(state.name, func(t *testing.T) {
			t.Parallel()
			b := newTableBench(t)
			languages := gateway.Languages()
			if state.form.Has("passphrase") || state.name == "refused too often" { // they take long
				languages = []string{"en", "de", "ar"}
			}
			for _, form := range []string{"html", "text", "json"} {
				rows := map[string][]string{} // the languages by answer
				for _, language := range languages {
					path, id := state.open(t, b)
					headers := append([]string{
						"Accept", forms[form], "Accept-Language", language, "X-Forwarded-For", "203.0.113.9",
						"Content-Type", "application/x-www-form-urlencoded",
					}, state.headers...)
					a := ask(b.api.Public(), cmp.Or(state.method, "GET"), path, state.form.Encode(), headers...)
					row := state.check(t, b, form, language, id, a)
					rows[row] = append(rows[row], cmp.Or(a.header.Get("Content-Language"), "none"))
				}
				for row, languages := range rows {
					t.Logf("| %s | %s | %s | %s |", state.name, form, row, strings.Join(slices.Compact(languages), " "))
				}
			}
		})
	}
}

// check compares one answer with the table. It returns what it found.
func (s *tableState) check(t *testing.T, b *tableBench, form, language, id string, a answer) string {
	t.Helper()
	want := s.html
	if form != "html" && s.program.status != 0 {
		want = s.program
	}
	what := form + " in " + language
	code := b.lastOutcome(t)
	if a.status != want.status || code != string(want.code) {
		t.Errorf("%s: got %d %v, want %d %s", what, a.status, code, want.status, want.code)
	}
	if got := secretsOf(a); !sameWords(got, want.names, language) {
		t.Errorf("%s: the answer tells %q, want %q: %v", what, got, want.names, a.header)
	}
	if strings.Contains(a.body, "canary-operator") || strings.Contains(a.header.Get("Set-Cookie"), "canary") {
		t.Errorf("%s: the answer names the operator: %v %s", what, a.header, a.body)
	}
	isPage := form == "html" && want.status/100 != 3
	switch {
	case isPage:
		wantLanguage(t, what, a, language)
		shown := id != "" && strings.Contains(a.body, id[:8])
		if shown != (s.reference || len(want.names) > 0) {
			t.Errorf("%s: the page shows the reference: %v", what, shown)
		}
		if id != "" && strings.Contains(a.body, id[:9]) {
			t.Errorf("%s: the page shows more than the reference of the ID", what)
		}
		if forms := pagetest.Elements(pagetest.Parse(t, []byte(a.body)), "form"); len(forms) > 0 != (len(want.names) > 0) {
			t.Errorf("%s: the page has %d forms", what, len(forms))
		}
	case a.header["Content-Language"] != nil || (a.header.Get("Vary") != "Accept") != (want.status/100 == 3):
		t.Errorf("%s: the headers are %v", what, a.header)
	}
	if form == "json" && want.status/100 != 3 {
		var problem struct{ Code string }
		if err := json.Unmarshal([]byte(a.body), &problem); err != nil || problem.Code != string(want.code) {
			t.Errorf("%s: %v, %s", what, err, a.body)
		}
	}
	return fmt.Sprintf("%d | %s | %s", a.status, code, strings.Join(want.names, ", "))
}

// lastOutcome returns the outcome in the last line of the log.
func (b *bench) lastOutcome(t *testing.T) string {
	t.Helper()
	text := strings.TrimSuffix(b.log.String(), "\n")
	var line struct{ Outcome string }
	if err := json.Unmarshal([]byte(text[strings.LastIndexByte(text, '\n')+1:]), &line); err != nil {
		t.Fatal(err)
	}
	return line.Outcome
}

// sameWords reports whether the words of an answer are the wanted ones. The size has the
// decimal separator of the language.
func sameWords(got, want []string, language string) bool {
	want = slices.Clone(want)
	if i := slices.Index(want, "4.7"); i >= 0 && !slices.Contains([]string{"en", "ja", "zh", "ar"}, language) {
		want[i] = "4,7"
	}
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}
