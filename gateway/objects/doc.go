// Package objects reads the properties of objects in S3-compatible storages, through the
// AWS SDK and with the credentials of the service. It also reads the storage's clock from
// the answers, and remembers the last known health of the storage.
//
// It returns the errors that gateway.Objects defines. The storage's own text is only in
// their cause, which is for the log.
package objects
