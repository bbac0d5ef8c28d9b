// Package move moves the data of a service from the Redis that it starts itself to another
// Redis: one server, behind Sentinel, or a cluster.
package move
