// Package signer turns one S3 object, a method and a lifetime into a presigned
// URL: AWS Signature Version 4 in the query string, with nothing signed but
// the host. It also holds what a signature rests on: the credentials that sign
// and the clock of the storage that will judge them.
//
// A [Signer] serves one storage. The hosts it can sign for are fixed when it
// is made, one per configured bucket, by the AWS SDK's own endpoint rules; no
// part of a request chooses a host. What a recipient's client could rewrite on
// its way (a "..", the port 443 of https) is refused or normalised before it
// is signed, because a rewritten URL is a broken signature.
//
// A URL never outlives the credential that signed it, and credentials that are
// missing or expired sign nothing.
//
// Signing is on the path of every click, so it costs one SHA-256 over the
// canonical request, one HMAC, and one allocation, the URL itself.
package signer
