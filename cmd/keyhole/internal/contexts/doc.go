// Package contexts keeps the client configuration of one user: the services that the
// commands can use, each with its address and operator key, and which one is current. It
// knows neither commands nor the API.
package contexts
