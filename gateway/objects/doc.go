// Package objects reads about objects in S3-compatible storages, through the AWS SDK and
// with the credentials of the service. It also learns the storage's clock from the answers
// and keeps the storage's health.
//
// Its errors are those of gateway.Objects. The storage's own text is in the cause, which
// is for the log only.
package objects
