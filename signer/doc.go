// Package signer makes a presigned URL for one S3 object, a method and a lifetime: AWS
// Signature Version 4 in the query string, which signs only the host. It also provides
// the credentials that sign and the clock of the storage that checks the signature.
//
// A [Signer] serves one storage. Its hosts are fixed when it is made, one per configured
// bucket, by the endpoint rules of the AWS SDK. No part of a request chooses a host. A
// recipient's client may rewrite a "..", or the port 443 of https, which would break the
// signature. So the package refuses or normalises them before it signs.
//
// A URL never outlives the credential that signed it. Missing or expired credentials sign
// nothing.
//
// Every click needs a signature, so signing costs one SHA-256 of the canonical request,
// one HMAC, and one allocation, which is the URL.
package signer
