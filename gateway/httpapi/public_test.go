package httpapi

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/pages"
	"keyhole/signer" //nolint:depguard // the errors of gateway.Presigner are of this package
)

// publicStatus is the table of public answers: the status of every outcome without a file.
func publicStatus() map[gateway.Outcome]int {
	return map[gateway.Outcome]int{
		gateway.OutcomeConfirmationRequired: 403,
		gateway.OutcomeNotFound:             404,
		gateway.OutcomeExpired:              410,
		gateway.OutcomeRevoked:              410,
		gateway.OutcomeUsedUp:               410,
		gateway.OutcomePaused:               403,
		gateway.OutcomeNotYet:               403,
		gateway.OutcomeAddressNotAllowed:    403,
		gateway.OutcomeWrongPassphrase:      403,
		gateway.OutcomeObjectChanged:        410,
		gateway.OutcomeObjectGone:           410,
		gateway.OutcomeObjectArchived:       410,
		gateway.OutcomeRateLimited:          429,
		gateway.OutcomeUnavailable:          503,
		gateway.OutcomeMethodNotAllowed:     405,
		gateway.OutcomeBadRequest:           400,
	}
}

// newRenderer returns a renderer without branding.
func newRenderer(t *testing.T) *pages.Renderer {
	t.Helper()
	r, err := pages.New(pages.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The table has every outcome that refuses, and the code agrees with it.
func TestStatusOfEveryOutcome(t *testing.T) {
	t.Parallel()
	table, renderer := publicStatus(), newRenderer(t)
	for outcome, status := range table {
		if got := statusOfOutcome(outcome); got != status {
			t.Errorf("%s: status %d, want %d", outcome, got, status)
		}
	}
	for _, outcome := range gateway.Outcomes() {
		_, refuses := renderer.Plain(&pages.Refusal{Outcome: outcome})
		if _, ok := table[outcome]; ok != refuses {
			t.Errorf("%s: in the table: %v, has a message: %v", outcome, ok, refuses)
		}
	}
}

// wantPublicHeaders fails the test unless an answer has the headers of all public answers.
func wantPublicHeaders(t *testing.T, what string, h http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"Cache-Control": "no-store, no-transform", "Referrer-Policy": "no-referrer",
		"X-Robots-Tag": "noindex, nofollow", "X-Content-Type-Options": "nosniff",
	} {
		if got := h[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %s is %q, want %q once", what, name, got, want)
		}
	}
	policy := h.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; ") ||
		!strings.Contains(policy, "form-action 'self'") ||
		strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("%s: the policy is %q", what, policy)
	}
	if h.Get("Server") != "" {
		t.Errorf("%s: the headers are %v", what, h)
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	for method, status := range map[string]int{"GET": 302, "HEAD": 302, "POST": 303} {
		for _, accept := range []string{"", "*/*", "text/html", "application/json"} {
			b := newBench(t, nil)
			a := ask(b.api.Public(), method, "/"+liveToken+"?x=1&response-content-type=text/html", "", "Accept", accept)
			if a.status != status || !slices.Equal(a.header["Location"], []string{presigned}) || a.body != "" ||
				a.header.Get("Content-Length") != "0" {
				t.Errorf("%s: got %d to %q with %d bytes", method, a.status, a.header["Location"], len(a.body))
			}
			wantPublicHeaders(t, method, a.header)
			if a.header.Get("Set-Cookie") != "" {
				t.Errorf("%s: a plain link sets %s", method, a.header.Get("Set-Cookie"))
			}
			if n := b.count(t, "keyhole_clicks_total{method="+method+",outcome=redirected}"); n != 1 {
				t.Errorf("%s: counted %v", method, n)
			}
			want := gateway.Attempt{
				ID: gateway.IDOf(liveToken), Method: method, Address: "192.0.2.1",
				Client: netip.MustParseAddr("192.0.2.1"), Page: accept == "text/html",
			}
			if !slices.Equal(b.store.attempts, []gateway.Attempt{want}) {
				t.Errorf("%s: the store was asked %+v", method, b.store.attempts)
			}
		}
	}
}

func TestEveryRefusalInItsThreeForms(t *testing.T) {
	t.Parallel()
	for outcome, status := range publicStatus() {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.store.outcome = outcome
			public := serve(t, b.api.Public()) // net/http adds the length of short answers
			plain, _ := newRenderer(t).Plain(&pages.Refusal{Outcome: outcome})
			title, _, _ := strings.Cut(string(plain.Text), ":")

			html := wire(t, public, line("GET", "/"+liveToken, "Accept: text/html,application/xhtml+xml,*/*;q=0.8"))
			problem := wire(t, public, line("GET", "/"+liveToken, "Accept: application/json"))
			text := wire(t, public, line("GET", "/"+liveToken, "Accept: */*"))
			bare := wire(t, public, line("GET", "/"+liveToken))
			vary := map[string]string{
				"html": "Accept, Accept-Language", "problem": "Accept", "text": "Accept", "bare": "Accept",
			}
			for form, a := range map[string]answer{"html": html, "problem": problem, "text": text, "bare": bare} {
				if a.status != status || a.header.Get("Location") != "" || a.header.Get("Vary") != vary[form] ||
					a.header.Get("Content-Length") != strconv.Itoa(len(a.body)) {
					t.Errorf("%s: got %d, %v", form, a.status, a.header)
				}
				wantPublicHeaders(t, form, a.header)
				if allow := a.header.Get("Allow"); (allow == "GET, HEAD, POST") != (status == 405) {
					t.Errorf("%s: Allow is %q", form, allow)
				}
				if retry := a.header.Get("Retry-After"); (retry == "5") != (status == 503) && status != 429 {
					t.Errorf("%s: Retry-After is %q", form, retry)
				}
			}
			if html.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(html.body, title) {
				t.Errorf("html: %s", html.header.Get("Content-Type"))
			}
			if p := problem.problem(t); p.Code != string(outcome) || p.Detail != plain.Detail || len(p.Errors) != 0 {
				t.Errorf("problem: %+v", p)
			}
			if text.header.Get("Content-Type") != "text/plain; charset=utf-8" || text.body != bare.body ||
				strings.Count(text.body, "\n") != 1 || !strings.HasSuffix(text.body, "\n") {
				t.Errorf("text: %q, bare: %q", text.body, bare.body)
			}
			if n := b.count(t, "keyhole_clicks_total{method=GET,outcome="+string(outcome)+"}"); n != 4 {
				t.Errorf("counted %v, want 4", n)
			}
		})
	}
}

