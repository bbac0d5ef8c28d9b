package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"keyhole/cmd/keyhole/internal/server"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// The checks of Redis.
const (
	checkReachable   = "reachable"
	checkVersion     = "version"
	checkRole        = "role"
	checkEviction    = "eviction" // maxmemory-policy
	checkMemory      = "memory"
	checkRights      = "rights" // the user's
	checkPersistence = "persistence"
	checkReplicas    = "replicas"
)

// noteFunc adds a finding about Redis.
type noteFunc = func(check, level, message, do string)

// redisSubject is the subject of findings about Redis.
const redisSubject = "redis"

// examineRedis checks Redis as the service uses it. It writes nothing.
func (x *examination) examineRedis(ctx context.Context, c *config.Redis, store *redisstore.Store) {
	local := c.Mode == config.RedisLocal
	if local && !x.examineLocalRedis(ctx, c.Directory) {
		return
	}
	note := func(check, level, message, do string) {
		x.note(finding{Subject: redisSubject, Check: check, Level: level, Message: message, Do: do})
	}
	info, err := store.Inspect(ctx)
	if err != nil {
		note(checkReachable, levelFailure, "does not respond correctly: "+reasonOf(err), doAbout(err, c))
		return
	}
	note(checkReachable, levelOK, addressOf(c)+" responds", "")
	examineRedisServer(&info, note)
	examineMemory(&info, local, note)
	examineRedisRights(ctx, store, note)
	examineRedisClock(ctx, store, note)
	examinePersistence(&info, local, note)
	examineReplicas(&info, c.WaitReplicas, note)
}

// examineRedisServer checks the kind of server, as the service does before its first
// click: its version, its role, and that it evicts nothing.
func examineRedisServer(info *redisstore.ServerInfo, note noteFunc) {
	name := "Redis"
	if info.Valkey {
		name = "Valkey"
	}
	if err := info.Check(); errors.Is(err, redisstore.ErrVersion) {
		note(checkVersion, levelFailure, name+" "+info.Version+" is too old", "use Redis 7.0, Valkey 7.2 or later")
	} else {
		note(checkVersion, levelOK, name+" "+info.Version, "")
	}
	if info.Role != "master" {
		note(checkRole, levelFailure, "this is a replica, which refuses writes",
			"put the master into redis.addresses, or use mode sentinel or cluster")
	} else {
		note(checkRole, levelOK, "is a master", "")
	}
	if info.Evicting() {
		note(checkEviction, levelFailure, "evicts keys when its memory is full: "+info.Policy,
			"set maxmemory-policy noeviction, or maxmemory 0: links and revocations must not be evicted")
	} else {
		note(checkEviction, levelOK, "evicts nothing", "")
	}
}

// fullMemory is the part of the limit in percent from which the memory of Redis is a warning.
// With full memory, Redis refuses issues and clicks, and still ends links.
const fullMemory = 90

// examineMemory reports how much memory Redis uses of its limit; in a cluster, the master
// with the least memory left.
func examineMemory(info *redisstore.ServerInfo, local bool, note noteFunc) {
	setting := "maxmemory"
	if local {
		setting = "redis.max_memory"
	}
	switch {
	case info.UsedMemory == 0:
		note(checkMemory, levelOK, "its use of memory is not known: INFO does not report it", "")
	case info.MemoryLimit == 0:
		note(checkMemory, levelOK, "uses "+mebibytes(info.UsedMemory)+", without a limit", "")
	default:
		percent := 100 * float64(info.UsedMemory) / float64(info.MemoryLimit)
		message := fmt.Sprintf("uses %s of %s (%.0f %%)", mebibytes(info.UsedMemory), mebibytes(info.MemoryLimit), percent)
		if percent >= fullMemory {
			note(checkMemory, levelWarning, message, "raise "+setting+": with full memory, Redis refuses new links and clicks")
			return
		}
		note(checkMemory, levelOK, message, "")
	}
}

// mebibytes returns an amount of memory.
func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// examineRedisRights checks that the user may run the commands of the service. The script
// asks Redis itself about each command (ACL DRYRUN), so nothing is written.
func examineRedisRights(ctx context.Context, store *redisstore.Store, note noteFunc) {
	refused, err := store.Refused(ctx)
	switch {
	case err != nil:
		note(checkRights, levelFailure, "the user may not run scripts on the service's keys: "+reasonOf(err),
			"load deploy/redis/users.acl with redis.prefix in its key pattern")
	case len(refused) > 0:
		note(checkRights, levelFailure, "the user may not run "+strings.ToLower(strings.Join(refused, ", ")),
			"load deploy/redis/users.acl of this version")
	default:
		note(checkRights, levelOK, "the user may run the commands of the service", "")
	}
}

