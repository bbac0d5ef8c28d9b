package listen

import (
	"errors"
	"io/fs"
	"syscall"
)

// Hint returns what to do after an error of Open. setting says where the address is set:
// "in" a key of the configuration, or "with" a flag.
func Hint(err error, setting string) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		// The kernel refuses only ports to a process without the right, never addresses.
		return "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE, which the unit keyhole.service has; " +
			"otherwise choose a port from 1024 on " + setting
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine does not have the address; choose one of its own " + setting
	default:
		return "is another process using the address? choose another one " + setting
	}
}
