// Package demo runs the server over a Redis and an S3 server in its own process. Everything
// is random, in memory and on loopback, so the demo needs nothing and leaves nothing.
package demo
