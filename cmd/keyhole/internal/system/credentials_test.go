//go:build system

package system

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// provider gives credentials of a session over HTTP, as a container's endpoint
// and as AWS STS do. They are real, from the S3 server's own STS; how long they
// last is what the provider says.
type provider struct {
	session aws.Credentials
	dir     string // of its files

	mu   sync.Mutex
	how  string // what it does: see the test
	asks int
}

// set changes what the provider does.
func (p *provider) set(how string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.how = how
}

// asked returns how often it was asked.
func (p *provider) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asks
}

// credentials returns what it gives now, and the status of its answer.
func (p *provider) credentials() (status int, given aws.Credentials) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asks++
	given = p.session
	life := time.Hour
	switch p.how {
	case "down":
		return http.StatusInternalServerError, aws.Credentials{}
	case "empty":
		given.AccessKeyID, given.SecretAccessKey = "", ""
	case "expired":
		life = -time.Minute
	case "short":
		life = 8 * time.Second
	case "shortest":
		life = 2 * time.Second
	}
	given.Expires = time.Now().Add(life)
	return http.StatusOK, given
}

// ServeHTTP answers as a container's credentials endpoint or, to a POST, as STS.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, c := p.credentials()
	w.WriteHeader(status)
	if status != http.StatusOK {
		_, _ = io.WriteString(w, "secret-canary") // who asked may have hung up
		return
	}
	at := c.Expires.UTC().Format(time.RFC3339)
	if r.Method == http.MethodGet { // a process names the token otherwise than a container
		fmt.Fprintf(w, `{"AccessKeyId":%q,"SecretAccessKey":%q,"Token":%q,"SessionToken":%q,"Expiration":%q}`,
			c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.SessionToken, at)
		return
	}
	fmt.Fprintf(w,
		`<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">`+
			`<AssumeRoleWithWebIdentityResult>`+
			`<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>`+
			`<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>`+
			`</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, c.AccessKeyID, c.SecretAccessKey,
		c.SessionToken, at)
}

// file writes a file of the provider's.
func (p *provider) file(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCredentialSources runs the service on each source of the SDK's chain, with
// sessions of a role that has the rights of deploy/iam, and says what the
// recipient sees when the source is well, empty, expired and down.
func TestCredentialSources(t *testing.T) {
	t.Parallel()
	in := installOver(t, s3test.StartRGWWith(t, s3test.RGWOptions{Buckets: []string{"reports", "exports"}, STS: true}))
	policy, err := os.ReadFile("../../../../deploy/iam/policy.json")
	if err != nil {
		t.Fatal(err)
	}
	session := in.s3.AssumeRole(t, string(policy))
	in.s3KeyID = ""
	in.put(t, "file.txt", []byte("content"))
	for name, source := range credentialSources() {
		t.Run(name, func(t *testing.T) {
			p := &provider{session: session, dir: t.TempDir()}
			server := httptest.NewServer(p)
			t.Cleanup(server.Close)
			none := filepath.Join(p.dir, "none")
			env := append([]string{
				"AWS_EC2_METADATA_DISABLED=true", "AWS_SHARED_CREDENTIALS_FILE=" + none, "AWS_CONFIG_FILE=" + none,
				"AWS_REGION=us-east-1", "KEYHOLE_REDIRECT_OBJECT_CHECK=0s",
			}, source(t, p, server.URL)...)
			for _, trouble := range []string{"empty", "expired", "down"} {
				p.testTrouble(t, in, env, trouble)
			}
			p.testRenewal(t, in, env)
		})
	}
}

// credentialSources are the sources of the SDK's chain. Each returns the variables with which
// the gateway asks the provider at an address.
func credentialSources() map[string]func(t *testing.T, p *provider, address string) []string {
	return map[string]func(t *testing.T, p *provider, address string) []string{
		"container": func(_ *testing.T, _ *provider, address string) []string {
			return []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + address + "/credentials"}
		},
		"web identity": func(t *testing.T, p *provider, address string) []string {
			t.Helper()
			return []string{
				"AWS_ENDPOINT_URL_STS=" + address, "AWS_ROLE_ARN=arn:aws:iam::111122223333:role/keyhole",
				"AWS_WEB_IDENTITY_TOKEN_FILE=" + p.file(t, "token", "jwt-canary", 0o600),
			}
		},
		"process": func(t *testing.T, p *provider, address string) []string {
			t.Helper()
			program := p.file(t, "program",
				fmt.Sprintf("#!/bin/sh\nset -e\ncurl -sf %s/credentials | sed 's/^{/{\"Version\":1,/'\n", address), 0o700)
			return []string{"AWS_CONFIG_FILE=" + p.file(t, "config", "[default]\ncredential_process = "+program+"\n", 0o600)}
		},
	}
}

// testTrouble starts a gateway on credentials that expire soon, and then causes one kind of
// trouble: the gateway's credentials expire, and the recipient is told to come back.
func (p *provider) testTrouble(t *testing.T, in *installation, env []string, trouble string) {
	t.Helper()
	p.set("shortest")
	g := in.start(env...)
	link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt"})
	if err != nil {
		t.Fatal(err)
	}
	p.set(trouble)
	eventually(t, "the credentials to end", func() error {
		a := get(t, http.MethodGet, link.URL, "Accept", "application/json")
		switch {
		case a.status == http.StatusServiceUnavailable && strings.Contains(a.body, `"code":"unavailable"`) &&
			a.header.Get("Retry-After") != "":
			return nil
		case a.status != http.StatusFound:
			return fatal{fmt.Errorf("%s: the recipient sees %d %s", trouble, a.status, a.body)}
		}
		return fmt.Errorf("%s: the recipient still sees %d", trouble, a.status)
	})
	p.set("well")
	eventually(t, "the credentials to come back", func() error {
		if got := fetched(t, link.URL); got != "content" {
			return fmt.Errorf("after %s: the recipient sees %q", trouble, got)
		}
		return nil
	})
	if log := g.process.output.String(); strings.Contains(log, "canary") ||
		strings.Contains(log, p.session.SecretAccessKey) || strings.Contains(log, p.session.SessionToken) {
		t.Errorf("%s: a secret is in the log", trouble)
	}
}

// testRenewal checks that no URL outlives its credential, and that the gateway asks for the
// next credential before the end of this one.
func (p *provider) testRenewal(t *testing.T, in *installation, env []string) {
	t.Helper()
	p.set("short")
	g := in.start(env...)
	link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(get(t, http.MethodGet, link.URL).location)
	if err != nil {
		t.Fatal(err)
	}
	if u.Query().Get("X-Amz-Security-Token") != p.session.SessionToken {
		t.Error("the URL has not the session's token")
	}
	if life, err := strconv.Atoi(u.Query().Get("X-Amz-Expires")); err != nil || life < 6 || life > 13 {
		t.Errorf("a URL lives for %d s (5 of them back), %v; its credential for 8", life, err)
	}
	before := p.asked()
	eventually(t, "the credential to be renewed ahead of its end", func() error {
		if got := fetched(t, link.URL); got != "content" {
			return fatal{fmt.Errorf("the recipient sees %q", got)}
		}
		if p.asked() == before {
			return fmt.Errorf("asked %d times", before)
		}
		return nil
	})
}

// TestRotatedSecrets rotates secrets in files under a running service: the next
// click is signed with what the file says then.
func TestRotatedSecrets(t *testing.T) {
	t.Parallel()
	profile := func(secret string) string {
		return fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s3test.RootKey, secret)
	}
	for name, tt := range map[string]struct {
		prepare func(*installation) (path string, env []string)
		text    func(secret string) string
	}{
		"secret_access_key_file": {
			func(in *installation) (string, []string) { return filepath.Join(in.dir, "s3-secret"), nil },
			func(secret string) string { return secret + "\n" },
		},
		"profile": {
			func(in *installation) (string, []string) {
				in.s3KeyID = ""
				path := filepath.Join(in.dir, "aws-credentials")
				return path, []string{
					"AWS_SHARED_CREDENTIALS_FILE=" + path, "AWS_CONFIG_FILE=" + path + ".none",
					"AWS_EC2_METADATA_DISABLED=true",
				}
			},
			profile,
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := install(t)
			in.put(t, "file.txt", []byte("content"))
			path, env := tt.prepare(in)
			write := func(secret string) {
				t.Helper()
				if err := os.WriteFile(path, []byte(tt.text(secret)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(s3test.RootSecret)
			g := in.start(env...)
			link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt", Pin: "none"})
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range []struct {
				secret string
				want   string
			}{{s3test.RootSecret, "content"}, {"rotated-too-early", "403 "}, {s3test.RootSecret, "content"}} {
				write(step.secret)
				if got := fetched(t, link.URL); got != step.want {
					t.Errorf("with the secret %s in the file, the next click sees %q, want %q", step.secret, got, step.want)
				}
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := fetched(t, link.URL); got != "503 unavailable" {
				t.Errorf("with an empty file, the next click sees %q", got)
			}
			write(s3test.RootSecret)
			if got := fetched(t, link.URL); got != "content" {
				t.Errorf("with the secret back, the next click sees %q", got)
			}
		})
	}
}
