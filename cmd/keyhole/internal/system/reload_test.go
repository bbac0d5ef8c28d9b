//go:build system

package system

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/objects/s3test"
)

// edit changes the configuration's file as an editor does: a new file in its place.
func (g *instance) edit(t *testing.T, old, replacement string) {
	t.Helper()
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("there is no %q in\n%s", old, text)
	}
	fresh := filepath.Join(t.TempDir(), "keyhole.yaml")
	if err := os.WriteFile(fresh, []byte(strings.Replace(string(text), old, replacement, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, g.config); err != nil {
		t.Fatal(err)
	}
}

// hangUp sends SIGHUP and waits until the service has said what became of it.
func (g *instance) hangUp(t *testing.T) {
	t.Helper()
	said := func() int { return strings.Count(g.process.output.String(), `"msg":"configuration `) }
	before := said()
	if err := g.process.command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the configuration to be read", func() error {
		if said() == before {
			return errors.Join(errors.New("nothing was said"), g.process.exited())
		}
		return nil
	})
}

// A scope that is taken away is gone with the next request of each kind, for links
// that were made with it too, and other keys go on.
func TestReloadTakesScopeAway(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	in.s3.Put(t, "exports", "a.csv", "text/csv", []byte("a"))
	g := in.start()
	exporter := g.withKey(t, in.key+"exporter")
	link, err := exporter.Issue(t.Context(), api.IssueRequest{Bucket: "exports", Key: "a.csv"})
	if err != nil {
		t.Fatal(err)
	}
	requests := map[string]func(context.Context) error{
		"issue": func(ctx context.Context) error {
			_, err := exporter.Issue(ctx, api.IssueRequest{Bucket: "exports", Key: "a.csv"})
			return err
		},
		"show":   func(ctx context.Context) error { _, err := exporter.Show(ctx, link.ID); return err },
		"events": func(ctx context.Context) error { _, err := exporter.Events(ctx, link.ID, "", 0); return err },
		"change": func(ctx context.Context) error {
			_, err := exporter.Change(ctx, link.ID, api.ChangeRequest{Note: new("n")})
			return err
		},
		"revoke": func(ctx context.Context) error { _, err := exporter.Revoke(ctx, link.ID, ""); return err },
	}

	g.edit(t, `objects: ["exports/*"]`, `objects: ["reports/*"]`)
	g.hangUp(t)
	for name, request := range requests {
		want := "not_found"
		if name == "issue" {
			want = "out_of_scope"
		}
		if refused := refusalOf(request(t.Context())); refused == nil || refused.Code != want {
			t.Errorf("%s: got %v, want %s", name, refused, want)
		}
	}
	page, err := exporter.List(t.Context(), client.ListOptions{})
	if err != nil || len(page.Links) != 0 {
		t.Errorf("list: %d links, %v", len(page.Links), err)
	}
	feed, err := exporter.Audit(t.Context(), client.AuditOptions{})
	if err != nil || len(feed.Events) != 0 {
		t.Errorf("audit: %d events, %v", len(feed.Events), err)
	}
	bulk, err := exporter.RevokeAll(t.Context(), api.RevocationRequest{All: true})
	if err != nil || bulk.Matched != 0 {
		t.Errorf("bulk revocation: %+v, %v", bulk, err)
	}
	if _, err := exporter.Objects(t.Context(), client.ObjectsOptions{Bucket: "exports"}); refusalOf(err) == nil {
		t.Errorf("objects: got %v, want a refusal", err)
	}
	if _, err := g.client.Show(t.Context(), link.ID); err != nil {
		t.Errorf("another key: %v", err)
	}

	g.edit(t, `can: [issue, read, revoke, browse], objects: ["reports/*"]`, `can: [browse], objects: ["exports/*"]`)
	g.hangUp(t)
	for name, request := range requests {
		if refused := refusalOf(request(t.Context())); refused == nil || refused.Code != "forbidden" {
			t.Errorf("%s without its action: got %v, want forbidden", name, refused)
		}
	}
	// What has changed is noticed without a signal too.
	g.edit(t, "sha256: "+operatorkey.Hash(in.key+"exporter"), "sha256: "+operatorkey.Hash("another"))
	eventually(t, "the key to be refused", func() error {
		if refused := refusalOf(requests["show"](t.Context())); refused == nil || refused.Code != "unauthorized" {
			return errors.New("it is admitted, or refused for something else")
		}
		return g.process.exited()
	})
}

