// Package doctor tries an installation against reality: Redis, each storage and bucket, the
// identity provider, and the way from recipients to the service. It opens them by the code of
// package server. Beside it, a client without credentials does what recipients do.
package doctor
