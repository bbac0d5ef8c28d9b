// Package systemd reports the state of the service to systemd, by the protocol of
// sd_notify(3): ready, reloading, stopping, alive for the watchdog, and a start that takes
// longer.
package systemd
