// Package admission identifies the operator who sent a request: the holder of an operator
// key, or of a token of the identity provider.
//
// Read [Authenticator.Admit] first: it reads the Authorization header, limits wrong
// credentials by address and requests by operator, and returns the operator with the
// rights of the credential. [Sessions] does the same for people in the console: an operator
// signs in once, by a key or at the identity provider, and a cookie names the session. The
// caller turns errors into responses; the package knows no HTTP handler.
package admission
