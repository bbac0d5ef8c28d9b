// Package setup is keyhole init, which writes the first configuration of a service and
// gives its user access to it.
//
// It asks neither the storage nor Redis: keyhole doctor does that, and a first
// configuration can be written before they run. It writes everything or nothing, and never
// over a file, because a lost operator key or secret cannot be made again.
package setup
