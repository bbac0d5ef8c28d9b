// Package admission decides which operator sent a request: the holder of an operator key,
// or of a token that the identity provider issued.
//
// [Authenticator.Admit] reads the Authorization header. It limits wrong credentials by
// address and requests by operator. Callers turn its errors into responses; the package
// knows no HTTP handler.
package admission
