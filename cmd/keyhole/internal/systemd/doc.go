// Package systemd reports the state of the service to systemd, by the protocol of
// sd_notify(3): ready, reloading, stopping, and alive for the watchdog.
package systemd
