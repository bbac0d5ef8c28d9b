// Package client is a client of the operator API, for the commands and for other Go
// programs. It needs only the standard library.
//
// An error of the service is an [Error]. [Retry] tells whether the same request may
// succeed later.
package client
