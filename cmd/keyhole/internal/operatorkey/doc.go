// Package operatorkey draws operator keys. Only the hash of a key is stored.
package operatorkey
