package redisstore

import (
	"encoding/hex"
	"strconv"
	"strings"

	"keyhole/gateway"
)

// partitions is the number of partitions, each with its own hash tag. Redis stores the
// number, and a gateway with another number refuses to use that Redis.
const partitions = 64

// keys builds every Redis key. All keys begin with the prefix, because the shipped ACL
// user may access only that.
type keys struct {
	prefix string
}

// partition returns the partition of a link.
func partition(id gateway.ID) int { return int(id[0]) & (partitions - 1) }

// in returns a key of partition p. No other function makes the hash tag. A cluster puts
// all keys with the same hash tag into one slot.
func (k keys) in(p int, rest string) string { return string(k.appendIn(nil, p, rest)) }

// appendIn appends the key that in returns.
func (k keys) appendIn(b []byte, p int, rest string) []byte {
	b = append(append(b, k.prefix...), ":{p"...)
	b = append(strconv.AppendInt(b, int64(p), 10), "}:"...)
	return append(b, rest...)
}

// permission is a string with the layout of lua/codec.lua. TTL: the link's end. The names
// of a link's two keys have one letter, because a second letter would cost 16 bytes of
// memory per key.
func (k keys) permission(id gateway.ID) string { return string(k.appendPermission(nil, id)) }

// appendPermission appends the key that permission returns.
func (k keys) appendPermission(b []byte, id gateway.ID) []byte {
	return id.Append(k.appendIn(b, partition(id), "l:"))
}

// history is a list: the packed history at its head, then the link's last clicks, oldest
// first. TTL: the link's end plus the retention.
func (k keys) history(id gateway.ID) string { return string(k.appendHistory(nil, id)) }

// appendHistory appends the key that history returns.
func (k keys) appendHistory(b []byte, id gateway.ID) []byte {
	return id.Append(k.appendIn(b, partition(id), "h:"))
}

// spent is a sorted set, for a link that needs confirmation: the nonces that have spent
// a click, with their times as scores. TTL: the link's end.
func (k keys) spent(id gateway.ID) string { return k.in(partition(id), "s:"+id.String()) }

// attempts is a list, for a link with a passphrase: the latest attempts, with the layout
// of lua/attempt.lua. TTL: the link's end.
func (k keys) attempts(id gateway.ID) string { return k.in(partition(id), "t:"+id.String()) }

// reservation is a string: the token and digest of an issue with an Idempotency-Key,
// encrypted by the caller. TTL: reservedFor.
func (k keys) reservation(name string) string { return k.prefix + ":retry:" + name }

// operations is a stream: the operators' events of a partition. No TTL; every write
// trims it by age.
func (k keys) operations(p int) string { return k.in(p, "ops") }

// clicks is a stream: the downloads of a partition. No TTL; writes trim it by number.
func (k keys) clicks(p int) string { return k.in(p, "clicks") }

// refusals is a stream: the refusals, pages and failures of a partition. They have their
// own stream so that they cannot displace downloads. No TTL; writes trim it by number.
func (k keys) refusals(p int) string { return k.in(p, "refusals") }

// liveCounter is a hash: the number of live links, and the number that expire in each
// minute, with the layout of lua/live.lua. No TTL; lua/active.lua removes past minutes.
func (k keys) liveCounter(p int) string { return k.in(p, "active") }

// secondaryIndex is a hash: for each attribute the links of one index bucket in order of
// issue, with the layout of lua/index.lua. TTL: the last history of the index bucket.
func (k keys) secondaryIndex(p int, indexBucket int64) string {
	return k.in(p, "terms:"+strconv.FormatInt(indexBucket, 10))
}

// prefixIndex is a sorted set with all scores 0: bucket NUL key NUL id of the links of
// one index bucket. TTL: the last history of the index bucket.
func (k keys) prefixIndex(p int, indexBucket int64) string {
	return k.in(p, "names:"+strconv.FormatInt(indexBucket, 10))
}

