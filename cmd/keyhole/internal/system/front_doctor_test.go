//go:build system

package system

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
)

// doctorOfPublic runs keyhole doctor for a gateway, and returns its exit code and what it
// found of public.url, as "level check: message", one a line.
func (g *instance) doctorOfPublic(t *testing.T, environ ...string) (code int, found string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = runBinary(t.Context(), []string{"doctor", "--config", g.config, "--json"},
		command.Env{Stdout: &stdout, Stderr: &stderr, Environ: environ})
	var answer struct{ Findings []doctorFinding }
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
		t.Fatalf("exit %d: %v in %s%s", code, err, &stdout, &stderr)
	}
	for _, f := range answer.Findings {
		if f.Subject == "public" {
			found += f.Level + " " + f.Check + ": " + f.Message + "\n"
		} else if f.Level == "failure" {
			t.Errorf("found %+v too", f)
		}
	}
	return code, found
}

// wantFound checks the lines that doctorOfPublic returns, each by its beginning and a part,
// which three dots separate.
func wantFound(t *testing.T, what, found string, want ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(found), "\n")
	for i := range max(len(lines), len(want)) {
		if i >= len(lines) || i >= len(want) {
			t.Errorf("%s: found\n%s\nwant %q", what, found, want)
			return
		}
		begin, part, _ := strings.Cut(want[i], "...")
		if !strings.HasPrefix(lines[i], begin) || !strings.Contains(lines[i], part) {
			t.Errorf("%s: found %q, want %q", what, lines[i], want[i])
		}
	}
}

// TestDoctorBehindProxies runs the doctor through each proxy with its shipped configuration.
// The authority of the test is one that only this doctor trusts, and its certificate ends
// within the hour.
func TestDoctorBehindProxies(t *testing.T) {
	t.Parallel()
	in, ca, programs := install(t), newAuthority(t), proxyPrograms()
	in.put(t, "file.txt", []byte("content"))
	for i := range programs {
		p := newProxy(t, programs[i].name, ca)
		environ := []string{
			"KEYHOLE_PUBLIC_URL=" + p.url, "KEYHOLE_PUBLIC_TRUSTED_PROXIES=127.0.0.1", "SSL_CERT_FILE=" + ca.caFile,
		}
		g := in.start(environ...)
		p.run(t, &programs[i], strings.TrimPrefix(g.public, "http://"))
		code, found := g.doctorOfPublic(t, environ...)
		if code != command.ExitOK {
			t.Errorf("%s: exit %d", p.name, code)
		}
		wantFound(t, p.name, found, "ok reachable: "+p.url+" responds", "warning certificate: ...expires in",
			"ok proxy: ...through the trusted proxy 127.0.0.1, from 127.0.0.1", "ok answers: ", "ok location: ...9866 bytes")
	}
}

// TestDoctorFindsProxyMistakes changes the configuration of nginx as operators do, and names
// what is wrong from the view of recipients.
func TestDoctorFindsProxyMistakes(t *testing.T) {
	t.Parallel()
	in, ca := install(t), newAuthority(t)
	in.put(t, "file.txt", []byte("content"))
	without := func(part string) func(string) string {
		return func(text string) string {
			var kept []string
			for line := range strings.Lines(text) {
				if !strings.Contains(line, part) {
					kept = append(kept, line)
				}
			}
			return strings.Join(kept, "")
		}
	}
	replace := func(old, by string) func(string) string {
		return func(text string) string { return strings.ReplaceAll(text, old, by) }
	}
	const reachable, expires, unchanged, long = "ok reachable: ", "warning certificate: ", "ok answers: ", "ok location: "
	for name, tt := range map[string]struct {
		edit    func(string) string
		trusted bool
		want    []string
	}{
		"is not trusted": {
			nil, false,
			[]string{reachable, expires, "failure proxy: ...127.0.0.1 is not trusted", unchanged, long},
		},
		"appends": {
			replace("X-Forwarded-For $remote_addr", "X-Forwarded-For $proxy_add_x_forwarded_for"), true,
			[]string{reachable, expires, "ok proxy: ...from 127.0.0.1", unchanged, long},
		},
		"passes on X-Forwarded-For": {
			without("X-Forwarded-For"), true,
			[]string{reachable, expires, "failure proxy: ...everyone can choose the address", unchanged, long},
		},
		"small buffers": {
			without("proxy_buffer"), true,
			[]string{reachable, expires, "ok proxy: ", unchanged, "failure location: ...(status 502)"},
		},
		"its own pages": {
			func(text string) string {
				text = strings.ReplaceAll(text, "proxy_intercept_errors off;", "proxy_intercept_errors on;")
				return strings.ReplaceAll(text, "merge_slashes off;", "error_page 404 @own; location @own { return 404 own; }")
			}, true,
			[]string{"failure reachable: ...another service, or a proxy that replaces"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, "nginx", ca)
			p.edit = tt.edit
			environ := []string{"KEYHOLE_PUBLIC_URL=" + p.url, "SSL_CERT_FILE=" + ca.caFile}
			if tt.trusted {
				environ = append(environ, "KEYHOLE_PUBLIC_TRUSTED_PROXIES=127.0.0.1")
			}
			g := in.start(environ...)
			p.run(t, &proxyPrograms()[0], strings.TrimPrefix(g.public, "http://"))
			code, found := g.doctorOfPublic(t, environ...)
			if failed := strings.Contains(found, "failure"); failed != (code == command.ExitFailed) {
				t.Errorf("exit %d", code)
			}
			wantFound(t, name, found, tt.want...)
		})
	}
}

