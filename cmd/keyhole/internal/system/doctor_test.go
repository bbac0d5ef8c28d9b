//go:build system

package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/gateway/objects/s3test"
	"keyhole/gateway/redisstore/redistest"
)

// doctor runs keyhole doctor over a sound Redis and a configuration with these keys
// of the storage main, and returns its exit code, its findings of storages and all
// that it printed.
func doctor(t *testing.T, storage string) (code int, findings []doctorFinding, printed string) {
	t.Helper()
	code, findings, printed = doctorOver(t, redisAt(t, "", redistest.StartSingle(t).Addr), storage)
	for _, f := range findings {
		if f.Subject == "redis" && f.Level != "ok" {
			t.Errorf("of a sound Redis it says: %+v", f)
		}
	}
	return code, slices.DeleteFunc(findings, func(f doctorFinding) bool { return f.Subject == "redis" }), printed
}

// redisAt writes the keys of a Redis that is one of the tests', and more keys. The timeout
// outlasts a stall of the machine.
func redisAt(t *testing.T, more string, addresses ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "redis-password")
	if err := os.WriteFile(path, []byte(redistest.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`addresses: ["%s"], username: %s, password_file: %q, timeout: 15s%s`,
		strings.Join(addresses, `", "`), redistest.Username, path, more)
}

// soon gives a Redis that does not answer a short timeout.
func soon(redis string) string { return strings.Replace(redis, "timeout: 15s", "timeout: 2s", 1) }

// doctorOver runs keyhole doctor over a configuration with these keys of Redis and
// of the storage main, and returns its exit code, its findings and all that it
// printed.
func doctorOver(t *testing.T, redis, storage string) (code int, findings []doctorFinding, printed string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyhole.yaml")
	text := fmt.Sprintf(`
public: { listen: "127.0.0.1:1", url: "http://127.0.0.1:1" }
pages: { organization: Example Ltd }
operator: { keys: [{ name: ops, sha256: %s, can: [issue] }] }
redis: { %s }
storage:
  - name: main
    timeout: 5s
%s`, operatorkey.Hash("x"), redis, storage)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code = runBinary(t.Context(), []string{"doctor", "--config", path, "--json"},
		command.Env{Stdout: &stdout, Stderr: &stderr})
	var answer struct{ Findings []doctorFinding }
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil && code != command.ExitUsage {
		t.Fatalf("exit %d: %v in %s%s", code, err, &stdout, &stderr)
	}
	// No service runs here, and the doctor says so.
	findings = slices.DeleteFunc(answer.Findings, func(f doctorFinding) bool {
		return f.Subject == "public" && f.Level == "warning" && strings.Contains(f.Message, "the service does not run")
	})
	if code != command.ExitUsage && len(findings) != len(answer.Findings)-1 {
		t.Errorf("it does not say that no service runs: %+v", findings)
	}
	return code, findings, stdout.String() + stderr.String()
}

// at writes the keys of a storage that is an S3 server.
func at(endpoint, more string) string {
	return fmt.Sprintf(`
    endpoint: %q
    region: us-east-1
    path_style: true
    %s
`, endpoint, strings.ReplaceAll(more, "\n", "\n    "))
}

// as writes its credentials.
func as(t *testing.T, key, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("\naccess_key_id: %s\nsecret_access_key_file: %s\n", key, path)
}

// TestDoctorFindsNothing runs the doctor over two sound storages.
func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	root := as(t, s3test.RootKey, s3test.RootSecret)
	for name, server := range map[string]*s3test.Server{
		"versitygw": s3test.Start(t, "reports", "exports"), "Ceph RGW": s3test.StartRGW(t, "reports", "exports"),
	} {
		server.KeepVersions(t, "exports", true)
		server.Put(t, "reports", "a b+c/ü.txt", "text/plain", []byte("content"))
		server.Put(t, "exports", "empty", "text/plain", nil)
		code, findings, printed := doctor(t, at(server.Endpoint(), "buckets: [reports, exports]"+root))
		var got []string
		for _, f := range findings {
			got = append(got, f.Level+" "+f.Subject+" "+f.Check)
		}
		want := []string{"ok main credentials", "ok main clock"}
		for _, bucket := range []string{"main:reports", "main:exports"} {
			for _, check := range []string{
				"bucket", "list", "read", "versions", "etags", "public", "delivery", "headers",
				"signature", "expiry", "anonymous",
			} {
				if bucket == "main:exports" || check != "versions" {
					want = append(want, "ok "+bucket+" "+check)
				}
			}
		}
		if code != command.ExitOK || !slices.Equal(got, want) {
			t.Errorf("%s: exit %d\n%s\nwant\n%s", name, code, printed, strings.Join(want, "\n"))
		}
		for _, secret := range []string{s3test.RootSecret, "X-Amz-", "Signature="} {
			if strings.Contains(printed, secret) {
				t.Errorf("%s: %s is in what it prints: %s", name, secret, printed)
			}
		}
	}
}

// policy lets the test's user, or everybody, do something in the bucket reports.
func policy(principal string, actions ...string) string {
	var statements []string
	for _, action := range actions {
		resource := "arn:aws:s3:::reports/*"
		if action == "s3:ListBucket" || action == "s3:GetBucketLocation" {
			resource = "arn:aws:s3:::reports"
		}
		statements = append(statements,
			fmt.Sprintf(`{"Effect":"Allow","Principal":%s,"Action":%q,"Resource":%q}`, principal, action, resource))
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// handler starts a server and returns its URL.
func handler(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// doctorFinding is a finding as keyhole doctor --json prints it.
type doctorFinding struct{ Subject, Check, Level, Message, Do string }
