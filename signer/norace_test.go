//go:build !race

package signer

// allocationsOfPresign is what a signature may allocate: its URL.
const allocationsOfPresign = 1
