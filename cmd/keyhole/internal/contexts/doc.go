// Package contexts reads and writes the client configuration of one user: the services that
// the commands can use, each with its address and operator key, and the current service. It
// depends neither on the commands nor on the API.
package contexts
