package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	checkRights      = "rights"   // the user's
	checkPersistence = "persistence"
	checkReplicas    = "replicas"
)

// redisSubject names Redis in findings.
const redisSubject = "redis"

// examineRedis tries Redis as the service will use it. Nothing is written. The
// error is one of the configuration, which serve would end with too.
func (x *examination) examineRedis(ctx context.Context, cfg *config.Config, metrics *gateway.Metrics) error {
	client, store, err := server.OpenStore(cfg, metrics, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // nothing is asked of it any more
	note := func(check, level, message, do string) {
		x.note(finding{Subject: redisSubject, Check: check, Level: level, Message: message, Do: do})
	}
	info, err := store.Inspect(ctx)
	if err != nil {
		note(checkReachable, levelFailure, "does not answer as it should: "+reasonOf(err), doAbout(err, &cfg.Redis))
		return nil
	}
	note(checkReachable, levelOK, strings.Join(cfg.Redis.Addresses, ", ")+" answers", "")
	name := "Redis"
	if info.Valkey {
		name = "Valkey"
	}
	if err := info.Check(); errors.Is(err, redisstore.ErrVersion) {
		note(checkVersion, levelFailure, name+" "+info.Version+" is too old", "use Redis 7.0 or Valkey 7.2 at least")
	} else {
		note(checkVersion, levelOK, name+" "+info.Version, "")
	}
	if info.Role != "master" {
		note(checkRole, levelFailure, "what answers is a replica, which cannot be written to", "name the master in redis.addresses, or let mode sentinel or cluster find it")
	} else {
		note(checkRole, levelOK, "is a master", "")
	}
	if info.Evicting() {
		note(checkEviction, levelFailure, "throws keys away when its memory is full: "+info.Policy, "set maxmemory-policy noeviction, or maxmemory 0: links and revocations must not be thrown away")
	} else {
		note(checkEviction, levelOK, "throws nothing away", "")
	}
	examineRedisRights(ctx, store, note)
	examineRedisClock(ctx, store, note)
	examinePersistence(&info, note)
	examineReplicas(&info, cfg.Redis.WaitReplicas, note)
	return nil
}

// examineRedisRights asks whether the user may run what the service runs.
func examineRedisRights(ctx context.Context, store *redisstore.Store, note func(check, level, message, do string)) {
	refused, err := store.Refused(ctx)
	switch {
	case err != nil:
		note(checkRights, levelFailure, "the user may not run scripts on the service's keys: "+reasonOf(err), "load deploy/redis/users.acl, with redis.prefix in its key pattern")
	case len(refused) > 0:
		note(checkRights, levelFailure, "the user may not run "+strings.ToLower(strings.Join(refused, ", ")), "load deploy/redis/users.acl of this version")
	default:
		note(checkRights, levelOK, "the user may run what the service runs", "")
	}
}

// examineRedisClock compares Redis' clock, by which links end, with this machine's.
func examineRedisClock(ctx context.Context, store *redisstore.Store, note func(check, level, message, do string)) {
	now, err := store.Clock(ctx)
	if err != nil {
		return // the rights have said so
	}
	if skew := time.Until(now); skew.Abs() >= gateway.NotableSkew {
		note(checkClock, levelWarning, fmt.Sprintf("its clock is %s off this machine's, and links end by it", roughly(skew)), "repair NTP on the machine that is wrong")
		return
	}
	note(checkClock, levelOK, fmt.Sprintf("within %s of this machine's", gateway.NotableSkew), "")
}

// examinePersistence says what a crash of Redis would forget.
func examinePersistence(info *redisstore.ServerInfo, note func(check, level, message, do string)) {
	switch {
	case info.Unsaved:
		note(checkPersistence, levelFailure, "the last attempt to write to its disk failed", "see Redis' log; is its disk full?")
	case !info.AOF:
		note(checkPersistence, levelWarning, server.LossWithoutAOF, "set appendonly yes, as deploy/redis/redis.conf has it")
	default:
		note(checkPersistence, levelOK, server.LossWithAOF, "")
	}
}

// examineReplicas says what a failover would forget.
func examineReplicas(info *redisstore.ServerInfo, wait int, note func(check, level, message, do string)) {
	has := fmt.Sprintf("%d connected", info.Replicas)
	switch {
	case info.Replicas < wait:
		note(checkReplicas, levelFailure, fmt.Sprintf("%s, and redis.wait_replicas is %d: no issue and no revocation will be confirmed", has, wait), "bring the replicas back, or lower redis.wait_replicas")
	case info.Replicas > 0 && !info.Guarded:
		note(checkReplicas, levelWarning, has+"; "+server.LossUnguarded, "set min-replicas-to-write and min-replicas-max-lag, as deploy/redis/redis.conf has it")
	case info.Replicas > wait:
		note(checkReplicas, levelWarning, fmt.Sprintf("%s, and redis.wait_replicas is %d: a failover may forget the last moments, revocations included", has, wait), "set redis.wait_replicas to the number of replicas, if each revocation may wait for them")
	default:
		note(checkReplicas, levelOK, has, "")
	}
}

// reasonOf writes why Redis could not be asked, without the words that the store
// puts before it.
func reasonOf(err error) string {
	text := err.Error()
	if _, reason, ok := strings.Cut(text, gateway.ErrUnavailable.Error()+": "); ok {
		return reason
	}
	return text
}

// doAbout says what to do where Redis does not answer.
func doAbout(err error, c *config.Redis) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "WRONGPASS"), strings.Contains(text, "NOAUTH"):
		return "correct redis.username and redis.password_file, or load deploy/redis/users.acl with the password's hash"
	case strings.Contains(text, "NOPERM"):
		return "load deploy/redis/users.acl of this version"
	case strings.Contains(text, "certificate"), strings.Contains(text, "tls:"), strings.Contains(text, "EOF"),
		c.TLS.Enabled && errors.Is(err, context.DeadlineExceeded):
		return "does redis.tls.enabled say what Redis speaks, and do ca_file and server_name fit its certificate?"
	case errors.Is(err, redisstore.ErrClusterDown):
		return "see CLUSTER INFO: some slots are not served"
	}
	return fmt.Sprintf("is Redis running, and is redis.addresses (mode %s) where it is?", c.Mode)
}
