package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/pages"
	"keyhole/gateway/pages/pagetest"
	"keyhole/gateway/storetest"
)

// shapingStore is a real store that creates links with fields that requests cannot set here.
type shapingStore struct {
	stores

	shape func(*gateway.Link, *time.Duration)
}

func (s *shapingStore) Create(ctx context.Context, link gateway.Link, secrets gateway.Secrets, life time.Duration,
	by gateway.Origin,
) (gateway.Link, error) {
	if s.shape != nil {
		s.shape(&link, &life)
	}
	return s.stores.Create(ctx, link, secrets, life, by)
}

// shaping makes a bench over a real store that holds links.
func shaping(t *testing.T, change func(*Options)) (*bench, *shapingStore) {
	t.Helper()
	store := &shapingStore{stores: storetest.Open(t)}
	return newBenchOver(t, store, change), store
}

// issue issues a link. It returns the path of the link and its ID.
func (b *bench) issue(t *testing.T, request string) (path, id string) {
	t.Helper()
	var link api.Link
	a := b.operator(opsKey, "POST", "/api/v1/links", request)
	if err := json.Unmarshal([]byte(a.body), &link); err != nil || a.status != 201 {
		t.Fatalf("issue %s: got %d %s", request, a.status, a.body)
	}
	return strings.TrimPrefix(link.URL, "https://dl.example.com"), link.ID
}

// inLanguage makes a request for a link in the language of a link. It returns its path.
func (b *bench) inLanguage(t *testing.T, store *shapingStore, language, request string) (path, id string) {
	t.Helper()
	store.shape = func(link *gateway.Link, _ *time.Duration) { link.Language = language }
	return b.issue(t, request)
}

// wantLanguage fails the test unless an answer is a page in a language.
func wantLanguage(t *testing.T, what string, a answer, language string) {
	t.Helper()
	if !slices.Equal(a.header["Content-Language"], []string{language}) ||
		!slices.Equal(a.header["Vary"], []string{"Accept, Accept-Language"}) {
		t.Errorf("%s: %d in %q, Vary %q, want %s", what, a.status, a.header["Content-Language"], a.header["Vary"], language)
		return
	}
	html := pagetest.One(t, pagetest.Parse(t, []byte(a.body)), "html")
	if lang := pagetest.Attribute(html, "lang"); lang != language {
		t.Errorf("%s: the page is in %q, want %s", what, lang, language)
	}
}

// The language of a page is that of the query, of the link, of the browser, or the
// fallback. Programs get the same English bytes in each case.
func TestLanguageOfAnswers(t *testing.T) {
	t.Parallel()
	b, store := shaping(t, nil)
	const expires = `{"bucket":"exports","key":"a","pin":"none"`
	plain, _ := b.inLanguage(t, store, "", expires+`,"allow":["203.0.113.0/24"]}`)
	french, _ := b.inLanguage(t, store, "fr", expires+`,"allow":["203.0.113.0/24"]}`)
	page, _ := b.inLanguage(t, store, "pl", expires+`,"confirm":true}`)
	for _, tt := range []struct{ path, query, accept, want string }{
		{plain, "", "", "en"},
		{plain, "", "xx, de-AT;q=0.5, en;q=0.4", "de"},
		{plain, "?lang=ja", "de", "ja"},
		{plain, "?lang=xx", "de", "de"},
		{french, "", "", "fr"},
		{french, "", "de", "fr"},
		{french, "?lang=xx", "de", "fr"},
		{french, "?lang=ar", "de", "ar"},
		{page, "", "de", "pl"},
		{page, "?lang=zh", "de", "zh"},
		{"/x", "", "es", "es"},
		{"/x", "?lang=nl", "es", "nl"},
	} {
		what := fmt.Sprintf("%s with %q", tt.query, tt.accept)
		html := ask(b.api.Public(), "GET", tt.path+tt.query, "", "Accept", "text/html", "Accept-Language", tt.accept)
		wantLanguage(t, what, html, tt.want)
		wantPublicHeaders(t, what, withoutForms(html.header))
		for _, accept := range []string{"*/*", "application/json", ""} {
			a := ask(b.api.Public(), "GET", tt.path+tt.query, "", "Accept", accept, "Accept-Language", tt.accept)
			english := ask(b.api.Public(), "GET", tt.path, "", "Accept", accept)
			if a.body != english.body || !maps.EqualFunc(a.header, english.header, slices.Equal) {
				t.Errorf("%s: a program gets %q, want %q", what, a.body, english.body)
			}
			if a.header["Content-Language"] != nil || !slices.Equal(a.header["Vary"], []string{"Accept"}) {
				t.Errorf("%s: a program gets the headers %v", what, a.header)
			}
		}
	}
}

// withoutForms returns headers whose policy names no bucket, as those of a refusal.
func withoutForms(h http.Header) http.Header {
	h = h.Clone()
	h.Set("Content-Security-Policy", strings.ReplaceAll(h.Get("Content-Security-Policy"), " https://s3.example.com", ""))
	return h
}

