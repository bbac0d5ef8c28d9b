// Package redisstore keeps links in Redis 7 or Valkey: alone, behind Sentinel
// or as a cluster.
//
// A link is two records. The permission carries the link's TTL and holds only
// what a click needs: it is the permission, and a revocation deletes it. The
// history is the head of a list, outlives the permission by the retention, and
// the link's last clicks stand behind it in the same list: one key fewer than
// keeping them apart, 150 bytes a link. All that changes together lies in one of 64
// partitions, so in one slot of a cluster, and every change is one script in
// lua/. Time is the server's, taken inside the script.
//
// Listings read two kinds of index, each cut into generations by time of issue
// that expire as a whole. Terms (all links, a bucket, a creator, a label) name
// links in order of issue, packed in chunks of a hash: 26 bytes an entry where
// a sorted set takes 130. Names (bucket and key) are a sorted set in lexical
// order.
//
// Nothing is ever read from a replica, and whatever could not be asked or
// understood is gateway.ErrUnavailable.
package redisstore
