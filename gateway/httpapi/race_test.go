//go:build race

package httpapi

// Under the race detector a sync.Pool drops a quarter of what it is given.
const (
	allocationsOfRedirect = 10
	allocationsOfRefusal  = 10
)
