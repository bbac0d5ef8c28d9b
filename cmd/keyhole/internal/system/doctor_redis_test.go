//go:build system

package system

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/objects/s3test"
	"keyhole/gateway/redisstore/redistest"
)

// redisFindings runs the doctor over a Redis and returns what it says of that, a
// line for each finding.
func redisFindings(t *testing.T, redis string) (code int, found []string, printed string) {
	t.Helper()
	code, findings, printed := doctorOver(t, redis,
		at("http://127.0.0.1:1", "buckets: [reports]"+as(t, s3test.RootKey, s3test.RootSecret)))
	for _, f := range findings {
		if f.Subject == "redis" {
			found = append(found, strings.Join([]string{f.Level, f.Check, f.Message, f.Do}, "|"))
		}
	}
	return code, found, printed
}

// redisFault is a Redis with at most one fault.
type redisFault struct {
	redis func(t *testing.T) string
	want  []string // parts of the one finding that is not ok; none: all is
}

// TestDoctorOfRedis plants faults in Redis, one at a time, and wants each found,
// named with what to do, and nothing else.
func TestDoctorOfRedis(t *testing.T) {
	t.Parallel()
	for _, faults := range []map[string]redisFault{connectionFaults(), settingFaults(), replicaFaults()} {
		for name, tt := range faults {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				tt.find(t)
			})
		}
	}
}

// find runs the doctor over the Redis and compares its findings.
func (tt *redisFault) find(t *testing.T) {
	t.Helper()
	code, found, printed := redisFindings(t, tt.redis(t))
	bad := slices.DeleteFunc(slices.Clone(found), func(f string) bool { return strings.HasPrefix(f, "ok") })
	if code != command.ExitFailed { // the storage is not there
		t.Errorf("exit %d", code)
	}
	if len(bad) != min(len(tt.want), 1) {
		t.Fatalf("it finds\n%s\nwant one finding with %q", strings.Join(found, "\n"), tt.want)
	}
	for _, part := range tt.want {
		if !strings.Contains(bad[0], part) {
			t.Errorf("it says %s, want %q", bad[0], part)
		}
	}
	if strings.Contains(printed, redistest.Password) {
		t.Errorf("it prints the password: %s", printed)
	}
}

// redisWith returns a function that starts a Redis with these directives.
func redisWith(directives ...string) func(t *testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		return redisAt(t, "", redistest.StartSingle(t, directives...).Addr)
	}
}

// redisAllowing returns a function that starts a Redis whose user has changed rights.
func redisAllowing(change func(acl string) string) func(t *testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		node := redistest.StartSingle(t)
		fields := strings.Fields(change(strings.Split(redistest.ACL(t), "\n")[1]))
		node.MustDo(t, append([]string{"ACL", "SETUSER", fields[1], "reset"}, fields[2:]...)...)
		return redisAt(t, "", node.Addr)
	}
}

// connectionFaults are faults that keep the service from using Redis at all, and a sound Redis.
func connectionFaults() map[string]redisFault {
	return map[string]redisFault{
		"sound": {redisWith(), nil},
		"not there": {
			func(t *testing.T) string {
				t.Helper()
				return redisAt(t, "", "127.0.0.1:1")
			},
			[]string{"failure|reachable", "connection refused", "redis.addresses (mode single)"},
		},
		"silent": {func(t *testing.T) string {
			t.Helper()
			node := redistest.StartSingle(t)
			node.Pause(t)
			t.Cleanup(func() { node.Resume(t) })
			return soon(redisAt(t, "", node.Addr))
		}, []string{"failure|reachable", "redis.addresses"}},
		"wrong password": {func(t *testing.T) string {
			t.Helper()
			node := redistest.StartSingle(t)
			node.MustDo(t, "ACL", "SETUSER", redistest.Username, "resetpass", ">another")
			return redisAt(t, "", node.Addr)
		}, []string{"failure|reachable", "WRONGPASS", "redis.password_file"}},
		"TLS where there is none": {
			func(t *testing.T) string {
				t.Helper()
				return soon(redisAt(t, ", tls: { enabled: true }", redistest.StartSingle(t).Addr))
			},
			[]string{"failure|reachable", "redis.tls.enabled"},
		},
		"TLS by an authority that is not trusted": {func(t *testing.T) string {
			t.Helper()
			address, _ := redisOverTLS(t)
			return redisAt(t, ", tls: { enabled: true }", address)
		}, []string{"failure|reachable", "certificate", "ca_file"}},
	}
}

