package redisstore

import (
	"context"
	"slices"
	"time"

	"keyhole/gateway/redisstore/record"
)

// neededCommands returns the commands that the gateway's Redis user needs, in scripts and
// outside. Each command has example arguments; KEY stands for a key.
func (c *Client) neededCommands() []string {
	commands := []string{
		"TIME", "GET KEY", "SET KEY v", "GETRANGE KEY 0 1", "SETRANGE KEY 0 v", "EXISTS KEY", "DEL KEY",
		"PEXPIREAT KEY 1", "PEXPIRETIME KEY",
		"LINDEX KEY 0", "LRANGE KEY 0 1", "LSET KEY 0 v", "LPOP KEY", "LPUSH KEY v", "LREM KEY 1 v", "LTRIM KEY 0 1",
		"RPUSH KEY v", "RPUSHX KEY v", "HGET KEY f", "HSET KEY f v", "HDEL KEY f", "HINCRBY KEY f 1",
		"ZADD KEY 0 m", "ZSCORE KEY m", "ZREMRANGEBYSCORE KEY 0 1", "ZRANGEBYLEX KEY - +",
		"ZCOUNT KEY 0 1", "ZREM KEY m",
		"XADD KEY * f v", "XRANGE KEY - +", "XREVRANGE KEY + -", "XTRIM KEY MAXLEN 1",
		"XGROUP CREATE KEY g $ MKSTREAM", "XGROUP DESTROY KEY g", "XINFO STREAM KEY",
		"EVAL return 0", "EVALSHA 0 0", "PING", "ROLE", "INFO", "WAIT 0 1",
	}
	switch c.mode {
	case ModeCluster:
		commands = append(commands, "CLUSTER SLOTS", "CLUSTER INFO", "ASKING")
	default:
		commands = append(commands, "SELECT 0")
	}
	return commands
}

// Refused returns the commands that the gateway needs and that its Redis user may not
// run, in alphabetical order. It runs none of them. The error is gateway.ErrUnavailable.
func (s *Store) Refused(ctx context.Context) (_ []string, err error) {
	defer s.observe(callInspect, time.Now(), &err)
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	var args []any
	for _, command := range s.client.neededCommands() {
		args = append(args, command)
	}
	v, err := run(ctx, s.client.rest, s.scripts.rights, true, []string{s.keys.in(0, "rights")}, args...)
	if err != nil {
		return nil, unavailable("rights", err)
	}
	r := replyOf(v)
	var refused []string
	for len(r.rest) > 0 && r.err == nil {
		refused = append(refused, r.text())
	}
	slices.Sort(refused)
	return slices.Compact(refused), r.err
}

// Clock returns the time of Redis in UTC, in milliseconds. The error is
// gateway.ErrUnavailable.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	now, _, err := s.clock(ctx)
	return record.Time(now), err
}