// Keyhole reads lang and no other parameter. A query that it cannot read changes nothing,
// and no part of a query is in an answer.
func TestQueryLanguage(t *testing.T) {
	t.Parallel()
	public := newBench(t, nil).api.Public()
	for query, want := range map[string]string{
		"lang=de":                              "de",
		"utm=1&lang=de":                        "de",
		"lang=de&utm=1":                        "de",
		"%zz&lang=de&x=%z":                     "de", // parameters of others, such as trackers, may be broken
		"a;b&lang=de":                          "de",
		"lang=de&lang=fr":                      "de", // the first one, as in a form
		"lang=xx&lang=fr":                      "en",
		"lang=":                                "en",
		"lang":                                 "en",
		"lang=%64e":                            "de",
		"lang=%zz":                             "en",
		"lang=de;x":                            "en",
		"lang=DE":                              "en",
		"lang=de-DE":                           "en",
		"xlang=de":                             "en",
		"lang[]=de":                            "en",
		"Lang=de":                              "en",
		"lang=de%0d%0aSet-Cookie:canary=1":     "en",
		"lang=%3Cscript%3Ecanary%3C/script%3E": "en",
		"lang=en%22%20canary=%22":              "en",
		strings.Repeat("canary&", 4000) + "lang=de": "de",
		"lang=" + strings.Repeat("canary", 4000):    "en",
	} {
		for _, method := range []string{"GET", "POST"} {
			r := httptest.NewRequest(method, "/x", nil)
			r.URL.RawQuery, r.RequestURI = query, "/x?"+query
			r.Header.Set("Accept", "text/html")
			w := httptest.NewRecorder()
			public.ServeHTTP(w, r)
			a := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
			what := fmt.Sprintf("%s ?%.40s", method, query)
			wantLanguage(t, what, a, want)
			if all := fmt.Sprint(a.header) + a.body; strings.Contains(all, "canary") || a.status != 404 {
				t.Errorf("%s: %d holds the query: %.300s", what, a.status, all)
			}
		}
	}
	// A form has no language: a language link is an ordinary address.
	form := []string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html"}
	wantLanguage(t, "a form", ask(public, "POST", "/x", "lang=de", form...), "en")
}

// A link in another language on the page after a wrong passphrase leads to the page itself,
// and the form of a page keeps its language.
func TestLanguageAfterPost(t *testing.T) {
	t.Parallel()
	b, _ := shaping(t, nil)
	path, id := b.issue(t, `{"bucket":"exports","key":"a","pin":"none","passphrase":"open sesame"}`)
	wrong := ask(b.api.Public(), "POST", path+"?lang=de", url.Values{"confirm": {"1"}, "passphrase": {"x"}}.Encode(),
		"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html")
	wantLanguage(t, "a wrong passphrase", wrong, "de")
	page := pagetest.Parse(t, []byte(wrong.body))
	if form := pagetest.One(t, page, "form"); wrong.status != 403 || pagetest.Attribute(form, "action") != "" {
		t.Errorf("%d, and the form leads to %q", wrong.status, pagetest.Attribute(form, "action"))
	}
	links := pagetest.Elements(page, "a")
	if len(links) != len(gateway.Languages())-1 {
		t.Errorf("%d links", len(links))
	}
	for _, link := range links {
		target, err := (&url.URL{Path: path, RawQuery: "lang=de"}).Parse(pagetest.Attribute(link, "href"))
		if err != nil {
			t.Fatal(err)
		}
		other := ask(b.api.Public(), "GET", target.String(), "", "Accept", "text/html")
		wantLanguage(t, target.String(), other, pagetest.Attribute(link, "hreflang"))
		if other.status != 200 || target.Path != path {
			t.Errorf("%s: got %d", target, other.status)
		}
	}
	var link api.Link
	shown := b.operator(opsKey, "GET", "/api/v1/links/"+id, "")
	if err := json.Unmarshal([]byte(shown.body), &link); err != nil || shown.status != 200 || link.Clicks != 0 {
		t.Errorf("the links spent %d clicks: %d, %v", link.Clicks, shown.status, err)
	}
}

// In each language, unknown and malformed tokens get the same bytes, which name no
// reference.
func TestUnknownAndMalformedInEachLanguage(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.store.outcome = gateway.OutcomeNotFound
	public := b.api.Public()
	for _, language := range gateway.Languages() {
		for _, how := range [][2]string{{"?lang=" + language, "xx"}, {"", language}} {
			get := func(path string) answer {
				return ask(public, "GET", path+how[0], "", "Accept", "text/html", "Accept-Language", how[1],
					"Cookie", downloadedCookie+"=1")
			}
			unknown := get("/" + liveToken)
			wantLanguage(t, language, unknown, language)
			for _, path := range []string{
				"/x", "/", "/favicon.ico", "/" + gateway.IDOf(liveToken).String(), "/" + liveToken + "/", "/-/x",
			} {
				if a := get(path); a.status != 404 || a.body != unknown.body ||
					!maps.EqualFunc(a.header, unknown.header, slices.Equal) {
					t.Errorf("%s%s: got %d %v, want %v", path, how[0], a.status, a.header, unknown.header)
				}
			}
			if strings.Contains(unknown.body, gateway.IDOf(liveToken).Reference()) || strings.Contains(unknown.body, "<dl>") {
				t.Errorf("%s: the page states facts about a link", language)
			}
		}
	}
}

