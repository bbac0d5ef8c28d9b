//go:build system

package system

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"keyhole/gateway/api"
)

// frontTest is a gateway behind the three proxies.
type frontTest struct {
	in      *installation
	gateway *instance
	proxies []*runningProxy
	objects []frontObject
	secrets []string // nothing that a proxy writes may contain them
}

// frontObject is an object with its link.
type frontObject struct {
	key     string
	path    string // of the link
	content []byte
	etag    string
}

// TestFront puts the configurations of deploy/proxy in front of one gateway, over its real
// Redis and S3 server, and does through each what recipients do. They connect from addresses
// that are not those of the proxies, as recipients do.
func TestFront(t *testing.T) {
	t.Parallel()
	f := &frontTest{in: install(t)}
	ca, programs := newAuthority(t), proxyPrograms()
	for _, program := range programs {
		f.proxies = append(f.proxies, newProxy(t, program.name, ca))
	}
	long := startLongStorage(t, f.in)
	f.gateway = f.in.start(append(long.environ, "KEYHOLE_PUBLIC_URL="+f.proxies[0].url,
		"KEYHOLE_PUBLIC_TRUSTED_PROXIES=127.0.0.1")...)
	f.putObjects(t)
	for i, p := range f.proxies {
		p.run(t, &programs[i], strings.TrimPrefix(f.gateway.public, "http://"))
	}
	for _, p := range f.proxies {
		t.Run(p.name, func(t *testing.T) {
			f.keys(t, p)
			f.methods(t, p)
			f.unknown(t, p)
			f.passphrase(t, p)
			f.confirmation(t, p)
			f.addresses(t, p)
			f.plain(t, p)
			f.longLocation(t, p, long)
		})
	}
	f.stopped(t)
}

// putObjects stores an object under every key of the matrix, and issues its link.
func (f *frontTest) putObjects(t *testing.T) {
	t.Helper()
	store := matrixStores()[0]
	for _, key := range matrixKeys() {
		if store.cannot[key] != "" {
			continue
		}
		o := frontObject{key: key, content: contentOf(key, 4096)}
		f.in.s3.Put(t, "reports", key, "text/plain", o.content)
		link := f.issue(t, api.IssueRequest{Key: key})
		o.path, o.etag = pathOf(link), link.Object.ETag
		f.objects = append(f.objects, o)
	}
}

// issue issues a link in the bucket reports, whose token must not be logged.
func (f *frontTest) issue(t *testing.T, r api.IssueRequest) api.Link {
	t.Helper()
	r.Bucket = "reports"
	link, err := f.gateway.client.Issue(t.Context(), r)
	if err != nil {
		t.Fatalf("%.60q: %v", r.Key, err)
	}
	f.secrets = append(f.secrets, pathOf(link)[1:])
	return link
}

// pathOf returns the path of a link, which is its token.
func pathOf(link api.Link) string { return link.URL[strings.LastIndexByte(link.URL, '/'):] }

// keys opens the link to every object of the matrix: GET, HEAD, a part, and a condition.
func (f *frontTest) keys(t *testing.T, p *runningProxy) {
	t.Helper()
	// What recipients download comes from the storage, to which this client goes next.
	c, next := p.client(t, "127.0.0.2", true), unfollowed()
	defer next.CloseIdleConnections()
	for _, o := range f.objects {
		part := o.content[min(rangeFrom, len(o.content)):min(rangeTo, len(o.content))]
		for _, tt := range []struct {
			method string
			status int
			want   []byte
			header []string
		}{
			{http.MethodGet, http.StatusOK, o.content, nil},
			{http.MethodHead, http.StatusOK, nil, nil},
			{
				http.MethodGet, http.StatusPartialContent, part,
				[]string{"Range", fmt.Sprintf("bytes=%d-%d", rangeFrom, rangeTo-1)},
			},
			{http.MethodGet, http.StatusNotModified, nil, []string{"If-None-Match", o.etag}},
		} {
			if tt.status == http.StatusPartialContent && len(o.content) == 0 {
				continue
			}
			sent := p.ask(t, c, tt.method, o.path, tt.header...)
			if sent.status != http.StatusFound || sent.protocol != 2 {
				t.Fatalf("%.60q: %s: %d over HTTP/%d", o.key, tt.method, sent.status, sent.protocol)
			}
			got, err := ask(t.Context(), next, tt.method, sent.location, nil, tt.header...)
			if err != nil || got.status != tt.status || got.body != string(tt.want) ||
				tt.method == http.MethodHead && got.header.Get("Content-Length") != strconv.Itoa(len(o.content)) {
				t.Errorf("%.60q: %s %v: %d, %d bytes, %v", o.key, tt.method, tt.header, got.status, len(got.body), err)
			}
		}
	}
}

