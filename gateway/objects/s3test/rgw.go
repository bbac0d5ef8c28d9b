package s3test

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// cephConf configures a Ceph of one monitor and one object store in memory, and an RGW.
// Its parts use no authentication and no encryption: with encryption, radosgw hangs. All
// other settings are chosen for a quick start. The arguments are the ID of the cluster,
// the address of the monitor, the address of RGW and the directory.
const cephConf = `[global]
fsid = %[1]s
mon host = v2:%[2]s
auth cluster required = none
auth service required = none
auth client required = none
ms mon cluster mode = crc
ms mon service mode = crc
ms mon client mode = crc
ms cluster mode = crc
ms service mode = crc
ms client mode = crc
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = %[4]s
log file =
log to file = false
mon cluster log to file = false
admin socket =
pid file =
mon data = %[4]s/mon
osd data = %[4]s/osd
rgw data = %[4]s/rgw
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
osd crush chooseleaf type = 0
paxos propose interval = 0.05
rgw frontends = beast endpoint=%[3]s tcp_nodelay=1
rgw crypt require ssl = false
`

// stsConf adds an STS. RGW then answers a wrong secret with AccessDenied instead of
// SignatureDoesNotMatch, because it asks the STS for the owner of the key.
const stsConf = `rgw s3 auth use sts = true
rgw sts key = keyhole-tests-16
`

// roleName is the role of [Server.AssumeRole]. trustRoot is its trust policy, which lets
// the root user assume it.
const (
	roleName  = "keyhole"
	trustRoot = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Principal":{"AWS":["arn:aws:iam:::user/root"]},"Action":["sts:AssumeRole"]}]}`
)

// AssumeRole gives the role a policy and returns credentials for a session with that
// role, with a session token, from the server's own STS. They expire after an hour.
func (s *Server) AssumeRole(tb testing.TB, policy string) aws.Credentials {
	tb.Helper()
	if s.addRole == nil {
		tb.Fatalf("%s has no roles", s.Name)
	}
	s.addRole(tb, policy)
	client := sts.New(sts.Options{
		Region: Region, BaseEndpoint: aws.String(s.Endpoint()),
		Credentials: credentials.NewStaticCredentialsProvider(RootKey, RootSecret, ""),
	})
	out, err := client.AssumeRole(tb.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam:::role/" + roleName), RoleSessionName: aws.String("test"),
	})
	if err != nil {
		tb.Fatalf("assume the role: %v", err)
	}
	return aws.Credentials{
		AccessKeyID:     aws.ToString(out.Credentials.AccessKeyId),
		SecretAccessKey: aws.ToString(out.Credentials.SecretAccessKey),
		SessionToken:    aws.ToString(out.Credentials.SessionToken),
		CanExpire:       true, Expires: aws.ToTime(out.Credentials.Expiration),
	}
}

// fakeTime matches the library that gives radosgw another clock. Debian installs it in a
// directory that is named after the architecture.
const fakeTime = "/usr/lib/*/faketime/libfaketimeMT.so.1"

// RGWOptions configures a Ceph RGW. Every field may be left out.
type RGWOptions struct {
	Buckets  []string
	ClockOff time.Duration // by how much its clock is ahead of the clock of this machine
	STS      bool          // enables [Server.AssumeRole]
}

// StartRGW starts a Ceph RGW with the buckets. It shares no code with versitygw, so both
// together show that Keyhole does not depend on the habits of one server.
func StartRGW(tb testing.TB, buckets ...string) *Server {
	tb.Helper()
	return StartRGWWith(tb, RGWOptions{Buckets: buckets})
}

// StartRGWWith starts a Ceph RGW. It takes about 3 s.
func StartRGWWith(tb testing.TB, o RGWOptions) *Server {
	tb.Helper()
	for _, program := range []string{"ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"} {
		if _, err := exec.LookPath(program); err != nil {
			tb.Fatalf("%s is not installed: run deploy/test, which installs it", program)
		}
	}
	dir := tb.TempDir()
	for _, name := range []string{"mon", "osd", "rgw"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	monitor, addr := freeAddress(tb, "127.0.0.1"), freeAddress(tb, "127.0.0.1")
	cluster, osd := uuid(), uuid()
	conf := filepath.Join(dir, "ceph.conf")
	text := fmt.Appendf(nil, cephConf, cluster, monitor, addr, dir)
	if o.STS {
		text = append(text, stsConf...)
	}
	if err := os.WriteFile(conf, text, 0o600); err != nil {
		tb.Fatal(err)
	}

	monmap := filepath.Join(dir, "monmap")
	must(tb, "monmaptool", "--create", "--addv", "a", "[v2:"+monitor+"]", "--fsid", cluster, monmap)
	must(tb, "ceph-mon", "-c", conf, "--mkfs", "-i", "a", "--monmap", monmap)
	spawn(tb, "ceph-mon", nil, "-c", conf, "-f", "-i", "a")
	must(tb, "ceph", "-c", conf, "--connect-timeout", "20", "osd", "new", osd)
	must(tb, "ceph-osd", "-c", conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
	spawn(tb, "ceph-osd", nil, "-c", conf, "-f", "-i", "0")
	addUser := func(name, key, secret string) {
		must(tb, "radosgw-admin", "-c", conf, "user", "create", "--uid", name, "--display-name", name,
			"--access-key", key, "--secret-key", secret)
	}
	addUser("root", RootKey, RootSecret)

	s := newServer("Ceph RGW", "http", addr, Region, nil)
	if o.STS {
		s.addRole = func(tb testing.TB, policy string) {
			tb.Helper()
			must(tb, "radosgw-admin", "-c", conf, "role", "create", "--role-name", roleName, "--assume-role-policy-doc",
				trustRoot)
			must(tb, "radosgw-admin", "-c", conf, "role", "policy", "put", "--role-name", roleName, "--policy-name", "policy",
				"--policy-doc", policy)
		}
	}
	s.addUser = func(tb testing.TB) {
		tb.Helper()
		addUser(UserKey, UserKey, UserSecret)
	}
	s.waitReady(tb, spawn(tb, "radosgw", clockOff(tb, o.ClockOff), "-c", conf, "-f", "-n", "client.rgw.a"))
	s.CreateBuckets(tb, o.Buckets...)
	return s
}

// clockOff returns the environment variables that change the wall clock of a program. The
// monotonic clock, which its timeouts use, stays as it is.
func clockOff(tb testing.TB, off time.Duration) []string {
	tb.Helper()
	if off == 0 {
		return nil
	}
	found, err := filepath.Glob(fakeTime)
	if err != nil || len(found) == 0 {
		tb.Fatalf("libfaketime is not installed (%v): run deploy/test, which installs it", err)
	}
	return []string{"LD_PRELOAD=" + found[0], fmt.Sprintf("FAKETIME=%+.0fs", off.Seconds()), "DONT_FAKE_MONOTONIC=1"}
}

// uuid returns a random UUID (RFC 9562 section 5.4).
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // It never fails.
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