// settingFaults are faults in the settings of Redis and the rights of its user.
func settingFaults() map[string]redisFault {
	return map[string]redisFault{
		"evicting": {
			redisWith("maxmemory 100mb", "maxmemory-policy volatile-ttl"),
			[]string{"failure|eviction", "volatile-ttl", "noeviction"},
		},
		"snapshots alone": {
			redisWith("appendonly no", `save "3600 1"`),
			[]string{"warning|persistence", "everything since the last snapshot", "appendonly yes"},
		},
		"a command is missing": {
			redisAllowing(func(acl string) string { return strings.Replace(acl, " +zscore", "", 1) }),
			[]string{"failure|rights", "may not run zscore", "users.acl of this version"},
		},
		"no scripts": {
			redisAllowing(func(acl string) string { return strings.Replace(acl, " +eval +evalsha", "", 1) }),
			[]string{"failure|rights", "may not run scripts", "users.acl"},
		},
		"keys of another prefix": {
			redisAllowing(func(acl string) string { return strings.Replace(acl, "~keyhole:*", "~other:*", 1) }),
			[]string{"failure|rights", "may not run", "users.acl"},
		},
	}
}

// replicaFaults are faults in the replication of Redis.
func replicaFaults() map[string]redisFault {
	return map[string]redisFault{
		"a replica": {func(t *testing.T) string {
			t.Helper()
			return redisAt(t, "", redistest.StartSentinel(t).Servers[1].Addr)
		}, []string{"failure|role", "a replica", "put the master"}},
		"replicas that are not guarded": {func(t *testing.T) string {
			t.Helper()
			g := redistest.StartSentinel(t)
			return redisAt(t, ", mode: sentinel, master_name: "+g.Master+", wait_replicas: 1", g.Addresses...)
		}, []string{"warning|replicas", "1 connected", "min-replicas-to-write"}},
		"replicas that are not waited for": {func(t *testing.T) string {
			t.Helper()
			g := redistest.StartSentinel(t)
			g.Servers[0].MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "1")
			return redisAt(t, ", mode: sentinel, master_name: "+g.Master, g.Addresses...)
		}, []string{"warning|replicas", "a failover may lose", "redis.wait_replicas"}},
		"fewer replicas than are waited for": {
			func(t *testing.T) string {
				t.Helper()
				return redisAt(t, ", wait_replicas: 1", redistest.StartSingle(t).Addr)
			},
			[]string{"failure|replicas", "0 connected", "lower redis.wait_replicas"},
		},
	}
}

// redisOverTLS starts a Redis that speaks TLS, and returns its address and the
// authority of its certificate.
func redisOverTLS(t *testing.T) (string, *authority) {
	t.Helper()
	ca := newAuthority(t)
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	redistest.StartSingle(t, "tls-port "+port, "tls-cert-file "+ca.certFile, "tls-key-file "+ca.keyFile,
		"tls-ca-cert-file "+ca.caFile, "tls-auth-clients no")
	return address, ca
}

// TestRedisOverTLS serves links over a Redis that speaks TLS, with an authority of
// its own.
func TestRedisOverTLS(t *testing.T) {
	address, ca := redisOverTLS(t)
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start("KEYHOLE_REDIS_ADDRESSES="+address, "KEYHOLE_REDIS_TLS_ENABLED=true",
		"KEYHOLE_REDIS_TLS_CA_FILE="+ca.caFile)
	link := share(t, g)
	if a := get(t, http.MethodGet, link.URL); a.status != http.StatusFound {
		t.Errorf("a click: %d", a.status)
	}
	if n := in.redis.MustDo(t, "DBSIZE"); n != "0" {
		t.Errorf("%s keys are in the other Redis", n)
	}
}

// TestWarningsOfRedis reads what the start-up log says of Redis.
func TestWarningsOfRedis(t *testing.T) {
	in := install(t, "appendonly no")
	log := in.start("KEYHOLE_REDIS_WAIT_REPLICAS=2").process.output.String()
	for _, want := range []string{
		"Redis keeps no append-only file: a restart loses everything since the last snapshot",
		"Redis has fewer replicas than redis.wait_replicas",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
}
