// Package convert converts the types of the domain to those of the operator API. The API,
// the console and exports use it, so that all of them show the same. It is pure.
package convert