// HEAD has the headers of GET in every language.
func TestHeadOfPages(t *testing.T) {
	t.Parallel()
	b, _ := shaping(t, nil)
	address := serve(t, b.api.Public())
	page, _ := b.issue(t, `{"bucket":"exports","key":"a","pin":"none","confirm":true}`)
	ended, id := b.issue(t, `{"bucket":"exports","key":"a","pin":"none"}`)
	if a := b.operator(opsKey, "DELETE", "/api/v1/links/"+id, ""); a.status != 200 {
		t.Fatalf("revoke: %d", a.status)
	}
	for _, language := range gateway.Languages() {
		for _, path := range []string{page, ended, "/x"} {
			headers := []string{"Accept: text/html", "Accept-Language: " + language}
			get, head := wire(t, address, line("GET", path, headers...)), wire(t, address, line("HEAD", path, headers...))
			wantLanguage(t, path, get, language)
			get.header.Del("Date")
			head.header.Del("Date")
			if get.status != head.status || !maps.EqualFunc(get.header, head.header, slices.Equal) || head.body != "" {
				t.Errorf("%s in %s: GET %d %v\nHEAD %d %v", path, language, get.status, get.header, head.status, head.header)
			}
		}
	}
}

// A redirect is in no language.
func TestRedirectHasNoLanguage(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "POST"} {
		a := ask(newBench(t, nil).api.Public(), method, "/"+liveToken+"?lang=de", "", "Accept", "text/html",
			"Accept-Language", "fr")
		if a.status/100 != 3 || a.header["Content-Language"] != nil || strings.Contains(a.header.Get("Location"), "lang") {
			t.Errorf("%s: %d with %v", method, a.status, a.header)
		}
	}
}

// Pages can be replaced while requests are answered: each answer is whole, in a language of
// one of the two sets.
func TestSetPagesDuringRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.store.outcome = gateway.OutcomeUsedUp
	public := b.api.Public()
	sets := []pages.Options{
		{Languages: []string{"nl"}, Branding: pages.Branding{Organization: "First"}},
		{Languages: []string{"en", "de", "ar"}, Branding: pages.Branding{Organization: "Second"}},
	}
	if err := b.api.SetPages(sets[0]); err != nil {
		t.Fatal(err)
	}
	var replacing, asking sync.WaitGroup
	done := make(chan struct{})
	replacing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				if err := b.api.SetPages(sets[i%2]); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 4 {
		asking.Go(func() {
			for i := range 100 {
				a := ask(public, "GET", []string{"/x", "/" + liveToken}[i%2], "", "Accept", "text/html", "Accept-Language", "ar")
				language := a.header.Get("Content-Language")
				want := map[string]string{"nl": "First", "ar": "Second"}[language]
				if want == "" || !strings.Contains(a.body, want) {
					t.Errorf("a page in %q without %q", language, want)
				}
			}
		})
	}
	asking.Wait()
	close(done)
	replacing.Wait()
}

// A refusal that was decided with the previous pages is answered with them, although other
// pages with more languages are in force since then.
func TestSetPagesBetweenDecisionAndAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Pages = pages.Options{Languages: []string{"nl"}} })
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Language", "ar")
	for _, facts := range []*gateway.Facts{nil, {Reference: "01234567", Language: "de"}} {
		if err := b.api.SetPages(pages.Options{Languages: []string{"nl"}}); err != nil {
			t.Fatal(err)
		}
		refused := b.api.refusalOf(r, &gateway.Attempt{}, &gateway.Answer{Outcome: gateway.OutcomeExpired, Facts: facts})
		if err := b.api.SetPages(pages.Options{}); err != nil {
			t.Fatal(err)
		}
		html := writtenPage(t, b, refused, r)
		if page := pagetest.Parse(t, html); pagetest.Attribute(pagetest.One(t, page, "html"), "lang") != "nl" {
			t.Errorf("the page is %s", html)
		}
	}
}

// After an error of SetPages the previous pages stay.
func TestSetPagesThatFail(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Pages = pages.Options{Languages: []string{"de"}} })
	if err := b.api.SetPages(pages.Options{Languages: []string{"fr", "tlh"}}); err == nil {
		t.Error("an unknown language is no error")
	}
	wantLanguage(t, "after the error", ask(b.api.Public(), "GET", "/x", "", "Accept", "text/html"), "de")
	if _, err := New(Options{Pages: pages.Options{Languages: []string{"tlh"}}}); err == nil {
		t.Error("New accepts an unknown language")
	}
}
