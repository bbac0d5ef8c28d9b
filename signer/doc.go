// Package signer makes presigned URLs for single S3 objects: AWS Signature Version 4 in
// the query string, in which host is the only signed header. It also provides the
// credentials for the signature and the clock of the storage that checks the signature.
//
// A [Signer] serves one storage. Its hosts are fixed when it is made, one per configured
// bucket, by the endpoint rules of the AWS SDK. No part of a request chooses a host. A
// recipient's client may rewrite a ".." in the path, or the port 443 of https, which
// would break the signature. So the package refuses such a path and normalises the port
// before it signs.
//
// A URL never outlives the credential that signed it. Without a valid credential, Presign
// returns an error. Read [Signer.Presign] first, then [Credentials] and [Clock].
//
// Every click needs a signature, so signing costs one SHA-256 of the canonical request,
// one HMAC, and one allocation, which is the URL.
package signer
