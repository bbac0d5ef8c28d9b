//go:build system

package system

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// proxyProgram is a program that operators put in front of Keyhole, with the configuration
// of deploy/proxy.
type proxyProgram struct {
	name, command string
	config        string // below deploy/proxy
	// replace returns the replacements by which the shipped configuration runs in a test: other
	// addresses, names and paths, and nothing else.
	replace func(p *runningProxy, ca *authority, upstream string) []string
	// around returns the text of another file that includes the configuration at path; nil: the
	// configuration is complete.
	around    func(p *runningProxy, path string) string
	arguments func(path string) []string
}

// runningProxy is a proxy that runs beside the test.
type runningProxy struct {
	name        string
	dir         string // has its logs
	plain, url  string // of its listeners, http:// and https://
	plainAddr   string
	addr        string
	process     *process
	authorities *authority
	// edit changes the configuration, to show what a mistake in it does; nil: it stays.
	edit func(text string) string
	// operators turns on the part for operators; nil: it stays turned off.
	operators *operatorFront
}

// proxyPrograms are the programs of deploy/proxy.
func proxyPrograms() []proxyProgram {
	return []proxyProgram{
		{
			name: "nginx", command: "nginx", config: "nginx.conf", replace: nginxReplacements, around: aroundNginx,
			arguments: func(path string) []string {
				return []string{"-c", path, "-e", filepath.Join(filepath.Dir(path), "error.log")}
			},
		},
		{
			name: "Caddy", command: "caddy", config: "Caddyfile", replace: caddyReplacements,
			arguments: func(path string) []string { return []string{"run", "--adapter", "caddyfile", "--config", path} },
		},
		{
			name: "HAProxy", command: "haproxy", config: "haproxy.cfg", replace: haproxyReplacements,
			arguments: func(path string) []string { return []string{"-db", "-f", path} },
		},
	}
}

// nginxReplacements keep nginx.conf as it is shipped, but for its addresses and paths.
func nginxReplacements(p *runningProxy, ca *authority, upstream string) []string {
	return append(p.operatorReplacements("server_name ", "/etc/nginx/", "proxy_pass http://"),
		"listen 80;", "listen "+p.plainAddr+";", "listen 443 ssl", "listen "+p.addr+" ssl",
		"https://links.example.com", p.url, "server_name links.example.com", "server_name localhost",
		"/etc/nginx/links.crt", ca.certFile, "/etc/nginx/links.key", ca.keyFile,
		"/var/log/nginx/", p.dir+"/", "server 127.0.0.1:8080", "server "+upstream,
	)
}

// aroundNginx is what nginx.conf of a distribution has around the files of conf.d. It logs
// more than they do: what the shipped file keeps out of the log must stay out.
func aroundNginx(p *runningProxy, path string) string {
	temporary := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("  %s_temp_path %s/%s;\n", kind, p.dir, kind)
	}
	return fmt.Sprintf(`daemon off;
master_process off;
pid %s/nginx.pid;
error_log %s/error.log info;
events {}
http {
  access_log %s/other.log;
  gzip on;
  gzip_types text/html text/plain application/problem+json;
%s  include %s;
}
`, p.dir, p.dir, p.dir, temporary, path)
}

// caddyReplacements keep the Caddyfile as it is shipped, but for its addresses and paths.
// The options name the addresses that Caddy takes by default.
func caddyReplacements(p *runningProxy, ca *authority, upstream string) []string {
	_, plain, _ := net.SplitHostPort(p.plainAddr)
	_, secure, _ := net.SplitHostPort(p.addr)
	return append(p.operatorReplacements("https://", "/etc/caddy/", "reverse_proxy "),
		"\n{\n", "\n{\n\tadmin off\n\tdefault_bind 127.0.0.1\n\thttp_port "+plain+"\n\thttps_port "+secure+"\n",
		"redir https://links.example.com", "redir "+p.url,
		"http://links.example.com", "http://localhost", "https://links.example.com", "https://localhost",
		"/etc/caddy/links.crt", ca.certFile, "/etc/caddy/links.key", ca.keyFile,
		"/var/log/caddy/", p.dir+"/", "reverse_proxy 127.0.0.1:8080", "reverse_proxy "+upstream,
	)
}

// haproxyReplacements keep haproxy.cfg as it is shipped, but for its addresses and paths.
func haproxyReplacements(p *runningProxy, ca *authority, upstream string) []string {
	certificates := filepath.Join(p.dir, "certs")
	if err := os.Mkdir(certificates, 0o700); err != nil {
		panic(err) // newProxy made the directory above it
	}
	ca.bundle(filepath.Join(certificates, "links.pem"))
	if p.operators != nil {
		p.operators.certificate.bundle(filepath.Join(certificates, "operators.pem"))
	}
	return append(p.operatorReplacements("-i ", "", "server operators "),
		"bind :80\n", "bind "+p.plainAddr+"\n", "bind :443 ", "bind "+p.addr+" ",
		"https://links.example.com", p.url, "/etc/haproxy/certs/", certificates,
		"log /dev/log local0", "log stdout format raw local0",
		"server keyhole 127.0.0.1:8080", "server keyhole "+upstream,
	)
}

