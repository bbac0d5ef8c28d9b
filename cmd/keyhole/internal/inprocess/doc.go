// Package inprocess has a Redis and an S3 server that run in this process and keep
// everything in memory, for the demo and for tests.
package inprocess