// methods shows that a HEAD arrives as HEAD, which counts no click of a limited link, that
// GET counts one, over HTTP/1.1 and HTTP/2, and that the answers keep their headers.
func (f *frontTest) methods(t *testing.T, p *runningProxy) {
	t.Helper()
	for protocol, c := range map[int]*http.Client{
		1: p.client(t, "127.0.0.2", false), 2: p.client(t, "127.0.0.2", true),
	} {
		link := f.issue(t, api.IssueRequest{Key: "plain.txt"})
		for _, tt := range []struct {
			method string
			counts int64
		}{{http.MethodHead, 0}, {http.MethodGet, 1}, {http.MethodHead, 1}, {http.MethodGet, 2}} {
			a := p.ask(t, c, tt.method, pathOf(link))
			if a.status != http.StatusFound || a.protocol != protocol || a.header.Get("Age") != "" ||
				a.header.Get("Cache-Control") != "no-store, no-transform" || a.header.Get("Content-Encoding") != "" {
				t.Errorf("%s over HTTP/%d: %d over HTTP/%d, %v", tt.method, protocol, a.status, a.protocol, a.header)
			}
			if n := clicks(t, f.gateway, link.ID); n != tt.counts {
				t.Errorf("%s over HTTP/%d: %d clicks, want %d", tt.method, protocol, n, tt.counts)
			}
		}
	}
}