// TestDoctorDoesNotReach has what keeps recipients from Keyhole: certificates, an address
// that leads elsewhere or nowhere, and at last a service that does not run.
func TestDoctorDoesNotReach(t *testing.T) {
	t.Parallel()
	in, ca := install(t), newAuthority(t)
	in.put(t, "file.txt", []byte("content"))
	p, nginx := newProxy(t, "nginx", ca), proxyPrograms()[0]
	g := in.start("KEYHOLE_PUBLIC_URL="+p.url, "KEYHOLE_PUBLIC_TRUSTED_PROXIES=127.0.0.1")
	upstream := strings.TrimPrefix(g.public, "http://")
	p.run(t, &nginx, upstream)
	expired := expiredCertificate(t)
	old := newProxy(t, "nginx", expired)
	old.start(t, &nginx, upstream)
	eventually(t, "nginx to listen", func() error {
		connection, err := net.Dial("tcp", old.addr)
		if err == nil {
			err = connection.Close()
		}
		return errors.Join(err, old.process.exited())
	})
	elsewhere := handler(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("welcome")) })
	nowhere := "http://" + freeAddress(t)
	find := func(name, address, authority string, want ...string) {
		t.Helper()
		code, found := g.doctorOfPublic(t, "KEYHOLE_PUBLIC_URL="+address, "SSL_CERT_FILE="+authority,
			"KEYHOLE_PUBLIC_TRUSTED_PROXIES=127.0.0.1")
		if failed := strings.Contains(found, "failure"); failed != (code == command.ExitFailed) {
			t.Errorf("%s: exit %d", name, code)
		}
		wantFound(t, name, found, want...)
	}
	find("an authority that nobody knows", p.url, expired.certFile, "ok reachable: ",
		"failure certificate: recipients refuse the certificate: ...unknown authority")
	find("an expired certificate", old.url, expired.certFile, "ok reachable: ", "failure certificate: ...has expired")
	find("another service", elsewhere, ca.caFile, "failure reachable: "+elsewhere+" answers 200 ...another service")
	find("nothing", nowhere, ca.caFile, "failure reachable: "+nowhere+" is unreachable from here: ...refused")
	find("the listener itself", g.public, ca.caFile, "ok reachable: ", "ok proxy: requests arrive without a proxy",
		"ok answers: ", "ok location: ")
	if err := g.process.terminate(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	find("a service that does not run", p.url, ca.caFile, "warning reachable: the service does not run")
}

// expiredCertificate makes a certificate for localhost that was valid until an hour ago. It
// is its own authority.
func expiredCertificate(t *testing.T) *authority {
	t.Helper()
	return selfSigned(t, "localhost", time.Now().Add(-time.Hour))
}

// selfSigned makes a certificate for a host, which is its own authority.
func selfSigned(t *testing.T, host string, end time.Time) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: end,
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{
		certFile: filepath.Join(t.TempDir(), "cert.pem"), keyFile: filepath.Join(t.TempDir(), "key.pem"),
		roots: x509.NewCertPool(),
	}
	a.roots.AddCert(parsed)
	for path, block := range map[string]*pem.Block{
		a.certFile: {Type: "CERTIFICATE", Bytes: der}, a.keyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return a
}