// examineRedisClock compares the clock of Redis, by which links expire, with the clock of
// this machine.
func examineRedisClock(ctx context.Context, store *redisstore.Store, note noteFunc) {
	now, err := store.Clock(ctx)
	if err != nil {
		return // the check of the rights has failed for the same reason
	}
	if skew := time.Until(now); skew.Abs() >= gateway.NotableSkew {
		note(checkClock, levelWarning, fmt.Sprintf("its clock differs from this machine's by %s, and links expire by it",
			roughly(skew)), "repair NTP on the machine whose clock is wrong")
		return
	}
	note(checkClock, levelOK, fmt.Sprintf("within %s of this machine's", gateway.NotableSkew), "")
}

// examinePersistence reports what a crash of Redis loses. A lost revocation makes its link
// work again, so this matters more than lost clicks.
func examinePersistence(info *redisstore.ServerInfo, local bool, note noteFunc) {
	switch {
	case info.Unsaved:
		note(checkPersistence, levelFailure, "the last write to its disk failed", "see the log of Redis; is its disk full?")
	case !info.AOF:
		note(checkPersistence, levelWarning, server.LossWithoutAOF, "set appendonly yes, as in deploy/redis/redis.conf")
	case local:
		note(checkPersistence, levelOK, server.LossLocal, "")
	default:
		note(checkPersistence, levelOK, server.LossWithAOF, "")
	}
}

// examineReplicas reports what a failover loses. wait is redis.wait_replicas: the number of
// replicas that have to confirm each issue and revocation. The first case that applies is
// reported, because the others follow from it.
func examineReplicas(info *redisstore.ServerInfo, wait int, note noteFunc) {
	has := fmt.Sprintf("%d connected", info.Replicas)
	switch {
	case info.Replicas < wait:
		note(checkReplicas, levelFailure,
			fmt.Sprintf("%s, but redis.wait_replicas is %d: no issue and no revocation can be confirmed", has, wait),
			"start the missing replicas, or lower redis.wait_replicas")
	case info.Replicas > 0 && !info.Guarded:
		note(checkReplicas, levelWarning, has+"; "+server.LossUnguarded,
			"set min-replicas-to-write and min-replicas-max-lag, as in deploy/redis/redis.conf")
	case info.Replicas > wait:
		note(checkReplicas, levelWarning,
			fmt.Sprintf("%s, but redis.wait_replicas is %d: a failover may lose the last moments, including revocations", has,
				wait), "set redis.wait_replicas to the number of replicas, if revocations may wait for them")
	default:
		note(checkReplicas, levelOK, has, "")
	}
}

// reasonOf returns why a request to Redis failed, without the prefix of the store.
func reasonOf(err error) string {
	text := err.Error()
	if _, reason, ok := strings.Cut(text, gateway.ErrUnavailable.Error()+": "); ok {
		return reason
	}
	return text
}

// doAbout returns what to do if Redis does not respond. A TLS handshake with a server that
// does not speak TLS, and the reverse, end in silence or a closed connection, so these are
// taken for a mistake in redis.tls.
func doAbout(err error, c *config.Redis) string {
	// Redis reports its reasons only as text.
	text := err.Error()
	switch {
	case c.Mode == config.RedisLocal:
		return "start keyhole serve, which starts this Redis; if it runs, its log says why Redis does not"
	case strings.Contains(text, "WRONGPASS"), strings.Contains(text, "NOAUTH"):
		return "correct redis.username and redis.password_file, or load deploy/redis/users.acl with the password's hash"
	case strings.Contains(text, "NOPERM"):
		return "load deploy/redis/users.acl of this version"
	case strings.Contains(text, "certificate"), strings.Contains(text, "tls:"), strings.Contains(text, "EOF"),
		c.TLS.Enabled && errors.Is(err, context.DeadlineExceeded):
		return "check that redis.tls.enabled is right, and that ca_file and server_name fit the certificate of Redis"
	case errors.Is(err, redisstore.ErrClusterDown):
		return "some slots are not served: see CLUSTER INFO"
	}
	return fmt.Sprintf("check that Redis is running at redis.addresses (mode %s)", c.Mode)
}
