//go:build system

package system

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// opened opens a link with a client that follows, and returns where it was sent
// and what arrived.
func opened(t *testing.T, c *http.Client, link string) (sent *url.URL, content string) {
	t.Helper()
	a, err := ask(t.Context(), c, http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a.from, a.body
}

// issued issues a link for file.txt in reports.
func issued(t *testing.T, g *instance, storage string) api.Link {
	t.Helper()
	link, err := g.client.Issue(t.Context(), api.IssueRequest{Storage: storage, Bucket: "reports", Key: "file.txt"})
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// TestPublicEndpoint asks the storage at one address and signs for another.
func TestPublicEndpoint(t *testing.T) {
	t.Parallel()
	const domain = "s3.localhost"
	in := installOver(t, s3test.StartWith(t, s3test.Options{Buckets: []string{"reports", "exports"}, Domain: domain}))
	in.put(t, "file.txt", []byte("content"))
	_, port, err := net.SplitHostPort(in.s3.Addr)
	if err != nil {
		t.Fatal(err)
	}
	// Every name is loopback to this client: not every resolver knows .localhost.
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network,
		address string,
	) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}}}
	for name, tt := range map[string]struct {
		env  []string
		host string
		path string
	}{
		"path style": {
			[]string{"KEYHOLE_STORAGE_MAIN_PUBLIC_ENDPOINT=http://localhost:" + port},
			"localhost:" + port, "/reports/file.txt",
		},
		"virtual host": {
			[]string{
				"KEYHOLE_STORAGE_MAIN_PUBLIC_ENDPOINT=http://" + domain + ":" + port,
				"KEYHOLE_STORAGE_MAIN_PATH_STYLE=false",
			},
			"reports." + domain + ":" + port, "/file.txt",
		},
		"requester pays": {
			[]string{"KEYHOLE_STORAGE_MAIN_REQUESTER_PAYS=true"},
			"127.0.0.1:" + port, "/reports/file.txt",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := in.start(tt.env...)
			sent, content := opened(t, c, issued(t, g, "").URL)
			if sent.Host != tt.host || sent.Path != tt.path || content != "content" {
				t.Errorf("sent to %s%s, and got %q", sent.Host, sent.Path, content)
			}
			if payer := sent.Query().Get("x-amz-request-payer"); (payer == "requester") != (name == "requester pays") {
				t.Errorf("the requester who pays is %q", payer)
			}
		})
	}
}

// TestIPv6 reaches gateway and storage by IPv6 alone.
func TestIPv6(t *testing.T) {
	t.Parallel()
	in := installOver(t, s3test.StartWith(t, s3test.Options{Buckets: []string{"reports", "exports"}, Host: "::1"}))
	in.put(t, "file.txt", []byte("content"))
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	public := net.JoinHostPort("::1", port)
	g := in.start("KEYHOLE_PUBLIC_LISTEN="+public, "KEYHOLE_PUBLIC_URL=http://"+public)
	link := issued(t, g, "")
	sent, content := opened(t, http.DefaultClient, link.URL)
	if !strings.HasPrefix(link.URL, "http://[::1]:"+port+"/") || sent.Host != in.s3.Addr || content != "content" {
		t.Errorf("%s sent to %s, and got %q", link.URL, sent.Host, content)
	}
}

// TestSameBucketTwice has a bucket of the same name in two storages.
func TestSameBucketTwice(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("of main"))
	other := s3test.Start(t, "reports")
	other.Put(t, "reports", "file.txt", "text/plain", []byte("of other"))
	in.storages = fmt.Sprintf(`  - name: other
    timeout: 20s
    endpoint: %q
    path_style: true
    buckets: [reports]
    access_key_id: %s
    secret_access_key_file: %s
`, other.Endpoint(), s3test.RootKey, in.dir+"/s3-secret")
	g := in.start()
	_, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt"})
	wantRefusal(t, err, "storage required")
	for _, storage := range []string{"main", "other"} {
		link := issued(t, g, storage)
		if sent, content := opened(t, http.DefaultClient, link.URL); content != "of "+storage ||
			(sent.Host == other.Addr) != (storage == "other") {
			t.Errorf("%s: sent to %s, and got %q", storage, sent.Host, content)
		}
	}
}

// TestHTTPS has a private authority for recipients, for the storage, and for the
// way between the service and the storage.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	in := installOver(t, s3test.StartWith(t, s3test.Options{
		Buckets: []string{"reports", "exports"}, CertFile: ca.certFile, KeyFile: ca.keyFile, RootCAs: ca.roots,
	}))
	in.put(t, "file.txt", []byte("content"))
	public := freeAddress(t)
	env := []string{
		"KEYHOLE_PUBLIC_LISTEN=" + public, "KEYHOLE_PUBLIC_URL=https://" + public,
		"KEYHOLE_PUBLIC_TLS_CERT_FILE=" + ca.certFile, "KEYHOLE_PUBLIC_TLS_KEY_FILE=" + ca.keyFile,
	}
	g := in.start(append(env, "KEYHOLE_STORAGE_MAIN_CA_FILE="+ca.caFile)...)
	sent, content := opened(t, ca.client(), issued(t, g, "").URL)
	if sent.Scheme != "https" || sent.Host != in.s3.Addr || content != "content" {
		t.Errorf("sent to %s://%s, and got %q", sent.Scheme, sent.Host, content)
	}
	if err := g.process.terminate(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}

	// Without the authority the storage is not believed.
	g = in.start(env...)
	_, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt"})
	if refused := refusalOf(err); refused == nil || refused.Code != "unavailable" {
		t.Errorf("without ca_file: %v", err)
	}

	code, findings, printed := doctor(t,
		at(in.s3.Endpoint(), "buckets: [reports]\nca_file: "+ca.caFile+as(t, s3test.RootKey, s3test.RootSecret)))
	if code != command.ExitOK || !warns(findings, "public") ||
		!strings.Contains(printed, "only ca_file makes the certificate of") {
		t.Errorf("the doctor: exit %d, %s", code, printed)
	}
}

// TestWrongRegionAtTheStart names a bucket that is in another region.
func TestWrongRegionAtTheStart(t *testing.T) {
	t.Parallel()
	in := install(t)
	g := in.start("KEYHOLE_STORAGE_MAIN_REGION=eu-west-1")
	eventually(t, "the region to be named", func() error {
		ready, err := g.client.Ready(t.Context())
		if err == nil && ready.Storages["main"] != "wrong region" {
			err = fmt.Errorf("the storage is %q", ready.Storages["main"])
		}
		return err
	})
	if log := g.process.output.String(); !strings.Contains(log,
		"bucket reports: it is in the region us-east-1, but storage[].region is eu-west-1") {
		t.Errorf("the log does not name it: %s", log)
	}
}
