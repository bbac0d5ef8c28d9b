//go:build system

package system

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"keyhole/gateway/api"
)

// operatorsHost is the name of the operator listener behind a proxy.
const operatorsHost = "keyhole.test"

// operatorFront is the part of a proxy's configuration for operators.
type operatorFront struct {
	upstream    string // the operator listener
	certificate *authority
	url         string
}

// withOperators turns on the part for operators, in front of a listener.
func (p *runningProxy) withOperators(t *testing.T, upstream string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(p.addr)
	p.operators = &operatorFront{
		upstream: upstream, certificate: selfSigned(t, operatorsHost, time.Now().Add(time.Hour)),
		url: "https://" + net.JoinHostPort(operatorsHost, port),
	}
	certificate, err := os.ReadFile(p.operators.certificate.certFile)
	if err != nil || !p.authorities.roots.AppendCertsFromPEM(certificate) {
		t.Fatal("the certificate cannot be trusted: ", err)
	}
}

// turnOn removes the # of the lines that a configuration has for operators. Comments have one
// space behind it.
func turnOn(text string) string {
	var all strings.Builder
	for line := range strings.Lines(text) {
		code := strings.TrimLeft(line, " \t")
		rest, commented := strings.CutPrefix(code, "#")
		if commented && (!strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "  ")) {
			line = line[:len(line)-len(code)] + rest
		}
		all.WriteString(line)
	}
	return all.String()
}

// operatorReplacements keep the part for operators as it is shipped, but for its addresses and
// paths. The arguments stand before the name, the certificate and the address of Keyhole.
func (p *runningProxy) operatorReplacements(name, certificates, upstream string) []string {
	if p.operators == nil {
		return nil
	}
	all := []string{
		name + "keyhole.example.com", name + operatorsHost, "10.0.0.0/8", "127.0.0.0/29",
		upstream + "127.0.0.1:8081", upstream + p.operators.upstream,
	}
	if certificates != "" {
		all = append(all, certificates+"operators.crt", p.operators.certificate.certFile,
			certificates+"operators.key", p.operators.certificate.keyFile)
	}
	return all
}

// operatorsTest is an operator in front of a proxy.
type operatorsTest struct {
	*runningProxy

	in      *installation
	gateway *instance
	client  *http.Client // signed in to the console
	secrets []string     // nothing that the proxy writes may contain them
}

// TestFrontOperators puts the part of deploy/proxy for operators in front of one gateway, and
// does through each proxy what operators do.
func TestFrontOperators(t *testing.T) {
	t.Parallel()
	in, ca, programs := install(t), newAuthority(t), proxyPrograms()
	in.put(t, "file.txt", []byte("content"))
	for i := range programs {
		t.Run(programs[i].name, func(t *testing.T) {
			p := newProxy(t, programs[i].name, ca)
			p.withOperators(t, "")
			g := in.start("KEYHOLE_PUBLIC_URL="+p.url, "KEYHOLE_PUBLIC_TRUSTED_PROXIES=127.0.0.1",
				"KEYHOLE_OPERATOR_URL="+p.operators.url, "KEYHOLE_OPERATOR_TRUSTED_PROXIES=127.0.0.1")
			p.operators.upstream = strings.TrimPrefix(g.operator, "http://")
			p.run(t, &programs[i], strings.TrimPrefix(g.public, "http://"))
			o := &operatorsTest{runningProxy: p, in: in, gateway: g, client: p.client(t, "127.0.0.2", true)}
			o.signIn(t)
			o.share(t)
			o.export(t)
			o.names(t)
			o.sizes(t)
			o.separate(t)
			o.addresses(t)
			o.silent(t)
		})
	}
}

// call sends a request to the operator listener through the proxy.
func (o *operatorsTest) call(t *testing.T, c *http.Client, method, path, body string, headers ...string) answer {
	t.Helper()
	a, err := ask(t.Context(), c, method, o.operators.url+path, strings.NewReader(body), headers...)
	if err != nil {
		t.Fatalf("%s: %s %.60s: %v", o.name, method, path, err)
	}
	return a
}

// form sends a form of the console, as a browser does.
func (o *operatorsTest) form(t *testing.T, c *http.Client, path string, form url.Values, headers ...string) answer {
	t.Helper()
	return o.call(t, c, http.MethodPost, path, form.Encode(), append(headers, "Content-Type",
		"application/x-www-form-urlencoded", "Origin", o.operators.url, "Sec-Fetch-Site", "same-origin")...)
}

