//go:build race

package signer

// Under the race detector a sync.Pool drops a quarter of what it is given, so
// a scratch and its HMAC are made anew now and then.
const allocationsOfPresign = 8
