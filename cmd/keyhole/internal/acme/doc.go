// Package acme gets certificates from a certificate authority that speaks ACME (RFC 8555)
// and renews them in the background. Several gateways share one certificate, one account
// and the challenges of an order through a Storage, which holds everything encrypted. A
// lease lets one gateway order for all.
//
// The package knows no configuration and no Redis.
package acme