func TestHeadHasTheHeadersOfGetAndNoBody(t *testing.T) {
	t.Parallel()
	address := serve(t, newBench(t, nil).api.Public())
	for _, target := range []string{"/" + liveToken, "/x", "/robots.txt"} {
		for _, accept := range []string{"text/html", "application/json", "*/*"} {
			get, head := wire(t, address, line("GET", target, "Accept: "+accept)),
				wire(t, address, line("HEAD", target, "Accept: "+accept))
			get.header.Del("Date")
			head.header.Del("Date")
			if get.status != head.status || !maps.EqualFunc(get.header, head.header, slices.Equal) || head.body != "" {
				t.Errorf("%s, %s: GET %d %v\nHEAD %d %v %q", target, accept, get.status, get.header, head.status, head.header,
					head.body)
			}
		}
	}
}

func TestUnknownAndMalformedAreTheSameBytes(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.store.outcome = gateway.OutcomeNotFound
	public := b.api.Public()
	for _, accept := range []string{"", "text/html", "application/json"} {
		unknown := ask(public, "GET", "/"+liveToken, "", "Accept", accept)
		for _, path := range []string{
			"/x", "/", "/favicon.ico", "/" + gateway.IDOf(liveToken).String(),
			"/" + liveToken + "/", "/livez", "/metrics", "/api/v1/links",
		} {
			malformed := ask(public, "GET", path, "", "Accept", accept)
			if malformed.status != 404 || malformed.body != unknown.body ||
				!maps.EqualFunc(malformed.header, unknown.header, slices.Equal) {
				t.Errorf("%s as %q: got %d %v, want %v", path, accept, malformed.status, malformed.header, unknown.header)
			}
		}
	}
	if len(b.store.attempts) != 3 {
		t.Errorf("the store was asked %d times, want for the three tokens alone", len(b.store.attempts))
	}
}

func TestRobots(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := ask(b.api.Public(), "GET", "/robots.txt", "")
	if a.status != 200 || a.body != "User-agent: *\nDisallow: /\n" ||
		a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("got %d %q", a.status, a.body)
	}
	wantPublicHeaders(t, "robots.txt", a.header)
	if post := ask(b.api.Public(), "POST", "/robots.txt", ""); post.status != 404 {
		t.Errorf("POST: got %d", post.status)
	}
}

