package redisstore

import (
	"strconv"

	"keyhole/gateway"
)

// partitions is how many hash tags the links are spread over. Redis keeps the
// number, so that no gateway that thinks otherwise can work on the same links.
const partitions = 64

// keys builds every key. All begin with the prefix, which the shipped ACL
// user is confined to.
type keys struct {
	prefix string
}

// partition returns the partition of a link.
func partition(id gateway.ID) int { return int(id[0]) & (partitions - 1) }

// in returns a key of partition p: the one place where the hash tag is made,
// by which a cluster puts all of a partition in one slot.
func (k keys) in(p int, rest string) string { return string(k.appendIn(nil, p, rest)) }

// appendIn appends what in returns.
func (k keys) appendIn(b []byte, p int, rest string) []byte {
	b = append(append(b, k.prefix...), ":{p"...)
	b = append(strconv.AppendInt(b, int64(p), 10), "}:"...)
	return append(b, rest...)
}

// link is the permission: a packed string, laid out in lua/codec.lua.
// TTL: the link's expiry. A link's own two keys have names of one letter: with
// the usual prefix one more would cost 16 bytes of memory each.
func (k keys) link(id gateway.ID) string { return string(k.appendLink(nil, id)) }

// appendLink appends what link returns.
func (k keys) appendLink(b []byte, id gateway.ID) []byte {
	return id.Append(k.appendIn(b, partition(id), "l:"))
}

// history is a list: at its head the packed history, behind it the link's last
// clicks, oldest first. TTL: the link's end and the retention.
func (k keys) history(id gateway.ID) string { return string(k.appendHistory(nil, id)) }

// appendHistory appends what history returns.
func (k keys) appendHistory(b []byte, id gateway.ID) []byte {
	return id.Append(k.appendIn(b, partition(id), "h:"))
}

// spent is a sorted set of a link that needs confirmation: the nonces that have
// spent a click, by when. TTL: the link's expiry.
func (k keys) spent(id gateway.ID) string { return k.in(partition(id), "s:"+id.String()) }

// tries is a list of a link with a passphrase: the latest tries, laid out in
// lua/try.lua. TTL: the link's expiry.
func (k keys) tries(id gateway.ID) string { return k.in(partition(id), "t:"+id.String()) }

// retry is a string: what makes an issue safe to repeat, sealed by who asked. TTL:
// reservedFor.
func (k keys) retry(name string) string { return k.prefix + ":retry:" + name }

// operations is a stream: operators' events of a partition's links. No TTL; it
// is trimmed by age as it is written.
func (k keys) operations(p int) string { return k.in(p, "ops") }

// clicks is a stream: downloads' events of a partition's links. No TTL; it is
// trimmed by number as it is written.
func (k keys) clicks(p int) string { return k.in(p, "clicks") }

// refusals is a stream: the events of a partition's links that are no downloads:
// refusals, pages and failures. It is apart from clicks so that no number of them
// displaces a download. No TTL; it is trimmed by number as it is written.
func (k keys) refusals(p int) string { return k.in(p, "refusals") }

// active is a hash: how many links are live, and how many of them expire in
// which minute, laid out in lua/live.lua. No TTL; it shrinks as it is read.
func (k keys) active(p int) string { return k.in(p, "active") }

// terms is a hash: for each term the links of one generation in order of issue,
// laid out in lua/create.lua. TTL: the last history of the generation.
func (k keys) terms(p int, generation int64) string {
	return k.in(p, "terms:"+strconv.FormatInt(generation, 10))
}

// names is a sorted set, all scores 0: bucket NUL key NUL id of the links of
// one generation. TTL: the last history of the generation.
func (k keys) names(p int, generation int64) string {
	return k.in(p, "names:"+strconv.FormatInt(generation, 10))
}

// confirmation is an empty string: what a bulk operation writes to a master so that
// it can wait for replicas. TTL: confirmationLife.
func (k keys) confirmation(p int) string { return k.in(p, "confirmation") }

// absent is never there: a node asked for it sends on whoever asks, once its
// partition's slot is being moved.
func (k keys) absent(p int) string { return k.in(p, "absent") }

// partitions is a string: the number of partitions, written by the first
// gateway that ever started. No TTL.
func (k keys) partitions() string { return k.prefix + ":partitions" }

// cursors is a string: the 32 bytes that seal cursors, drawn by the first gateway
// that ever started, so that any other opens them. No TTL.
func (k keys) cursors() string { return k.prefix + ":cursors" }

// daily is a string: the 32 bytes under which addresses are hashed on one day.
// TTL: dailyLife.
func (k keys) daily(day string) string { return k.prefix + ":daily:" + day }

// horizon is a string: the longest time in milliseconds that any gateway ever
// allowed from a link's issue until it is forgotten. No TTL.
func (k keys) horizon() string { return k.prefix + ":horizon" }

// generationWidth is the time of issue that one generation of indexes covers,
// in milliseconds: 32 days, so that by default two or three are asked.
const generationWidth = int64(32 * 24 * 60 * 60 * 1000)

// The terms that a link is found by. The first byte tells the kinds apart, and
// NUL, which no part may contain, ends a label's name.
const termAll = "a"

func termBucket(bucket string) string     { return "b" + bucket }
func termCreator(actor string) string     { return "c" + actor }
func termLabel(name, value string) string { return "l" + name + "\x00" + value }

// nameOf is a link's member of names but for its ID.
func nameOf(bucket, key string) string { return bucket + "\x00" + key + "\x00" }