// signIn signs in to the console. The cookie arrives as Keyhole sent it.
func (o *operatorsTest) signIn(t *testing.T) {
	t.Helper()
	first := o.call(t, o.client, http.MethodGet, "/", "", "Accept", "text/html")
	if first.status != http.StatusSeeOther || first.location != "/console/objects" {
		t.Errorf("the first page: %d, %q", first.status, first.location)
	}
	a := o.form(t, o.client, "/console/sign-in", url.Values{"key": {o.in.key}})
	cookies := (&http.Response{Header: a.header}).Cookies()
	if a.status != http.StatusSeeOther || len(cookies) != 1 || cookies[0].Name != "__Host-keyhole" ||
		!cookies[0].Secure || !cookies[0].HttpOnly || cookies[0].Path != "/" {
		t.Fatalf("the sign-in: %d, %v", a.status, a.header)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(o.operators.url)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(address, cookies)
	o.client.Jar = jar
	o.secrets = append(o.secrets, o.in.key, cookies[0].Value)
}

// The parts of the console's pages that a browser sends or shows.
var (
	shareNonce = regexp.MustCompile(`name="nonce" value="([^"]+)"`)
	sharedURL  = regexp.MustCompile(`id="link-url"[^>]* value="([^"]+)"`)
)

// share shares an object by the form, and opens the link through the same proxy.
func (o *operatorsTest) share(t *testing.T) {
	t.Helper()
	form := url.Values{"storage": {"main"}, "bucket": {"reports"}, "key": {"file.txt"}}
	page := o.call(t, o.client, http.MethodGet, "/console/share?"+form.Encode(), "")
	nonce := shareNonce.FindStringSubmatch(page.body)
	if page.status != http.StatusOK || nonce == nil || page.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("the form: %d, %v, %.300s", page.status, page.header, page.body)
	}
	form.Set("nonce", nonce[1])
	form.Set("sensitive", "false")
	form.Set("expires_in", "1h")
	made := o.form(t, o.client, "/console/share", form)
	link := sharedURL.FindStringSubmatch(made.body)
	if made.status != http.StatusOK || link == nil || !strings.HasPrefix(link[1], o.url+"/") {
		t.Fatalf("the link: %d, %q", made.status, link)
	}
	path := strings.TrimPrefix(link[1], o.url)
	o.secrets = append(o.secrets, path[1:])
	if a := o.ask(t, o.runningProxy.client(t, "127.0.0.9", true), http.MethodGet, path); a.status != http.StatusFound {
		t.Errorf("a click: %d", a.status)
	}
	// The two names do not mix.
	if a := o.call(t, o.client, http.MethodGet, path, ""); a.status != http.StatusNotFound {
		t.Errorf("the link under the name of the operators: %d", a.status)
	}
}

// export downloads the audit log.
func (o *operatorsTest) export(t *testing.T) {
	t.Helper()
	a := o.call(t, o.client, http.MethodGet, "/console/audit.csv", "", "Accept-Encoding", "gzip")
	if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") ||
		a.header.Get("Content-Encoding") != "" || !strings.Contains(a.body, "file.txt") {
		t.Errorf("the export: %d, %v, %.300s", a.status, a.header, a.body)
	}
}

// names shows that the proxy names each request: the answer and the log of Keyhole have the
// name, and clients cannot choose it.
func (o *operatorsTest) names(t *testing.T) {
	t.Helper()
	known := map[string]bool{"forged": true}
	for range 2 {
		a := o.call(t, o.runningProxy.client(t, "127.0.0.2", false), http.MethodGet, "/api/v1/links", "",
			"Authorization", "Bearer "+o.in.key, "X-Request-Id", "forged", "X-Forwarded-For", "127.0.0.3")
		name := a.header.Get("X-Request-Id")
		// Keyhole's own names have 26 characters of base32.
		if a.status != http.StatusOK || known[name] || len(name) < 32 {
			t.Errorf("%d with the name %q", a.status, name)
		}
		known[name] = true
		eventually(t, "the log to have the request", func() error {
			for line := range strings.Lines(o.gateway.process.output.String()) {
				var logged struct {
					Address   string
					RequestID string `json:"request_id"`
				}
				if json.Unmarshal([]byte(line), &logged) == nil && logged.RequestID == name {
					if !strings.Contains(logged.Address, "127.0.0.2") {
						t.Errorf("the request is logged with the address %q", logged.Address)
					}
					return nil
				}
			}
			return errors.New("it has not")
		})
	}
}