// Two keys of one name are how a key is rotated: both are admitted, then one.
func TestReloadRotatesAKey(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	link := share(t, g)
	fresh := g.withKey(t, "the-next-key")
	stanza := fmt.Sprintf("    - { name: ops, sha256: %s, can: [issue, read, revoke, browse] }\n",
		operatorkey.Hash(in.key))
	next := strings.Replace(stanza, operatorkey.Hash(in.key), operatorkey.Hash("the-next-key"), 1)
	g.edit(t, stanza, stanza+next)
	g.hangUp(t)
	for name, c := range map[string]*client.Client{"old": g.client, "new": fresh} {
		if shown, err := c.Show(t.Context(), link.ID); err != nil || shown.CreatedBy != "ops" {
			t.Errorf("%s: %+v, %v", name, shown, err)
		}
	}
	g.edit(t, stanza+next, next)
	g.hangUp(t)
	if _, err := fresh.Show(t.Context(), link.ID); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if refused := refusalOf(func() error {
		_, err := g.client.Show(t.Context(), link.ID)
		return err
	}()); refused == nil || refused.Code != "unauthorized" {
		t.Errorf("the old key: got %v, want unauthorized", refused)
	}
}

// A configuration with a mistake changes nothing, a change that needs a restart is
// said, and neither keeps a key that was taken away.
func TestReloadOfWhatCannotBe(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	g.edit(t, "timeout: 15s", "timeout: 15s, nonsense: 1")
	g.hangUp(t)
	if log := g.process.output.String(); !strings.Contains(log,
		"configuration reload failed; keeping the previous configuration") || !strings.Contains(log, "redis.nonsense") {
		t.Errorf("the mistake is not named:\n%s", log)
	}
	share(t, g)

	g.edit(t, "timeout: 15s, nonsense: 1", "timeout: 14s")
	g.edit(t, "name: reader, sha256: "+operatorkey.Hash(in.key+"reader"),
		"name: reader, sha256: "+operatorkey.Hash("another"))
	g.hangUp(t)
	if log := g.process.output.String(); !strings.Contains(log,
		`"msg":"configuration changes need a restart","keys":["redis.timeout"]`) {
		t.Errorf("what needs a restart is not named:\n%s", log)
	}
	_, err := g.withKey(t, in.key+"reader").List(t.Context(), client.ListOptions{})
	if refused := refusalOf(err); refused == nil || refused.Code != "unauthorized" {
		t.Errorf("the key that was taken away: got %v, want unauthorized", refused)
	}
}

// The policy of a reload is the policy of the next issue. While Redis is away it is
// not in force, and then it is, without being asked for again.
func TestReloadOfPolicy(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	long := func() error {
		_, err := g.client.Issue(t.Context(),
			api.IssueRequest{Bucket: "reports", Key: "file.txt", ExpiresIn: "7d", Sensitive: new(false)})
		return err
	}
	if err := long(); err != nil {
		t.Fatal(err)
	}
	g.edit(t, "log: {", "policy: { max_expiry: 2h, sensitive_objects: [\"*/file.txt\"] }\nlog: {")
	g.hangUp(t)
	refused := refusalOf(long())
	if refused == nil || len(refused.Errors) != 1 || refused.Errors[0].Code != "sensitive_object" {
		t.Errorf("got %+v, want sensitive_object", refused)
	}
	in.redis.Kill(t)
	g.edit(t, "policy: { max_expiry: 2h, sensitive_objects: [\"*/file.txt\"] }", "policy: { max_expiry: 200h }")
	g.edit(t, "name: reader", "name: auditor")
	g.hangUp(t)
	const partly = `"msg":"configuration reload incomplete; retrying every second","changed":["operator.keys[1].name"]`
	if log := g.process.output.String(); !strings.Contains(log, partly) {
		t.Errorf("it is not said that Redis is away, and what is in force all the same:\n%s", log)
	}
	in.redis.Start(t)
	eventually(t, "the policy to be in force", func() error { return errors.Join(long(), g.process.exited()) })
	month := func() error {
		_, err := g.client.Issue(t.Context(), api.IssueRequest{
			Bucket: "reports", Key: "file.txt", ExpiresIn: "30d", Sensitive: new(false),
		})
		return err
	}
	refused = refusalOf(month())
	if refused == nil || !strings.Contains(refused.Errors[0].Message, "policy.caps.not_sensitive") {
		t.Errorf("got %+v, want a refusal by the cap", refused)
	}
	retentionHorizon := in.redis.MustDo(t, "GET", "keyhole:horizon")
	if retentionHorizon != fmt.Sprint((200+720)*3600*1000) {
		t.Errorf("the retention horizon is %s ms", retentionHorizon)
	}
	g.edit(t, "policy: { max_expiry: 200h }", "policy: { max_expiry: 30d, caps: { not_sensitive: 30d } }")
	g.hangUp(t)
	if err := month(); err != nil {
		t.Errorf("with a longer cap: %v", err)
	}
}

