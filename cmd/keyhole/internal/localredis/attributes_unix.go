//go:build unix && !linux

package localredis

import "syscall"

// attributes keeps signals of the terminal away from Redis, which must outlive the last
// clicks. If the service is killed, Redis goes on; the next start ends it.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