// confirmation is an empty string: a bulk operation writes it to a master and waits for
// its replicas. TTL: confirmationLife.
func (k keys) confirmation(p int) string { return k.in(p, "confirmation") }

// absent never exists. If the slot of its partition is moving, the node answers a read of
// this key with a redirection.
func (k keys) absent(p int) string { return k.in(p, "absent") }

// sessionPartition returns the partition of a session, which belongs to no link.
func sessionPartition(hash gateway.SessionHash) int { return int(hash[0]) & (partitions - 1) }

// session is a string with the layout of lua/session.lua. TTL: the longest time without
// activity, and at most until the session ends.
func (k keys) session(hash gateway.SessionHash) string {
	return k.in(sessionPartition(hash), "session:"+hex.EncodeToString(hash[:]))
}

// sessions is a sorted set: the hashes of the sessions of a partition, with their ends as
// scores. TTL: the end of the last session.
func (k keys) sessions(p int) string { return k.in(p, "sessions") }

// signIn is a string: the secrets of a sign-in at the identity provider, encrypted by the
// caller. TTL: given by the caller.
func (k keys) signIn(hash gateway.SessionHash) string {
	return k.prefix + ":signin:" + hex.EncodeToString(hash[:])
}

// acme is a string: a certificate, the key of an account or the challenges of an order,
// encrypted by the caller, or the holder of a lease. TTL: given by the caller.
func (k keys) acme(name string) string { return k.prefix + ":acme:" + name }

// partitions is a string: the number of partitions. The first gateway writes it. No TTL.
func (k keys) partitions() string { return k.prefix + ":partitions" }

// cursors is a string: the 32-byte key that encrypts cursors. The first gateway draws the
// key. All gateways use the same key, so that each can open the cursors of the others. No
// TTL.
func (k keys) cursors() string { return k.prefix + ":cursors" }

// daily is a string: the 32-byte key that hashes the client addresses of one day. TTL:
// dailyLife.
func (k keys) daily(day string) string { return k.prefix + ":daily:" + day }

// retentionHorizon is a string: the longest time in milliseconds, over all gateways so
// far, from a link's issue until its history expires. No TTL.
func (k keys) retentionHorizon() string { return k.prefix + ":horizon" }

// indexBucketWidth is the time of issue that one index bucket covers, in milliseconds:
// 32 days. With the default retention, a listing reads two or three index buckets.
const indexBucketWidth = int64(32 * 24 * 60 * 60 * 1000)

// The attributes of the secondary index. The first byte is the kind of attribute. A NUL
// ends the name of a label, because no label name contains a NUL.
const attributeAll = "a"

func attributeBucket(bucket string) string     { return "b" + bucket }
func attributeCreator(actor string) string     { return "c" + actor }
func attributeLabel(name, value string) string { return "l" + name + "\x00" + value }

// prefixMember is a link's member of the prefix index, without the link's id.
func prefixMember(bucket, key string) string { return bucket + "\x00" + key + "\x00" }

// owns tells whether a key that begins with the prefix and a colon belongs to this
// installation. Every installation has a key partitions, so owns finds at least that key of
// an installation whose prefix begins with this one, such as keyhole:acme.
func (k keys) owns(name string) bool {
	rest := strings.TrimPrefix(name, k.prefix+":")
	kind, _, more := strings.Cut(rest, ":")
	switch kind {
	case "partitions", "cursors", "horizon":
		return !more
	case "retry", "signin", "acme", "daily":
		return more && !strings.HasSuffix(rest, ":partitions")
	}
	return more && strings.HasPrefix(kind, "{p") && strings.HasSuffix(kind, "}")
}

// confirms tells whether a key is a confirmation.
func (k keys) confirms(name string) bool {
	return strings.HasPrefix(name, k.prefix+":{p") && strings.HasSuffix(name, "}:confirmation")
}
