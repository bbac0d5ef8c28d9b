// Package identity admits operators by the bearer tokens of an OpenID Connect
// provider. The claims of a token name the operator, and the grants of the
// configuration decide by the claims what the operator may do.
//
// The package verifies signatures with the keys of the issuer, which it caches. All
// tokens that need a key wait for one request to the issuer. No error contains a token
// or a part of one.
package identity