// What a reload failed by is tried again: a file that was missing for a moment, as
// secrets are while they are exchanged, needs no other edit. It is said once.
func TestReloadIsTriedAgain(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	secret := filepath.Join(in.dir, "s3-secret")
	if err := os.Rename(secret, secret+".away"); err != nil {
		t.Fatal(err)
	}
	g.edit(t, "name: ops", "name: admins")
	const failed = `"msg":"configuration reload failed; keeping the previous configuration"`
	eventually(t, "the edit to be read", func() error {
		if !strings.Contains(g.process.output.String(), failed) {
			return errors.Join(errors.New("nothing was said"), g.process.exited())
		}
		return nil
	})
	eventually(t, "the metric to say so", func() error { return reloadFailed(t, g, 1) })
	if err := os.Rename(secret+".away", secret); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the edit to be in force", func() error {
		if link := share(t, g); link.CreatedBy != "admins" {
			return errors.Join(fmt.Errorf("links are by %s", link.CreatedBy), g.process.exited())
		}
		return nil
	})
	if n := strings.Count(g.process.output.String(), failed); n != 1 {
		t.Errorf("the failure was logged %d times", n)
	}
	eventually(t, "the metric to say so", func() error { return reloadFailed(t, g, 0) })
}

// reloadFailed returns an error unless the metric has the value.
func reloadFailed(t *testing.T, g *instance, value int) error {
	t.Helper()
	if want := fmt.Sprintf("\nkeyhole_configuration_reload_failed %d\n",
		value); !strings.Contains(get(t, http.MethodGet, g.operator+"/metrics").body, want) {
		return fmt.Errorf("/metrics has no line %s", strings.TrimSpace(want))
	}
	return nil
}

// A file that is replaced by a pipe is not waited for: what comes after it is taken up.
func TestReloadOfNoFile(t *testing.T) {
	t.Parallel()
	in := install(t)
	g := in.start()
	right := g.config + ".right"
	if err := errors.Join(os.Rename(g.config, right), syscall.Mkfifo(g.config, 0o600)); err != nil {
		t.Fatal(err)
	}
	g.hangUp(t)
	if log := g.process.output.String(); !strings.Contains(log,
		`"configuration reload failed; keeping the previous configuration","error":"it is not a regular file"`) {
		t.Errorf("it is not said:\n%s", log)
	}
	if err := os.Rename(right, g.config); err != nil {
		t.Fatal(err)
	}
	g.edit(t, "name: reader", "name: auditor")
	eventually(t, "what comes after it to be in force", func() error {
		if !strings.Contains(g.process.output.String(),
			`"msg":"configuration reloaded","changed":["operator.keys[1].name"],"operator_keys":["ops","auditor","exporter"]`) {
			return errors.Join(errors.New("it is not"), g.process.exited())
		}
		return nil
	})
}

// Credentials of a storage are exchanged with their key id, and no click is dropped.
func TestReloadOfCredentialsUnderLoad(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	in.s3.AddUser(t)
	g := in.start()
	link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt", Pin: "none"})
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(s3test.UserSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var clicking sync.WaitGroup
	for range 8 {
		clicking.Go(func() {
			c := unfollowed()
			defer c.CloseIdleConnections()
			for !stop.Load() {
				if a, err := ask(t.Context(), c, http.MethodGet, link.URL, nil); err != nil || a.status != http.StatusFound {
					t.Errorf("dropped: %d, %v", a.status, err)
					return
				}
			}
		})
	}
	stanza := func(id, file string) string {
		return fmt.Sprintf("access_key_id: %s\n    secret_access_key_file: %s\n", id, file)
	}
	ids := []string{in.s3KeyID, s3test.UserKey}
	stanzas := []string{stanza(ids[0], filepath.Join(in.dir, "s3-secret")), stanza(ids[1], secret)}
	for i := range 20 {
		is := (i + 1) % 2
		g.edit(t, stanzas[i%2], stanzas[is])
		g.hangUp(t)
		if a := get(t, http.MethodGet, link.URL); !strings.Contains(a.location, "X-Amz-Credential="+ids[is]+"%2F") {
			t.Errorf("not signed by %s: %d", ids[is], a.status)
		}
	}
	stop.Store(true)
	clicking.Wait()
}

// A certificate that is renewed in its files is shown to the next client; one that does
// not fit its key changes nothing.
func TestReloadOfCertificates(t *testing.T) {
	t.Parallel()
	in := install(t)
	old, fresh := newAuthority(t), newAuthority(t)
	public := freeAddress(t)
	g := in.launch("KEYHOLE_PUBLIC_LISTEN="+public, "KEYHOLE_PUBLIC_TLS_CERT_FILE="+old.certFile,
		"KEYHOLE_PUBLIC_TLS_KEY_FILE="+old.keyFile)
	g.waitReady(t)
	answers := func(by *authority) error {
		c := by.client()
		defer c.CloseIdleConnections()
		_, err := ask(t.Context(), c, http.MethodGet, "https://"+public+"/robots.txt", nil)
		return errors.Join(err, g.process.exited())
	}
	if err := answers(old); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh.certFile, old.certFile); err != nil {
		t.Fatal(err)
	}
	g.hangUp(t)
	if log := g.process.output.String(); !strings.Contains(log, "private key does not match public key") {
		t.Errorf("a certificate without its key is not named:\n%s", log)
	}
	if err := answers(old); err != nil {
		t.Errorf("after half of a renewal: %v", err)
	}
	if err := os.Rename(fresh.keyFile, old.keyFile); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new certificate to be shown", func() error { return answers(fresh) })
}