func TestDoubtIsUnavailable(t *testing.T) {
	t.Parallel()
	const canary = "a secret that must not be shown"
	tests := []struct {
		name    string
		change  func(*bench)
		outcome gateway.Outcome
	}{
		{"redis is away", func(b *bench) { b.store.err = gateway.ErrUnavailable }, gateway.OutcomeUnavailable},
		{"redis says something unknown", func(b *bench) { b.store.err = errors.New(canary) }, gateway.OutcomeUnavailable},
		{"no credentials", func(b *bench) { b.storage.signErr = signer.ErrCredentials }, gateway.OutcomeUnavailable},
		{"under a second left", func(b *bench) { b.storage.signErr = signer.ErrLifetime }, gateway.OutcomeExpired},
		{"a panic", func(b *bench) { b.store.panic = canary }, gateway.OutcomeUnavailable},
		{"an outcome that there is not", func(b *bench) { b.store.outcome = "open sesame" }, gateway.OutcomeUnavailable},
		{
			"an outcome without an answer", func(b *bench) { b.store.outcome = gateway.OutcomePage },
			gateway.OutcomeUnavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			tt.change(b)
			a := wire(t, serve(t, b.api.Public()), line("GET", "/"+liveToken, "Accept: application/json"))
			if p := a.problem(t); p.Code != string(tt.outcome) || a.header.Get("Location") != "" ||
				strings.Contains(a.body, canary) {
				t.Errorf("got %d, %s", a.status, a.body)
			}
			wantPublicHeaders(t, tt.name, a.header)
			if n := b.count(t, "keyhole_clicks_total{method=GET,outcome="+string(tt.outcome)+"}"); n != 1 {
				t.Errorf("counted %v", n)
			}
		})
	}
}

func TestPanicIsLoggedWithoutItsValue(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.store.panic = "panic-canary " + liveToken
	ask(b.api.Public(), "GET", "/"+liveToken, "")
	text := b.log.String()
	if !strings.Contains(text, "handler panicked") || !strings.Contains(text, "Admit") {
		t.Errorf("the log does not say where: %s", text)
	}
	lines := b.lines(t)
	if line := lines[len(lines)-1]; line["link"] != gateway.IDOf(liveToken).String() || line["address"] == "" {
		t.Errorf("the click's line does not say whose: %v", line)
	}
	if strings.Contains(text, "canary") || strings.Contains(text, liveToken) {
		t.Errorf("the log holds the value: %s", text)
	}
}

func TestClickIsLoggedOnceWithoutTheToken(t *testing.T) {
	t.Parallel()
	id := gateway.IDOf(liveToken).String()
	tests := []struct {
		name, method, path string
		change             func(*bench)
		level, outcome     string
		link               any
	}{
		{"delivered", "GET", "/" + liveToken, nil, "DEBUG", "redirected", id},
		{
			"refused", "HEAD", "/" + liveToken, func(b *bench) { b.store.outcome = gateway.OutcomeRevoked }, "INFO", "revoked",
			id,
		},
		{
			"failed", "POST", "/" + liveToken, func(b *bench) { b.store.err = gateway.ErrUnavailable }, "INFO", "unavailable",
			id,
		},
		{"malformed", "GET", "/" + liveToken + "x", nil, "INFO", "not_found", nil},
		{"another method", "BREW", "/" + liveToken, nil, "INFO", "method_not_allowed", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			if tt.change != nil {
				tt.change(b)
			}
			ask(b.api.Public(), tt.method, tt.path, "", "User-Agent", liveToken, "Referer", "https://x/"+liveToken)
			lines := b.lines(t)
			if len(lines) != 1 {
				t.Fatalf("%d lines: %s", len(lines), b.log)
			}
			l := lines[0]
			if l["msg"] != "click" || l["level"] != tt.level || l["outcome"] != tt.outcome || l["link"] != tt.link ||
				l["address"] != "192.0.2.1" {
				t.Errorf("got %v", l)
			}
			for _, secret := range []string{liveToken, "signature-canary", "BREW"} {
				if strings.Contains(b.log.String(), secret) {
					t.Errorf("the log holds %s: %s", secret, b.log)
				}
			}
		})
	}
}

// The problem of a refusal has the members of RFC 9457 and code, and no other.
func TestPublicProblemHasNoMoreThanItsMembers(t *testing.T) {
	t.Parallel()
	a := ask(newBench(t, nil).api.Public(), "GET", "/x", "", "Accept", api.ProblemType)
	var members map[string]any
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(members)); !slices.Equal(got,
		[]string{"code", "detail", "status", "title", "type"}) {
		t.Errorf("the members are %v", got)
	}
}
