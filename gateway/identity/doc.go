// Package identity verifies the bearer tokens of operators that an OpenID Connect
// provider issued. The claims of a token name the operator. The grants of the
// configuration map claims to rights.
//
// A [Flow] signs operators in to the console at the provider.
//
// The package caches the keys with which the issuer signs. Tokens that need a new key
// share one request to the issuer. No error contains a token or a part of one.
package identity