// unknown sends every path that is not that of a link. The proxy passes it on as it is, so
// the answers are the same bytes as without a proxy, or the proxy refuses it itself.
func (f *frontTest) unknown(t *testing.T, p *runningProxy) {
	t.Helper()
	link := f.issue(t, api.IssueRequest{Key: "plain.txt"})
	want := get(t, http.MethodGet, f.gateway.public+"/x")
	passed := 0
	for _, tt := range rawMisses(link.ID, pathOf(link)[1:]) {
		if tt.want != http.StatusNotFound {
			continue
		}
		line := strings.ReplaceAll(tt.line, "TOK", pathOf(link)[1:])
		a := p.raw(t, p.url, line+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		switch {
		case a.status == http.StatusBadRequest: // the proxy's own
		case a.status != http.StatusNotFound || a.body != want.body ||
			a.header.Get("Content-Type") != want.header.Get("Content-Type") ||
			a.header.Get("Content-Length") != want.header.Get("Content-Length"):
			t.Errorf("%.60s: %d %v %.100q", tt.line, a.status, a.header, a.body)
		default:
			passed++
		}
	}
	if passed < 15 {
		t.Errorf("only %d paths reached Keyhole", passed)
	}
	if n := clicks(t, f.gateway, link.ID); n != 0 {
		t.Errorf("%d clicks were counted", n)
	}
}

// passphrase sends the form of a passphrase, and resumes by the cookie.
func (f *frontTest) passphrase(t *testing.T, p *runningProxy) {
	t.Helper()
	const phrase = "correct horse battery"
	f.secrets = append(f.secrets, phrase, url.QueryEscape(phrase))
	link, c := f.issue(t, api.IssueRequest{Key: "plain.txt", Passphrase: new(phrase)}), p.client(t, "127.0.0.2", true)
	page := p.ask(t, c, http.MethodGet, pathOf(link), "Accept", "text/html", "Accept-Encoding", "gzip")
	nonce := nonceIn.FindStringSubmatch(page.body)
	if page.status != http.StatusOK || nonce == nil {
		t.Fatalf("the page: %d %s", page.status, page.body)
	}
	f.assets(t, p, c, page.body)
	form := confirmation(nonce[1])
	form.Set("passphrase", "wrong")
	if a := p.post(t, c, pathOf(link), form); a.status != http.StatusForbidden {
		t.Errorf("a wrong passphrase: %d", a.status)
	}
	form.Set("passphrase", phrase)
	a := p.post(t, c, pathOf(link), form)
	cookie := (&http.Response{Header: a.header}).Cookies()
	if a.status != http.StatusSeeOther || len(cookie) == 0 || !cookie[0].Secure || cookie[0].Path != pathOf(link) {
		t.Fatalf("the passphrase: %d, %v", a.status, cookie)
	}
	resumed := p.ask(t, c, http.MethodGet, pathOf(link), "Cookie", cookie[0].Name+"="+cookie[0].Value)
	if resumed.status != http.StatusFound || clicks(t, f.gateway, link.ID) != 1 {
		t.Errorf("the cookie: %d, %d clicks", resumed.status, clicks(t, f.gateway, link.ID))
	}
}

// assetIn finds the assets of a page.
var assetIn = regexp.MustCompile(`(?:href|src)="(/-/[^"]+)"`)

// assets loads the style sheet, the script and the images of a page.
func (f *frontTest) assets(t *testing.T, p *runningProxy, c *http.Client, page string) {
	t.Helper()
	found := assetIn.FindAllStringSubmatch(page, -1)
	if len(found) < 2 {
		t.Errorf("the page has the assets %q", found)
	}
	for _, match := range found {
		direct, through := get(t, http.MethodGet, f.gateway.public+match[1]), p.ask(t, c, http.MethodGet, match[1])
		if through.status != http.StatusOK || through.body != direct.body ||
			!strings.Contains(through.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %v", match[1], through.status, through.header)
		}
	}
}

// confirmation opens a link of one click: the page counts nothing, and its button works once.
func (f *frontTest) confirmation(t *testing.T, p *runningProxy) {
	t.Helper()
	link := f.issue(t, api.IssueRequest{Key: "plain.txt", MaxClicks: new(int64(1))})
	c := p.client(t, "127.0.0.2", false)
	for _, language := range []string{"en", "de"} {
		page := p.ask(t, c, http.MethodGet, pathOf(link)+"?lang="+language, "Accept", "text/html")
		if page.status != http.StatusOK || page.header.Get("Content-Language") != language {
			t.Errorf("the page: %d %v", page.status, page.header)
		}
	}
	if a := p.post(t, c, pathOf(link), confirmation("")); a.status != http.StatusSeeOther {
		t.Errorf("the button: %d", a.status)
	}
	if a := p.post(t, c, pathOf(link), confirmation("")); a.status != http.StatusGone {
		t.Errorf("the button again: %d", a.status)
	}
}

// addresses shows that a link for one network knows recipients by their own address, and
// that a header of theirs does not change it.
func (f *frontTest) addresses(t *testing.T, p *runningProxy) {
	t.Helper()
	link := f.issue(t, api.IssueRequest{Key: "plain.txt", Allow: []string{"127.0.0.2/32"}})
	for _, tt := range []struct {
		from   string
		header []string
		want   int
	}{
		{"127.0.0.2", nil, http.StatusFound},
		{"127.0.0.3", nil, http.StatusForbidden},
		{"127.0.0.3", []string{"X-Forwarded-For", "127.0.0.2"}, http.StatusForbidden},
		{"127.0.0.3", []string{"X-Forwarded-For", "127.0.0.2", "X-Forwarded-For", "127.0.0.2"}, http.StatusForbidden},
		{"127.0.0.3", []string{"Forwarded", "for=127.0.0.2", "X-Real-Ip", "127.0.0.2"}, http.StatusForbidden},
		{"127.0.0.2", []string{"X-Forwarded-For", "127.0.0.3"}, http.StatusFound},
	} {
		a := p.ask(t, p.client(t, tt.from, true), http.MethodGet, pathOf(link), tt.header...)
		if a.status != tt.want {
			t.Errorf("from %s with %v: %d, want %d", tt.from, tt.header, a.status, tt.want)
		}
	}
}

// plain shows that plain http leads to https, under the name of the configuration, in a way
// that no browser keeps.
func (f *frontTest) plain(t *testing.T, p *runningProxy) {
	t.Helper()
	for _, host := range []string{"localhost", "evil.example"} {
		a := p.raw(t, p.plain, "GET /abc?lang=de HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		right := a.status == http.StatusFound && a.location == p.url+"/abc?lang=de"
		if host == "evil.example" {
			right = right || a.location == "" // the proxy has no such site
		}
		if !right {
			t.Errorf("Host %s: %d %q", host, a.status, a.location)
		}
	}
}

// unavailable finds the status of a request that Keyhole did not answer, in the log of a proxy.
var unavailable = regexp.MustCompile(`(GET |"status":)50[23]\b`)

// stopped ends the gateway. The proxies then answer with an error of their own, and have
// written down no secret in the whole test.
func (f *frontTest) stopped(t *testing.T) {
	t.Helper()
	if err := f.gateway.process.terminate(t, syscall.SIGTERM); err != nil {
		t.Errorf("the gateway ends with %v", err)
	}
	for _, p := range f.proxies {
		// One request, because HAProxy tries to connect again for three seconds.
		a := p.ask(t, p.client(t, "127.0.0.2", true), http.MethodGet, f.objects[0].path)
		if !slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable}, a.status) {
			t.Errorf("%s without Keyhole: %d", p.name, a.status)
		}
		logs := ""
		eventually(t, p.name+" to log the last request", func() error {
			logs = p.logs(t)
			if !unavailable.MatchString(logs) || !strings.Contains(logs, "127.0.0.2") {
				return errors.New("it has no 502 or 503")
			}
			return nil
		})
		for _, secret := range append(f.secrets, "X-Amz-", "keyhole_grant") {
			if at := strings.Index(logs, secret); at >= 0 {
				t.Fatalf("%s writes a secret: %s", p.name, logs[max(0, at-300):min(len(logs), at+100)])
			}
		}
	}
}
