// Package demo runs the server over a Redis and an S3 server in its own process.
package demo
