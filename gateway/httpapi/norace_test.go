//go:build !race

package httpapi

// The maximum of allocations of one request in the handler. A redirect makes 7: the address
// of the client as text, a context, the timeout for a storage, the answer of the store, the
// header with the file name, the value of Location, and one of echo. A refusal with its line
// of log makes 2: the address and one of echo. A page with facts makes 3 more: a context, the
// attempt, and the refusal.
const (
	allocationsOfRedirect = 7
	allocationsOfRefusal  = 2
	allocationsOfFacts    = 5
)