// sizes sends what is large. Keyhole, and not the proxy, refuses what is too large.
func (o *operatorsTest) sizes(t *testing.T) {
	t.Helper()
	issue := `{"bucket":"reports","key":"file.txt"`
	for _, tt := range []struct {
		body, key string
		status    int
	}{
		{issue + strings.Repeat(" ", 1<<20-100) + "}", o.in.key, http.StatusCreated},
		{issue + strings.Repeat(" ", 1<<20) + "}", o.in.key, http.StatusRequestEntityTooLarge},
		{issue + "}", strings.Repeat("k", 16<<10), http.StatusUnauthorized}, // as long as tokens get
	} {
		a := o.call(t, o.runningProxy.client(t, "127.0.0.2", true), http.MethodPost, "/api/v1/links", tt.body,
			"Authorization", "Bearer "+tt.key, "Content-Type", "application/json")
		var made api.Link
		if a.status != tt.status || a.header.Get("X-Request-Id") == "" || json.Unmarshal([]byte(a.body), &made) != nil {
			t.Errorf("a body of %d bytes with a key of %d: %d, %.200s", len(tt.body), len(tt.key), a.status, a.body)
		}
		if made.URL != "" {
			o.secrets = append(o.secrets, pathOf(made)[1:])
		}
	}
}

// separate shows who reaches the console: nobody from another network, and nobody under the
// name of the links.
func (o *operatorsTest) separate(t *testing.T) {
	t.Helper()
	a := o.call(t, o.runningProxy.client(t, "127.0.0.9", true), http.MethodGet, "/console/sign-in", "",
		"X-Forwarded-For", "127.0.0.2")
	if a.status != http.StatusForbidden || a.header.Get("X-Request-Id") != "" {
		t.Errorf("from another network: %d, %v", a.status, a.header)
	}
	if a := o.ask(t, o.client, http.MethodGet, "/console/sign-in"); a.status != http.StatusNotFound {
		t.Errorf("under the name of the links: %d", a.status)
	}
}

// addresses fails to sign in until the limit, and claims another address each time. Then only
// that operator is refused.
func (o *operatorsTest) addresses(t *testing.T) {
	t.Helper()
	c, refused := o.runningProxy.client(t, "127.0.0.3", true), 0
	for i := range 40 {
		a := o.form(t, c, "/console/sign-in", url.Values{"key": {"khk_WRONG"}},
			"X-Forwarded-For", fmt.Sprintf("127.0.1.%d", i), "X-Real-Ip", fmt.Sprintf("127.0.1.%d", i))
		if a.status == http.StatusTooManyRequests {
			refused++
		} else if a.status != http.StatusUnauthorized {
			t.Fatalf("a wrong key: %d", a.status)
		}
	}
	if refused == 0 {
		t.Error("nothing limits wrong keys")
	}
	other := o.runningProxy.client(t, "127.0.0.4", true)
	if a := o.form(t, other, "/console/sign-in", url.Values{"key": {"khk_WRONG"}}); a.status != http.StatusUnauthorized {
		t.Errorf("from another address: %d", a.status)
	}
}

// silent shows that the proxy has logged the requests of operators without a path or a secret.
func (o *operatorsTest) silent(t *testing.T) {
	t.Helper()
	logs := ""
	eventually(t, o.name+" to log the last request", func() error {
		if logs = o.logs(t); !strings.Contains(logs, "127.0.0.4") {
			return errors.New("it has not")
		}
		return nil
	})
	for _, secret := range append(o.secrets, "/console", "/api/", "file.txt", "Bearer") {
		if at := strings.Index(logs, secret); at >= 0 {
			t.Errorf("%s writes %q: %s", o.name, secret, logs[max(0, at-300):min(len(logs), at+100)])
		}
	}
}

// TestFrontStreams shows that an export arrives while it is written: the listener behind the
// proxy sends the second line only after the client has the first.
func TestFrontStreams(t *testing.T) {
	t.Parallel()
	ca, programs := newAuthority(t), proxyPrograms()
	for i := range programs {
		t.Run(programs[i].name, func(t *testing.T) {
			arrived := make(chan struct{})
			upstream := strings.TrimPrefix(handler(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/robots.txt" {
					return
				}
				w.Header().Set("Content-Type", "text/csv")
				_, _ = io.WriteString(w, "first\n") // the client says whether it arrived
				w.(http.Flusher).Flush()
				select {
				case <-arrived:
					_, _ = io.WriteString(w, "second\n")
				case <-r.Context().Done():
				}
			}), "http://")
			p := newProxy(t, programs[i].name, ca)
			p.withOperators(t, upstream)
			p.run(t, &programs[i], upstream)
			for _, http2 := range []bool{false, true} {
				p.reads(t, http2, func() { arrived <- struct{}{} })
			}
		})
	}
}

// reads reads an export of two lines. After the first one it calls next.
func (p *runningProxy) reads(t *testing.T, http2 bool, next func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.operators.url+"/console/audit.csv", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := p.client(t, "127.0.0.2", http2).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body := bufio.NewReader(answer.Body)
	line, err := body.ReadString('\n')
	if err != nil || line != "first\n" {
		t.Fatalf("the first line: %q, %v", line, err)
	}
	next()
	if line, err = body.ReadString('\n'); err != nil || line != "second\n" {
		t.Errorf("the second line: %q, %v", line, err)
	}
}
