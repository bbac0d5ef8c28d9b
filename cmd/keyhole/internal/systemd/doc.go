// Package systemd reports the state of the service to systemd, by the protocol of
// sd_notify(3): a start that takes longer, ready, reloading, stopping, and alive.
package systemd
