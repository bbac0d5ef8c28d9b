//go:build !race

package httpapi

// What a request may allocate between the handler's first line and its last. A
// redirect: the client's address as text, a context, the wait for a storage, the
// store's verdict, the file name's header, the value of Location, and echo's own. A
// refusal, its line of log included: the address and echo's own.
const (
	allocationsOfRedirect = 7
	allocationsOfRefusal  = 2
)