// bundle writes the certificate and its key into one file.
func (a *authority) bundle(path string) {
	certificate, err := os.ReadFile(a.certFile)
	key, keyErr := os.ReadFile(a.keyFile)
	if err != nil || keyErr != nil {
		panic(fmt.Sprint(err, keyErr)) // newAuthority wrote both
	}
	if err := os.WriteFile(path, append(certificate, key...), 0o600); err != nil {
		panic(err)
	}
}

// newProxy chooses the addresses of a proxy.
func newProxy(t *testing.T, name string, ca *authority) *runningProxy {
	t.Helper()
	p := &runningProxy{name: name, dir: t.TempDir(), plainAddr: freeAddress(t), addr: freeAddress(t), authorities: ca}
	_, port, _ := net.SplitHostPort(p.addr)
	p.plain, p.url = "http://"+p.plainAddr, "https://localhost:"+port
	return p
}

// run starts the program with its shipped configuration in front of upstream, and waits until
// it answers.
func (p *runningProxy) run(t *testing.T, program *proxyProgram, upstream string) {
	t.Helper()
	p.start(t, program, upstream)
	c := p.client(t, "127.0.0.1", false)
	eventually(t, program.name+" to answer", func() error {
		a, err := ask(t.Context(), c, http.MethodGet, p.url+"/robots.txt", nil)
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("%d %s", a.status, a.body)
		}
		return errors.Join(err, p.process.exited())
	})
}

// start starts the program with its shipped configuration in front of upstream.
func (p *runningProxy) start(t *testing.T, program *proxyProgram, upstream string) {
	t.Helper()
	shipped, err := os.ReadFile(filepath.Join("../../../../deploy/proxy", program.config))
	if err != nil {
		t.Fatal(err)
	}
	text := string(shipped)
	if p.operators != nil {
		text = turnOn(text)
	}
	replacements := program.replace(p, p.authorities, upstream)
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(text, replacements[i]) {
			t.Fatalf("%s has no %q", program.config, replacements[i])
		}
		text = strings.ReplaceAll(text, replacements[i], replacements[i+1])
	}
	for line := range strings.Lines(text) {
		if code, _, _ := strings.Cut(line, "#"); strings.Contains(code, "example.com") ||
			strings.Contains(code, "/etc/") || strings.Contains(code, "/var/") {
			t.Fatalf("%s: the test does not replace %q", program.config, line)
		}
	}
	if p.edit != nil {
		edited := p.edit(text)
		if edited == text {
			t.Fatalf("%s: the test changes nothing", program.config)
		}
		text = edited
	}
	path := p.write(t, program.config, text)
	if program.around != nil {
		path = p.write(t, "main.conf", program.around(p, path))
	}
	p.process = startProcess(t, findProgram(t, program.command), []string{"HOME=" + p.dir, "XDG_DATA_HOME=" + p.dir},
		program.arguments(path)...)
}

// write writes a file of the proxy.
func (p *runningProxy) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// findProgram returns the path of a server, which may be in a directory that only root has in
// its PATH.
func findProgram(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not installed: run deploy/test, which installs it", name)
	}
	return path
}

// client returns a client that connects from an address, trusts the proxy's authority and
// follows no redirect.
func (p *runningProxy) client(t *testing.T, from string, http2 bool) *http.Client {
	t.Helper()
	c := unfollowed()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c.Transport = &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: p.authorities.roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: http2,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
		},
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// ask sends one request through the proxy, which must be answered.
func (p *runningProxy) ask(t *testing.T, c *http.Client, method, path string, headers ...string) answer {
	t.Helper()
	a, err := ask(t.Context(), c, method, p.url+path, nil, headers...)
	if err != nil {
		t.Fatalf("%s: %s: %v", p.name, method, err)
	}
	return a
}

// post sends a form through the proxy, which must be answered.
func (p *runningProxy) post(t *testing.T, c *http.Client, path string, form url.Values) answer {
	t.Helper()
	a, err := post(t.Context(), c, p.url+path, form)
	if err != nil {
		t.Fatalf("%s: POST: %v", p.name, err)
	}
	return a
}

// raw sends one request byte for byte, over TLS and HTTP/1.1, or in clear text if base is not
// https.
func (p *runningProxy) raw(t *testing.T, base, request string) answer {
	t.Helper()
	var connection net.Conn
	var err error
	if base == p.url {
		connection, err = tls.Dial("tcp", p.addr,
			&tls.Config{RootCAs: p.authorities.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	} else {
		connection, err = net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(connection, request) // the answer says whether it arrived
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatalf("%s: %.40q: %v", p.name, request, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %.40q: %v", p.name, request, err)
	}
	return answer{
		status: response.StatusCode, header: response.Header, body: string(body),
		location: response.Header.Get("Location"),
	}
}

// logs returns everything that the proxy has written: its files and what it printed.
func (p *runningProxy) logs(t *testing.T) string {
	t.Helper()
	all := p.process.output.String()
	files, err := filepath.Glob(filepath.Join(p.dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
	}
	return all
}
