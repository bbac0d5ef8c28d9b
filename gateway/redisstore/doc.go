// Package redisstore keeps links in Redis 7 or Valkey: on one server, behind Sentinel
// or in a cluster.
//
// A link is two records. The permission holds what a click needs and has the link's TTL.
// The permission is the right to download: a revocation deletes it. The history is the
// head of a list, and the events of the link's last clicks follow it. One list for both
// saves a key and 150 bytes per link. The history outlives the permission by the
// retention.
//
// Links are spread over 64 partitions. All keys of a partition are in one slot of a
// cluster, and every change is one script of lua/, so a change is atomic. The scripts
// use the clock of the server.
//
// Listings read two kinds of index. The secondary index lists links by an attribute (all,
// bucket, creator, label) in order of issue, packed in chunks of a hash: an entry takes
// 26 bytes; in a sorted set it would take 130. The prefix index is a sorted set of
// buckets and object keys in lexical order. Each index is divided into index buckets by
// time of issue, which expire as a whole.
//
// The store also keeps the sessions of the console, under hashes of their IDs.
//
// The store never reads from a replica. If Redis does not answer, or if this version
// cannot read the answer, the error is gateway.ErrUnavailable.
//
// Read [Store] first, then keys.go, which lists every Redis key, and the heads of the
// scripts in lua/. [Connect] makes the connections. Package record encodes links and
// events; package batch groups clicks. Neither knows Redis.
package redisstore
