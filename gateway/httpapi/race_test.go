//go:build race

package httpapi

// Under the race detector, sync.Pool drops a quarter of its values.
const (
	allocationsOfRedirect = 10
	allocationsOfRefusal  = 10
	allocationsOfFacts    = 20
)
