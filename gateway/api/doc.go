// Package api defines the JSON of the operator API. The server, the client and the test of
// the OpenAPI description share this definition.
package api
